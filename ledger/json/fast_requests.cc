#include "ledger/json/fast_requests.h"

#include "ledger/json/flags.h"

#include <algorithm>
#include <limits>
#include <simdjson.h>
#include <type_traits>

namespace florin::ledger {
namespace {

namespace dom = simdjson::dom;

// Twice what the largest batch needs, and a bound to what the parser keeps.
constexpr std::size_t kFastBytesMax = 8U << 20U;

// Every function here answers false where parse_request has to look.

template <class Integer>
bool read_number(dom::element value, Integer& into) {
    constexpr u128 most = sizeof(Integer) == 16 ? kU128Max : (u128{1} << (sizeof(Integer) * 8)) - 1;
    u128 number = 0;
    switch (value.type()) {
        case dom::element_type::INT64:  // positive: the line has no minus sign
        case dom::element_type::UINT64: {
            std::uint64_t small = 0;
            if (value.get_uint64().get(small) != simdjson::SUCCESS) {
                return false;
            }
            number = small;
            break;
        }
        case dom::element_type::STRING: {
            std::string_view digits;
            if (value.get_string().get(digits) != simdjson::SUCCESS) {
                return false;
            }
            auto const parsed = parse_u128(digits);
            if (!parsed) {
                return false;
            }
            number = *parsed;
            break;
        }
        case dom::element_type::ARRAY:
        case dom::element_type::OBJECT:
        case dom::element_type::DOUBLE:
        case dom::element_type::BOOL:
        case dom::element_type::NULL_VALUE: return false;
    }
    if (number > most) {
        return false;
    }
    into = static_cast<Integer>(number);
    return true;
}

bool read_flags(dom::element value, FlagNames names, std::uint16_t& into) {
    dom::array list;
    if (value.get_array().get(list) != simdjson::SUCCESS) {
        return read_number(value, into);
    }
    std::uint16_t mask = 0;
    for (dom::element const each : list) {
        std::string_view wanted;
        if (each.get_string().get(wanted) != simdjson::SUCCESS) {
            return false;
        }
        auto const found = std::ranges::find(names, wanted);
        if (found == names.end()) {
            return false;
        }
        mask = static_cast<std::uint16_t>(mask | (1U << (found - names.begin())));
    }
    into = mask;
    return true;
}

// One field of an object: its number, for seeing it twice, and whether it was read.
struct Field {
    unsigned number;
    bool was_read;
};
constexpr Field kNoField{0, false};

Field read_field(std::string_view name, dom::element value, Account& account) {
    if (name == "id") {
        return {0, read_number(value, account.id)};
    }
    if (name == "ledger") {
        return {1, read_number(value, account.ledger)};
    }
    if (name == "code") {
        return {2, read_number(value, account.code)};
    }
    if (name == "flags") {
        return {3, read_flags(value, kAccountFlags, account.flags)};
    }
    if (name == "user_data_128") {
        return {4, read_number(value, account.user_data_128)};
    }
    if (name == "user_data_64") {
        return {5, read_number(value, account.user_data_64)};
    }
    if (name == "user_data_32") {
        return {6, read_number(value, account.user_data_32)};
    }
    if (name == "timestamp") {
        return {7, read_number(value, account.timestamp)};
    }
    return kNoField;
}

Field read_field(std::string_view name, dom::element value, Transfer& transfer) {
    if (name == "id") {
        return {0, read_number(value, transfer.id)};
    }
    if (name == "debit_account_id") {
        return {1, read_number(value, transfer.debit_account_id)};
    }
    if (name == "credit_account_id") {
        return {2, read_number(value, transfer.credit_account_id)};
    }
    if (name == "amount") {
        return {3, read_number(value, transfer.amount)};
    }
    if (name == "ledger") {
        return {4, read_number(value, transfer.ledger)};
    }
    if (name == "code") {
        return {5, read_number(value, transfer.code)};
    }
    if (name == "flags") {
        return {6, read_flags(value, kTransferFlags, transfer.flags)};
    }
    if (name == "pending_id") {
        return {7, read_number(value, transfer.pending_id)};
    }
    if (name == "timeout") {
        return {8, read_number(value, transfer.timeout)};
    }
    if (name == "user_data_128") {
        return {9, read_number(value, transfer.user_data_128)};
    }
    if (name == "user_data_64") {
        return {10, read_number(value, transfer.user_data_64)};
    }
    if (name == "user_data_32") {
        return {11, read_number(value, transfer.user_data_32)};
    }
    if (name == "timestamp") {
        return {12, read_number(value, transfer.timestamp)};
    }
    return kNoField;
}

template <class Event>
bool read_event(dom::element value, Event& event) {
    dom::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) {
        return false;
    }
    unsigned seen = 0;
    for (auto const& [name, member] : object) {
        Field const field = read_field(name, member, event);
        unsigned const bit = 1U << field.number;
        if (!field.was_read || (seen & bit) != 0) {
            return false;
        }
        seen |= bit;
    }
    return true;
}

template <class Wanted>
std::optional<Request> read_events(dom::array list) {
    Wanted request;
    request.events.resize(list.size());
    auto event = request.events.begin();
    for (dom::element const each : list) {
        if (!read_event(each, *event++)) {
            return std::nullopt;
        }
    }
    return request;
}

template <class Wanted>
std::optional<Request> read_ids(dom::array list) {
    Wanted request;
    request.ids.resize(list.size());
    auto id = request.ids.begin();
    for (dom::element const each : list) {
        if (!read_number(each, *id++)) {
            return std::nullopt;
        }
    }
    return request;
}

std::optional<Request> read_request(dom::element document) {
    dom::object request;
    if (document.get_object().get(request) != simdjson::SUCCESS || request.size() != 1) {
        return std::nullopt;
    }
    auto const [name, value] = *request.begin();
    dom::array list;
    if (value.get_array().get(list) != simdjson::SUCCESS || list.size() > kBatchEventsMax) {
        return std::nullopt;
    }
    if (name == "create_transfers") {
        return read_events<CreateTransfers>(list);
    }
    if (name == "create_accounts") {
        return read_events<CreateAccounts>(list);
    }
    if (name == "lookup_transfers") {
        return read_ids<LookupTransfers>(list);
    }
    if (name == "lookup_accounts") {
        return read_ids<LookupAccounts>(list);
    }
    return std::nullopt;
}

}  // namespace

struct FastRequestReader::Parser {
    dom::parser dom{kFastBytesMax};
};

FastRequestReader::FastRequestReader() : parser_{std::make_unique<Parser>()} {}
FastRequestReader::~FastRequestReader() = default;

std::optional<Request> FastRequestReader::read(std::string_view line) {
    if (line.size() > kFastBytesMax) {
        return std::nullopt;
    }
    // simdjson does not tell -0 from 0; nothing that may be negative is taken anyway.
    if (line.find('-') != std::string_view::npos) {
        return std::nullopt;
    }
    dom::element document;
    if (parser_->dom.parse(line.data(), line.size(), true).get(document) != simdjson::SUCCESS) {
        return std::nullopt;
    }
    return read_request(document);
}

}  // namespace florin::ledger
