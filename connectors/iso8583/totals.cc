#include "connectors/iso8583/totals.h"

#include "connectors/iso8583/dialect.h"
#include "ledger/base/check.h"

#include <fmt/format.h>

#include <charconv>

namespace florin::connectors::iso8583 {
namespace {

constexpr int kCurrency = 50;
constexpr std::int64_t kNetMax = 9'999'999'999'999'999;  // x+n16
constexpr std::size_t kNetSize = 17;

bool is_date(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i != 4 && i != 7 && (text[i] < '0' || text[i] > '9')) {
            return false;
        }
    }
    return true;
}

std::string currency_code(Currency currency) {
    return fmt::format("{:03}", currency.numeric());
}

// The codec has seen that they are digits, and no more than 16.
std::int64_t number_of(std::string_view digits) {
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

// D: debits exceed credits. Field 97 of a balance of zero is a credit.
std::string net_text(std::int64_t net) {
    return fmt::format("{}{:016}", net > 0 ? 'D' : 'C', net > 0 ? net : -net);
}

SaidTotals totals_in(Message const& answer) {
    SaidTotals found;
    for (TotalName const& each : total_names()) {
        if (answer.has(each.field)) {
            found.emplace(each.name, number_of(answer.get(each.field)));
        }
    }
    if (auto const net = answer.get(kNetTotalField); net.size() == kNetSize) {
        auto const value = number_of(net.substr(1));
        found.emplace(kNetTotal, net[0] == 'D' ? value : -value);
    }
    return found;
}

}  // namespace

Result<Message> totals_message(
    TotalsRequest const& request, Iso8583Options const& options, std::int64_t now_s
) {
    Dialect const& dialect = dialect_of(options.link.packaging);
    Identity const& identity = request.identity;
    FLORIN_CHECK(
        identity.stan >= 1 && identity.stan <= 999'999 && identity.transmission_time.size() == 10,
        "an ISO 8583 message has an identity from its intent"
    );
    if (!is_date(request.date)) {
        return fail(Errc::malformed, "a business date is YYYY-MM-DD");
    }
    std::string mti = request.is_advice ? "0520" : "0500";
    mti.back() = request.repeat ? '1' : '0';
    Message message{dialect.wire_mti(mti)};
    message.set(7, identity.transmission_time);
    message.set_stan(identity.stan);
    dialect.set_totals(message, request.date, identity.transmission_time, now_s);
    if (!options.acquirer_id.empty()) {
        message.set(32, options.acquirer_id);
    }
    if (!options.forwarder_id.empty()) {
        message.set(33, options.forwarder_id);
    }
    message.set(37, identity.rrn);
    message.set(kCurrency, currency_code(request.currency));
    for (TotalName const& each : total_names()) {
        std::int64_t const value = request.totals.*each.member;
        if (value < 0) {
            return fail(
                Errc::out_of_range,
                field_title(options.link.packaging, each.field) + ": cannot hold this total"
            );
        }
        message.set(each.field, std::to_string(value));
    }
    std::int64_t const net = request.totals.net();
    if (net > kNetMax || net < -kNetMax) {
        return fail(
            Errc::out_of_range,
            field_title(options.link.packaging, kNetTotalField) + ": cannot hold this total"
        );
    }
    message.set(kNetTotalField, net_text(net));
    return message;
}

TotalsReply totals_reply_of(
    Message const& answer, TotalsRequest const& request, Packaging const& packaging
) {
    Dialect const& dialect = dialect_of(packaging);
    TotalsReply reply{
        .end = TotalsReply::End::answered,
        .claim = dialect.balance_claim(answer),
        .code = std::string{dialect.balance_code(answer)},
        .totals = totals_in(answer),
        .detail = {},
    };
    auto const refuse = [&reply](std::string why) {
        reply.claim = BalanceClaim::refused;
        reply.totals.clear();
        reply.detail = std::move(why);
    };
    if (answer.has(kCurrency) && answer.get(kCurrency) != currency_code(request.currency)) {
        refuse("the answer is about another currency");
    } else if (auto const date = dialect.totals_date(answer);
               !date.empty() && date != dialect.date_text(request.date)) {
        refuse("the answer is about another business date");
    }
    return reply;
}

}  // namespace florin::connectors::iso8583
