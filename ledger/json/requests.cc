#include "ledger/json/requests.h"

#include "ledger/json/flags.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <optional>

namespace florin::ledger {
namespace {

using nlohmann::json;

// Thrown inside this file only; parse_request turns it into a JsonError.
struct Refused {
    JsonError error;
};
[[noreturn]] void refuse(std::string code, std::string message) {
    throw Refused{{std::move(code), std::move(message)}};
}

// A value as an error repeats it. Writing recurses, reading does not: what is nested without end
// must not end the program.
std::string shown(json const& value) {
    constexpr std::size_t kDepthMax = 100;
    std::vector<std::pair<json const*, std::size_t>> open{{&value, 1}};
    while (!open.empty()) {
        auto const [each, depth] = open.back();
        open.pop_back();
        if (depth > kDepthMax) {
            return "a value nested more than " + std::to_string(kDepthMax) + " deep";
        }
        if (each->is_structured()) {
            for (json const& inner : *each) {
                if (inner.is_structured()) {
                    open.emplace_back(&inner, depth + 1);
                }
            }
        }
    }
    return value.dump();
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
            name + ": expected an integer from 0 to " + to_string(most) + ", got " + shown(value)
        );
    }
    return *number;
}

std::uint64_t read_flags(json const& value, std::string const& name, FlagNames names) {
    if (!value.is_array()) {
        u128 const mask = read_number(value, name, std::numeric_limits<std::uint64_t>::max());
        return mask > std::numeric_limits<std::uint16_t>::max() ? kUnknownFlag : low_bits(mask);
    }
    std::uint64_t mask = 0;
    for (json const& each : value) {
        if (!each.is_string()) {
            refuse("bad_value", name + ": expected names of flags, got " + shown(each));
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
            refuse("bad_value", where_ + ": expected an object, got " + shown(object));
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
    void flags(Integer& into, FlagNames names) {
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
        refuse("bad_value", name + ": expected a list, got " + shown(value));
    }
    if (value.size() > kBatchEventsMax) {
        refuse(
            "too_many_events",
            name + ": " + std::to_string(value.size()) + " events, at most " +
                std::to_string(kBatchEventsMax)
        );
    }
    return value;
}

template <class Wanted, class Read>
Request read_events(json const& value, std::string const& name, Read const& read) {
    Wanted request;
    std::size_t index = 0;
    for (json const& each : read_list(value, name)) {
        request.events.push_back(read(each, name + "[" + std::to_string(index++) + "]"));
    }
    return request;
}

template <class Wanted>
Request read_ids(json const& value, std::string const& name) {
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
Request read_account_filter(json const& value, std::string const& name) {
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
Request read_query_filter(json const& value, std::string const& name) {
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

Request read_request(std::string const& name, json const& value) {
    if (name == "create_accounts") {
        return read_events<CreateAccounts>(value, name, read_account);
    }
    if (name == "create_transfers") {
        return read_events<CreateTransfers>(value, name, read_transfer);
    }
    if (name == "lookup_accounts") {
        return read_ids<LookupAccounts>(value, name);
    }
    if (name == "lookup_transfers") {
        return read_ids<LookupTransfers>(value, name);
    }
    if (name == "get_account_transfers") {
        return read_account_filter<GetAccountTransfers>(value, name);
    }
    if (name == "get_account_balances") {
        return read_account_filter<GetAccountBalances>(value, name);
    }
    if (name == "query_accounts") {
        return read_query_filter<QueryAccounts>(value, name);
    }
    if (name == "query_transfers") {
        return read_query_filter<QueryTransfers>(value, name);
    }
    if (name == "advance_clock") {
        AdvanceClock request;
        Fields fields{value, name};
        fields.number("ns", request.ns);
        fields.finish();
        return request;
    }
    refuse("unknown_request", "no request '" + name + "'");
}

}  // namespace

std::expected<Request, JsonError> parse_request(std::string_view line) {
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

std::string render_error(std::string_view code, std::string_view message, std::uint64_t line) {
    nlohmann::ordered_json const error = {
        {"error", {{"code", code}, {"message", message}, {"line", line}}}
    };
    return error.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace florin::ledger
