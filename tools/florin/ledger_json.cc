#include "tools/florin/ledger_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <span>

namespace florin::tools {
namespace {

using ledger::Account;
using ledger::Transfer;
using nlohmann::json;
using nlohmann::ordered_json;

// Anything that stands for a flag which does not exist.
constexpr std::uint64_t kUnknownFlag = 1U << 15U;

constexpr std::array<std::string_view, 6> kAccountFlags{
    "linked",
    "debits_must_not_exceed_credits",
    "credits_must_not_exceed_debits",
    "history",
    "imported",
    "closed",
};
constexpr std::array<std::string_view, 9> kTransferFlags{
    "linked",
    "pending",
    "post_pending_transfer",
    "void_pending_transfer",
    "balancing_debit",
    "balancing_credit",
    "closing_debit",
    "closing_credit",
    "imported",
};
constexpr std::array<std::string_view, 3> kAccountFilterFlags{"debits", "credits", "reversed"};
constexpr std::array<std::string_view, 1> kQueryFlags{"reversed"};

using Flags = std::span<std::string_view const>;

// Thrown inside this file only; parse_request turns it into a JsonError.
struct Refused {
    JsonError error;
};
[[noreturn]] void refuse(std::string code, std::string message) {
    throw Refused{{std::move(code), std::move(message)}};
}

u128 read_number(json const& value, std::string const& name, u128 most) {
    std::optional<u128> number;
    if (value.is_number_unsigned()) {
        number = value.get<std::uint64_t>();
    } else if (value.is_string()) {
        number = parse_u128(value.get_ref<std::string const&>());
    }
    if (!number || *number > most) {
        refuse(
            "bad_value",
            name + ": expected an integer from 0 to " + to_string(most) + ", got " + value.dump()
        );
    }
    return *number;
}

std::uint64_t read_flags(json const& value, std::string const& name, Flags names) {
    if (!value.is_array()) {
        u128 const mask = read_number(value, name, std::numeric_limits<std::uint64_t>::max());
        return mask > std::numeric_limits<std::uint16_t>::max() ? kUnknownFlag : low_bits(mask);
    }
    std::uint64_t mask = 0;
    for (json const& each : value) {
        if (!each.is_string()) {
            refuse("bad_value", name + ": expected names of flags, got " + each.dump());
        }
        auto const& wanted = each.get_ref<std::string const&>();
        std::uint64_t bit = kUnknownFlag;
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (names[i] == wanted) {
                bit = std::uint64_t{1} << i;
            }
        }
        mask |= bit;
    }
    return mask;
}

// Reads the fields of one object, each of which must be known.
class Fields {
public:
    Fields(json const& object, std::string where) : object_{object}, where_{std::move(where)} {
        if (!object.is_object()) {
            refuse("bad_value", where_ + ": expected an object, got " + object.dump());
        }
    }
    template <class Integer>
    void number(char const* name, Integer& into) {
        if (json const* value = find(name)) {
            u128 const most =
                sizeof(Integer) == 16 ? kU128Max : (u128{1} << (sizeof(Integer) * 8)) - 1;
            into = static_cast<Integer>(read_number(*value, where_ + "." + name, most));
        }
    }
    template <class Integer>
    void flags(Integer& into, Flags names) {
        if (json const* value = find("flags")) {
            into = static_cast<Integer>(read_flags(*value, where_ + ".flags", names));
        }
    }
    void finish() const {
        if (seen_ == object_.size()) {
            return;
        }
        for (auto const& [name, value] : object_.items()) {
            if (std::ranges::find(names_, name) == names_.end()) {
                refuse("unknown_field", where_ + ": no field '" + name + "'");
            }
        }
    }

private:
    json const* find(char const* name) {
        names_.emplace_back(name);
        auto const found = object_.find(name);
        if (found == object_.end()) {
            return nullptr;
        }
        ++seen_;
        return &*found;
    }
    json const& object_;
    std::string where_;
    std::vector<std::string> names_;
    std::size_t seen_ = 0;
};

Account read_account(json const& value, std::string where) {
    Account account;
    Fields fields{value, std::move(where)};
    fields.number("id", account.id);
    fields.number("debits_pending", account.debits_pending);
    fields.number("debits_posted", account.debits_posted);
    fields.number("credits_pending", account.credits_pending);
    fields.number("credits_posted", account.credits_posted);
    fields.number("user_data_128", account.user_data_128);
    fields.number("user_data_64", account.user_data_64);
    fields.number("user_data_32", account.user_data_32);
    fields.number("reserved", account.reserved);
    fields.number("ledger", account.ledger);
    fields.number("code", account.code);
    fields.flags(account.flags, kAccountFlags);
    fields.number("timestamp", account.timestamp);
    fields.finish();
    return account;
}

Transfer read_transfer(json const& value, std::string where) {
    Transfer transfer;
    Fields fields{value, std::move(where)};
    fields.number("id", transfer.id);
    fields.number("debit_account_id", transfer.debit_account_id);
    fields.number("credit_account_id", transfer.credit_account_id);
    fields.number("amount", transfer.amount);
    fields.number("pending_id", transfer.pending_id);
    fields.number("user_data_128", transfer.user_data_128);
    fields.number("user_data_64", transfer.user_data_64);
    fields.number("user_data_32", transfer.user_data_32);
    fields.number("timeout", transfer.timeout);
    fields.number("ledger", transfer.ledger);
    fields.number("code", transfer.code);
    fields.flags(transfer.flags, kTransferFlags);
    fields.number("timestamp", transfer.timestamp);
    fields.finish();
    return transfer;
}

json const& read_list(json const& value, std::string const& name) {
    if (!value.is_array()) {
        refuse("bad_value", name + ": expected a list, got " + value.dump());
    }
    if (value.size() > ledger::kBatchEventsMax) {
        refuse(
            "too_many_events",
            name + ": " + std::to_string(value.size()) + " events, at most " +
                std::to_string(ledger::kBatchEventsMax)
        );
    }
    return value;
}

template <class Wanted, class Read>
ledger::Request read_events(json const& value, std::string const& name, Read const& read) {
    Wanted request;
    std::size_t index = 0;
    for (json const& each : read_list(value, name)) {
        request.events.push_back(read(each, name + "[" + std::to_string(index++) + "]"));
    }
    return request;
}

template <class Wanted>
ledger::Request read_ids(json const& value, std::string const& name) {
    Wanted request;
    std::size_t index = 0;
    for (json const& each : read_list(value, name)) {
        request.ids.push_back(
            read_number(each, name + "[" + std::to_string(index++) + "]", kU128Max)
        );
    }
    return request;
}

template <class Wanted>
ledger::Request read_account_filter(json const& value, std::string const& name) {
    Wanted request;
    Fields fields{value, name};
    fields.number("account_id", request.filter.account_id);
    fields.number("user_data_128", request.filter.user_data_128);
    fields.number("user_data_64", request.filter.user_data_64);
    fields.number("user_data_32", request.filter.user_data_32);
    fields.number("code", request.filter.code);
    fields.number("timestamp_min", request.filter.timestamp_min);
    fields.number("timestamp_max", request.filter.timestamp_max);
    fields.number("limit", request.filter.limit);
    fields.flags(request.filter.flags, kAccountFilterFlags);
    fields.finish();
    return request;
}

template <class Wanted>
ledger::Request read_query_filter(json const& value, std::string const& name) {
    Wanted request;
    Fields fields{value, name};
    fields.number("user_data_128", request.filter.user_data_128);
    fields.number("user_data_64", request.filter.user_data_64);
    fields.number("user_data_32", request.filter.user_data_32);
    fields.number("ledger", request.filter.ledger);
    fields.number("code", request.filter.code);
    fields.number("timestamp_min", request.filter.timestamp_min);
    fields.number("timestamp_max", request.filter.timestamp_max);
    fields.number("limit", request.filter.limit);
    fields.flags(request.filter.flags, kQueryFlags);
    fields.finish();
    return request;
}

ledger::Request read_request(std::string const& name, json const& value) {
    if (name == "create_accounts") {
        return read_events<ledger::CreateAccounts>(value, name, read_account);
    }
    if (name == "create_transfers") {
        return read_events<ledger::CreateTransfers>(value, name, read_transfer);
    }
    if (name == "lookup_accounts") {
        return read_ids<ledger::LookupAccounts>(value, name);
    }
    if (name == "lookup_transfers") {
        return read_ids<ledger::LookupTransfers>(value, name);
    }
    if (name == "get_account_transfers") {
        return read_account_filter<ledger::GetAccountTransfers>(value, name);
    }
    if (name == "get_account_balances") {
        return read_account_filter<ledger::GetAccountBalances>(value, name);
    }
    if (name == "query_accounts") {
        return read_query_filter<ledger::QueryAccounts>(value, name);
    }
    if (name == "query_transfers") {
        return read_query_filter<ledger::QueryTransfers>(value, name);
    }
    if (name == "advance_clock") {
        ledger::AdvanceClock request;
        Fields fields{value, name};
        fields.number("ns", request.ns);
        fields.finish();
        return request;
    }
    refuse("unknown_request", "no request '" + name + "'");
}

ordered_json flags_json(std::uint16_t flags, Flags names) {
    ordered_json list = ordered_json::array();
    for (std::size_t i = 0; i < names.size(); ++i) {
        if ((flags & (1U << i)) != 0) {
            list.push_back(names[i]);
        }
    }
    return list;
}

ordered_json account_json(Account const& account) {
    return {
        {"id", to_string(account.id)},
        {"debits_pending", to_string(account.debits_pending)},
        {"debits_posted", to_string(account.debits_posted)},
        {"credits_pending", to_string(account.credits_pending)},
        {"credits_posted", to_string(account.credits_posted)},
        {"user_data_128", to_string(account.user_data_128)},
        {"user_data_64", std::to_string(account.user_data_64)},
        {"user_data_32", account.user_data_32},
        {"ledger", account.ledger},
        {"code", account.code},
        {"flags", flags_json(account.flags, kAccountFlags)},
        {"timestamp", std::to_string(account.timestamp)},
    };
}

ordered_json transfer_json(Transfer const& transfer) {
    return {
        {"id", to_string(transfer.id)},
        {"debit_account_id", to_string(transfer.debit_account_id)},
        {"credit_account_id", to_string(transfer.credit_account_id)},
        {"amount", to_string(transfer.amount)},
        {"pending_id", to_string(transfer.pending_id)},
        {"user_data_128", to_string(transfer.user_data_128)},
        {"user_data_64", std::to_string(transfer.user_data_64)},
        {"user_data_32", transfer.user_data_32},
        {"timeout", transfer.timeout},
        {"ledger", transfer.ledger},
        {"code", transfer.code},
        {"flags", flags_json(transfer.flags, kTransferFlags)},
        {"timestamp", std::to_string(transfer.timestamp)},
    };
}

ordered_json balance_json(ledger::AccountBalance const& balance) {
    return {
        {"timestamp", std::to_string(balance.timestamp)},
        {"debits_pending", to_string(balance.debits_pending)},
        {"debits_posted", to_string(balance.debits_posted)},
        {"credits_pending", to_string(balance.credits_pending)},
        {"credits_posted", to_string(balance.credits_posted)},
    };
}

template <class Results>
ordered_json results_json(Results const& results) {
    ordered_json list = ordered_json::array();
    for (auto const& result : results) {
        list.push_back(
            {{"status", ledger::status_name(result.status)},
             {"timestamp", std::to_string(result.timestamp)}}
        );
    }
    return {{"results", std::move(list)}};
}

template <class Objects, class Render>
ordered_json list_json(char const* name, Objects const& objects, Render const& render) {
    ordered_json list = ordered_json::array();
    for (auto const& object : objects) {
        list.push_back(render(object));
    }
    return {{name, std::move(list)}};
}

struct AnswerJson {
    ordered_json operator()(ledger::CreateAccountsAnswer const& answer) const {
        return results_json(answer.results);
    }
    ordered_json operator()(ledger::CreateTransfersAnswer const& answer) const {
        return results_json(answer.results);
    }
    ordered_json operator()(ledger::AdvanceClockAnswer const&) const {
        return ordered_json::object();
    }
    ordered_json operator()(ledger::Receipt const& receipt) const {
        return {
            {"status", ledger::status_name(receipt.status)},
            {"sequence", std::to_string(receipt.sequence)}
        };
    }
    ordered_json operator()(ledger::AccountsAnswer const& answer) const {
        return list_json("accounts", answer.accounts, account_json);
    }
    ordered_json operator()(ledger::TransfersAnswer const& answer) const {
        return list_json("transfers", answer.transfers, transfer_json);
    }
    ordered_json operator()(ledger::BalancesAnswer const& answer) const {
        return list_json("balances", answer.balances, balance_json);
    }
};

}  // namespace

std::expected<ledger::Request, JsonError> parse_request(std::string_view line) {
    try {
        json const request = json::parse(line);
        if (!request.is_object() || request.size() != 1) {
            refuse("unknown_request", "expected an object with one request");
        }
        return read_request(request.begin().key(), request.begin().value());
    } catch (Refused& refused) {
        return std::unexpected{std::move(refused.error)};
    } catch (json::exception const& error) {
        return std::unexpected{JsonError{"malformed_json", error.what()}};
    }
}

std::string render_answer(ledger::Answer const& answer) {
    return std::visit(AnswerJson{}, answer).dump();
}

std::string render_error(std::string_view code, std::string_view message, std::uint64_t line) {
    ordered_json const error = {{"error", {{"code", code}, {"message", message}, {"line", line}}}};
    return error.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace florin::tools
