#include "tools/banksim/control.h"

#include "tools/banksim/payment_file.h"
#include "tools/banksim/reports.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <iterator>
#include <utility>

namespace florin::banksim {
namespace {

using Json = nlohmann::json;

Json refused(std::string const& why) {
    return Json{{"ok", false}, {"error", why}};
}

std::string text_of(Json const& object, char const* key, std::string otherwise = {}) {
    auto const found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>()
                                                       : std::move(otherwise);
}

std::int64_t number_of(Json const& object, char const* key) {
    auto const found = object.find(key);
    return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

template <class T>
Json done(Result<T> const& result) {
    return result ? Json{{"ok", true}} : refused(to_string(result.error()));
}

Json make_report(Json const& request, Book& book) {
    auto const path = text_of(request, "path");
    if (path.empty()) {
        return refused("path is missing");
    }
    auto const date = text_of(request, "date", book.business_date());
    auto const bytes = report(book, text_of(request, "report"), date);
    if (!bytes) {
        return refused(to_string(bytes.error()));
    }
    auto answer = done(write_report(path, *bytes));
    answer["date"] = date;
    return answer;
}

Json counts(Book& book) {
    auto const counts = book.counts();
    if (!counts) {
        return refused(to_string(counts.error()));
    }
    return Json{
        {"ok", true},
        {"authorisations", counts->authorisations},
        {"captures", counts->captures},
        {"refunds", counts->refunds},
        {"reversals", counts->reversals},
        {"refused_after_reversal", counts->refused_after_reversal},
        {"authorisation_messages", counts->authorisation_messages},
        {"transfers", counts->transfers},
        {"returns", counts->returns},
    };
}

Json collect_file(std::string const& path, Book& book) {
    std::ifstream stream{path, std::ios::binary};
    std::string const bytes{std::istreambuf_iterator<char>{stream}, {}};
    if (!stream.is_open() || stream.bad()) {
        return refused("cannot read " + path);
    }
    auto const file = parse_payment_file(bytes);
    if (!file) {
        return refused(to_string(file.error()));
    }
    auto const is_new = book.collect(*file);
    if (!is_new) {
        return refused(to_string(is_new.error()));
    }
    return Json{
        {"ok", true},
        {"message_id", file->message_id},
        {"transfers", file->orders.size()},
        {"already", !*is_new},
    };
}

Json give_back(Json const& request, Book& book) {
    auto const is_new = book.give_back(text_of(request, "end_to_end_id"));
    return is_new ? Json{{"ok", true}, {"already", !*is_new}} : refused(to_string(is_new.error()));
}

Json held(Book& book) {
    auto const held = book.held();
    if (!held) {
        return refused(to_string(held.error()));
    }
    auto list = Json::array();
    for (auto const& each : *held) {
        list.push_back(Json{
            {"amount_minor", each.amount.minor},
            {"currency", each.amount.currency.alphabetic()},
            {"rrn", each.rrn},
            {"transmission_time", each.transmission_time},
            {"captured_minor", each.captured},
            {"refunded_minor", each.refunded},
        });
    }
    return Json{{"ok", true}, {"held", list}};
}

Json compared(Book& book) {
    auto const compared = book.compared();
    if (!compared) {
        return refused(to_string(compared.error()));
    }
    auto list = Json::array();
    for (auto const& each : *compared) {
        list.push_back(Json{
            {"mti", each.mti},
            {"stan", each.stan},
            {"rrn", each.rrn},
            {"date", each.date},
            {"currency", each.currency.alphabetic()},
            {"in_balance", each.is_in_balance},
            {"repeats", each.repeats},
        });
    }
    return Json{{"ok", true}, {"totals", list}};
}

Json presented(Book& book) {
    constexpr std::size_t kShown = 100;
    auto const presented = book.presented(kShown);
    if (!presented) {
        return refused(to_string(presented.error()));
    }
    auto list = Json::array();
    for (auto const& each : *presented) {
        list.push_back(Json{
            {"rrn", each.rrn},
            {"electronic_commerce_indicator", each.electronic_commerce_indicator},
            {"cryptogram", each.cryptogram},
            {"three_d_secure_version", each.three_d_secure_version},
            {"three_d_secure_transaction", each.three_d_secure_transaction},
            {"credential_use", each.credential_use},
            {"original_network_transaction", each.original_network_transaction},
            {"condition", each.condition},
        });
    }
    return Json{{"ok", true}, {"presented", list}};
}

Json charge_fee(Json const& fee, Book& book) {
    auto const currency = Currency::from_alphabetic(text_of(fee, "currency"));
    if (!currency) {
        return refused("currency must be an ISO 4217 code");
    }
    return done(book.charge_fee(Money{number_of(fee, "amount_minor"), *currency}));
}

Json decide(std::string_view line, Book& book, Faults& faults, ChangeKeys const& change_keys) {
    auto const request = Json::parse(line, nullptr, false);
    if (!request.is_object()) {
        return refused("a request is one JSON object");
    }
    if (request.contains("clear")) {
        faults.clear();
        return Json{{"ok", true}, {"rules", 0}};
    }
    if (request.contains("report")) {
        return make_report(request, book);
    }
    if (request.contains("collect")) {
        return collect_file(text_of(request, "collect"), book);
    }
    if (auto const found = request.find("return"); found != request.end()) {
        return give_back(*found, book);
    }
    if (request.contains("counts")) {
        return counts(book);
    }
    if (request.contains("new_key")) {
        return Json{{"ok", true}, {"links", change_keys ? change_keys() : 0}};
    }
    if (request.contains("held")) {
        return held(book);
    }
    if (request.contains("totals")) {
        return compared(book);
    }
    if (request.contains("presented")) {
        return presented(book);
    }
    if (auto const found = request.find("chargeback"); found != request.end()) {
        return done(book.charge_back(text_of(*found, "rrn"), number_of(*found, "amount_minor")));
    }
    if (auto const found = request.find("fee"); found != request.end()) {
        return charge_fee(*found, book);
    }
    auto answer = done(faults.add(line));
    answer["rules"] = faults.size();
    return answer;
}

std::string line_of(Json const& answer) {
    // What is not UTF-8 in an error text is replaced rather than thrown at.
    return answer.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string control(
    std::string_view line, Book& book, Faults& faults, ChangeKeys const& change_keys
) {
    return line_of(decide(line, book, faults, change_keys));
}

std::string collect(std::string const& path, Book& book) {
    return line_of(collect_file(path, book));
}

}  // namespace florin::banksim
