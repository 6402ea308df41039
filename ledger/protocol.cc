#include "ledger/protocol.h"

#include "ledger/base/check.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace florin::ledger::protocol {
namespace {

constexpr std::size_t kHeaderChecked = sizeof(FrameHeader) - sizeof(std::uint32_t);

// Bytes of one element each way; nullopt: no such operation.
struct Shape {
    std::size_t request;
    std::size_t answer;
    bool is_single;  // exactly one element in the request
};
std::optional<Shape> shape_of(std::uint16_t operation) {
    switch (static_cast<Operation>(operation)) {
        case Operation::hello: return Shape{sizeof(Hello), sizeof(HelloAnswer), true};
        case Operation::head: return Shape{0, sizeof(Head), false};
        case Operation::create_accounts: return Shape{sizeof(Account), sizeof(EventResult), false};
        case Operation::create_transfers:
            return Shape{sizeof(Transfer), sizeof(EventResult), false};
        case Operation::lookup_accounts: return Shape{sizeof(u128), sizeof(Account), false};
        case Operation::lookup_transfers: return Shape{sizeof(u128), sizeof(Transfer), false};
        case Operation::get_account_transfers:
            return Shape{sizeof(AccountFilter), sizeof(Transfer), true};
        case Operation::get_account_balances:
            return Shape{sizeof(AccountFilter), sizeof(AccountBalance), true};
        case Operation::query_accounts: return Shape{sizeof(QueryFilter), sizeof(Account), true};
        case Operation::query_transfers: return Shape{sizeof(QueryFilter), sizeof(Transfer), true};
    }
    return std::nullopt;
}

template <std::size_t N>
bool is_zero(std::array<unsigned char, N> const& bytes) {
    return std::ranges::all_of(bytes, [](unsigned char byte) { return byte == 0; });
}

Refusal malformed(std::string text) {
    return {.code = ErrorCode::malformed, .text = std::move(text)};
}

std::optional<Refusal> judge_checksum(FrameHeader const& header, ByteView body) {
    if (auto const checked = check_body(header, body); !checked) {
        return malformed(checked.error().context);
    }
    return std::nullopt;
}

template <class Value>
std::span<char> room_of(std::vector<Value>& values) {
    return {reinterpret_cast<char*>(values.data()), values.size() * sizeof(Value)};
}
template <class Struct>
    requires std::has_unique_object_representations_v<Struct>
std::span<char> room_of(Struct& value) {
    return {reinterpret_cast<char*>(&value), sizeof value};
}
std::span<char> room_of(std::monostate&) {
    return {};
}
std::span<char> room_of(Request& request) {
    if (auto* const accounts = std::get_if<CreateAccounts>(&request)) {
        return room_of(accounts->events);
    }
    if (auto* const transfers = std::get_if<CreateTransfers>(&request)) {
        return room_of(transfers->events);
    }
    if (auto* const accounts = std::get_if<LookupAccounts>(&request)) {
        return room_of(accounts->ids);
    }
    return room_of(std::get<LookupTransfers>(request).ids);
}

ledger::AccountFilter to_kernel(AccountFilter const& filter) {
    return {
        .account_id = filter.account_id,
        .user_data_128 = filter.user_data_128,
        .user_data_64 = filter.user_data_64,
        .user_data_32 = filter.user_data_32,
        .code = filter.code,
        .timestamp_min = filter.timestamp_min,
        .timestamp_max = filter.timestamp_max,
        .limit = filter.limit,
        .flags = filter.flags,
    };
}
ledger::QueryFilter to_kernel(QueryFilter const& filter) {
    return {
        .user_data_128 = filter.user_data_128,
        .user_data_64 = filter.user_data_64,
        .user_data_32 = filter.user_data_32,
        .ledger = filter.ledger,
        .code = filter.code,
        .timestamp_min = filter.timestamp_min,
        .timestamp_max = filter.timestamp_max,
        .limit = filter.limit,
        .flags = filter.flags,
    };
}

std::expected<Request, Refusal> filtered(std::uint16_t operation, AccountFilter const& filter) {
    if (!is_zero(filter.reserved)) {
        return std::unexpected{malformed("reserved bytes of the filter are not zero")};
    }
    if (operation == static_cast<std::uint16_t>(Operation::get_account_transfers)) {
        return GetAccountTransfers{to_kernel(filter)};
    }
    return GetAccountBalances{to_kernel(filter)};
}
std::expected<Request, Refusal> filtered(std::uint16_t operation, QueryFilter const& filter) {
    if (!is_zero(filter.reserved)) {
        return std::unexpected{malformed("reserved bytes of the filter are not zero")};
    }
    if (operation == static_cast<std::uint16_t>(Operation::query_accounts)) {
        return QueryAccounts{to_kernel(filter)};
    }
    return QueryTransfers{to_kernel(filter)};
}

template <class Status>
std::vector<EventResult> to_wire(std::vector<ledger::EventResult<Status>> const& results) {
    std::vector<EventResult> wire(results.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
        wire[i].timestamp = results[i].timestamp;
        wire[i].status = static_cast<std::uint32_t>(results[i].status);
    }
    return wire;
}
std::vector<AccountBalance> to_wire(std::vector<ledger::AccountBalance> const& balances) {
    std::vector<AccountBalance> wire(balances.size());
    for (std::size_t i = 0; i < balances.size(); ++i) {
        wire[i].debits_pending = balances[i].debits_pending;
        wire[i].debits_posted = balances[i].debits_posted;
        wire[i].credits_pending = balances[i].credits_pending;
        wire[i].credits_posted = balances[i].credits_posted;
        wire[i].timestamp = balances[i].timestamp;
    }
    return wire;
}

}  // namespace

std::string_view error_name(ErrorCode code) {
    switch (code) {
        case ErrorCode::none: return "none";
        case ErrorCode::malformed: return "malformed";
        case ErrorCode::unsupported_version: return "unsupported_version";
        case ErrorCode::unknown_operation: return "unknown_operation";
        case ErrorCode::too_many_events: return "too_many_events";
        case ErrorCode::unauthenticated: return "unauthenticated";
        case ErrorCode::overloaded: return "overloaded";
        case ErrorCode::closing: return "closing";
        case ErrorCode::failed: return "failed";
    }
    return "unknown";
}

FrameHeader seal(FrameHeader header, ByteView body) {
    header.body_length = static_cast<std::uint32_t>(body.size());
    header.body_checksum = body.empty() ? 0 : crc32c(body);
    header.header_checksum = crc32c(bytes_of(header).substr(0, kHeaderChecked));
    return header;
}

Result<FrameHeader> read_header(ByteView bytes) {
    FLORIN_CHECK(bytes.size() == sizeof(FrameHeader), "a frame's header of another size");
    FrameHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic != kMagic) {
        return fail(Errc::malformed, "the frame does not begin with FLORINLP");
    }
    if (header.header_checksum != crc32c(bytes.substr(0, kHeaderChecked))) {
        return fail(Errc::malformed, "the checksum of the frame's header differs");
    }
    if (!is_zero(header.reserved)) {
        return fail(Errc::malformed, "reserved bytes of the frame's header are not zero");
    }
    return header;
}

std::optional<Refusal> check_request(FrameHeader const& header) {
    bool const is_skippable = header.body_length <= kBodyBytesMax;
    auto const refuse = [&](ErrorCode code, std::string text) {
        return Refusal{.code = code, .text = std::move(text), .ends_connection = !is_skippable};
    };
    if (header.error != 0) {
        return refuse(ErrorCode::malformed, "the error of a request is not 0");
    }
    if (header.request_id == 0) {
        return refuse(ErrorCode::malformed, "the request_id is 0");
    }
    auto const shape = shape_of(header.operation);
    if (!shape) {
        return refuse(
            ErrorCode::unknown_operation,
            "operation " + std::to_string(header.operation) + " is not known"
        );
    }
    if (header.count > kBatchEventsMax || !is_skippable) {
        return refuse(
            ErrorCode::too_many_events,
            std::to_string(header.count) + " elements in " + std::to_string(header.body_length) +
                " bytes; at most " + std::to_string(kBatchEventsMax) + " in " +
                std::to_string(kBodyBytesMax)
        );
    }
    if (header.body_length != header.count * shape->request) {
        return refuse(
            ErrorCode::malformed,
            std::to_string(header.count) + " elements of " + std::to_string(shape->request) +
                " bytes do not make a body of " + std::to_string(header.body_length)
        );
    }
    if ((shape->is_single && header.count != 1) || (shape->request == 0 && header.count != 0)) {
        return refuse(
            ErrorCode::malformed,
            "operation " + std::to_string(header.operation) + " takes " +
                (shape->is_single ? "one element" : "no elements") + ", not " +
                std::to_string(header.count)
        );
    }
    return std::nullopt;
}

RequestBody::RequestBody(FrameHeader const& header) {
    switch (static_cast<Operation>(header.operation)) {
        case Operation::create_accounts:
            into_ = Request{CreateAccounts{std::vector<Account>(header.count)}};
            return;
        case Operation::create_transfers:
            into_ = Request{CreateTransfers{std::vector<Transfer>(header.count)}};
            return;
        case Operation::lookup_accounts:
            into_ = Request{LookupAccounts{std::vector<u128>(header.count)}};
            return;
        case Operation::lookup_transfers:
            into_ = Request{LookupTransfers{std::vector<u128>(header.count)}};
            return;
        case Operation::get_account_transfers:
        case Operation::get_account_balances: into_ = AccountFilter{}; return;
        case Operation::query_accounts:
        case Operation::query_transfers: into_ = QueryFilter{}; return;
        case Operation::hello: into_ = Hello{}; return;
        case Operation::head: return;
    }
}

std::span<char> RequestBody::space() {
    return std::visit([](auto& each) { return room_of(each); }, into_);
}

std::expected<Request, Refusal> RequestBody::take(FrameHeader const& header) && {
    auto const room = space();
    if (auto refusal = judge_checksum(header, {room.data(), room.size()})) {
        return std::unexpected{std::move(*refusal)};
    }
    if (auto* const request = std::get_if<Request>(&into_)) {
        return std::move(*request);
    }
    if (auto const* const filter = std::get_if<AccountFilter>(&into_)) {
        return filtered(header.operation, *filter);
    }
    if (auto const* const filter = std::get_if<QueryFilter>(&into_)) {
        return filtered(header.operation, *filter);
    }
    return std::unexpected{malformed("a hello comes once, and a head is not for the ledger")};
}

std::expected<Hello, Refusal> read_hello(FrameHeader const& header, ByteView body) {
    auto refusal = check_request(header);
    if (!refusal) {
        refusal = judge_checksum(header, body);
    }
    if (refusal) {
        refusal->ends_connection = true;
        return std::unexpected{std::move(*refusal)};
    }
    Hello hello;
    FLORIN_CHECK(body.size() == sizeof hello, "a hello of another size");
    std::memcpy(&hello, body.data(), sizeof hello);
    auto const end = [](std::string text) {
        Refusal wrong = malformed(std::move(text));
        wrong.ends_connection = true;
        return std::unexpected{std::move(wrong)};
    };
    if (!is_zero(hello.reserved)) {
        return end("reserved bytes of the hello are not zero");
    }
    if (hello.token_length > kTokenBytesMax) {
        return end("a token of more than " + std::to_string(kTokenBytesMax) + " bytes");
    }
    auto const behind = std::span{hello.token}.subspan(hello.token_length);
    if (std::ranges::any_of(behind, [](char byte) { return byte != 0; })) {
        return end("bytes behind the token are not zero");
    }
    return hello;
}

std::expected<std::uint16_t, Refusal> agree_on_version(Hello const& hello) {
    std::uint16_t const version = std::min(hello.version_max, kVersionMax);
    if (version < hello.version_min || version < kVersionMin) {
        return std::unexpected{Refusal{
            .code = ErrorCode::unsupported_version,
            .text = "versions " + std::to_string(hello.version_min) + " to " +
                    std::to_string(hello.version_max) + " were offered; spoken are " +
                    std::to_string(kVersionMin) + " to " + std::to_string(kVersionMax),
            .ends_connection = true,
        }};
    }
    return version;
}

AnswerFrame::AnswerFrame(FrameHeader const& request, ErrorCode error, std::size_t count, Body body)
    : body_{std::move(body)} {
    header_.version = request.version;
    header_.operation = request.operation | kAnswerBit;
    header_.count = static_cast<std::uint32_t>(count);
    header_.request_id = request.request_id;
    header_.error = static_cast<std::uint32_t>(error);
    header_ = seal(header_, this->body());
}

AnswerFrame AnswerFrame::of(FrameHeader const& request, Answer answer) {
    auto const frame = [&](auto values) {
        std::size_t const count = values.size();
        return AnswerFrame{request, ErrorCode::none, count, std::move(values)};
    };
    if (auto const* const accounts = std::get_if<CreateAccountsAnswer>(&answer)) {
        return frame(to_wire(accounts->results));
    }
    if (auto const* const transfers = std::get_if<CreateTransfersAnswer>(&answer)) {
        return frame(to_wire(transfers->results));
    }
    if (auto* const accounts = std::get_if<AccountsAnswer>(&answer)) {
        return frame(std::move(accounts->accounts));
    }
    if (auto* const transfers = std::get_if<TransfersAnswer>(&answer)) {
        return frame(std::move(transfers->transfers));
    }
    return frame(to_wire(std::get<BalancesAnswer>(answer).balances));
}

AnswerFrame AnswerFrame::of(FrameHeader const& request, HelloAnswer const& answer) {
    return {request, ErrorCode::none, 1, std::string{bytes_of(answer)}};
}

AnswerFrame AnswerFrame::of(FrameHeader const& request, Head const& answer) {
    return {request, ErrorCode::none, 1, std::string{bytes_of(answer)}};
}

AnswerFrame AnswerFrame::refusal(FrameHeader const& request, ErrorCode code, std::string text) {
    text.resize(std::min(text.size(), kErrorBytesMax));
    return {request, code, 0, std::move(text)};
}

ByteView AnswerFrame::body() const {
    if (auto const* const text = std::get_if<std::string>(&body_)) {
        return *text;
    }
    auto const view_of = [](auto const& values) -> ByteView {
        return {
            reinterpret_cast<char const*>(values.data()),
            values.size() * sizeof(typename std::remove_cvref_t<decltype(values)>::value_type)
        };
    };
    return std::visit(view_of, body_);
}

Result<void> check_answer(FrameHeader const& request, FrameHeader const& answer) {
    auto const wrong = [&](std::string const& what) {
        return fail(
            Errc::malformed,
            "the answer to request " + std::to_string(request.request_id) + ": " + what
        );
    };
    if (answer.request_id != request.request_id) {
        return wrong("is for request " + std::to_string(answer.request_id));
    }
    if (answer.operation != (request.operation | kAnswerBit)) {
        return wrong("is of operation " + std::to_string(answer.operation));
    }
    if (answer.error != 0) {
        if (answer.body_length > kErrorBytesMax || answer.count != 0) {
            return wrong("is an error with a body of " + std::to_string(answer.body_length));
        }
        return {};
    }
    auto const shape = shape_of(request.operation);
    if (!shape || answer.count > kBatchEventsMax ||
        answer.body_length != answer.count * shape->answer) {
        return wrong(
            "has " + std::to_string(answer.count) + " elements in " +
            std::to_string(answer.body_length) + " bytes"
        );
    }
    auto const operation = static_cast<Operation>(request.operation);
    bool const is_create =
        operation == Operation::create_accounts || operation == Operation::create_transfers;
    bool const is_lookup =
        operation == Operation::lookup_accounts || operation == Operation::lookup_transfers;
    bool const is_one = operation == Operation::hello || operation == Operation::head;
    if ((is_create && answer.count != request.count) ||
        (is_lookup && answer.count > request.count) || (is_one && answer.count != 1)) {
        return wrong(
            "has " + std::to_string(answer.count) + " elements for " + std::to_string(request.count)
        );
    }
    return {};
}

Result<void> check_body(FrameHeader const& header, ByteView body) {
    if (body.size() != header.body_length ||
        header.body_checksum != (body.empty() ? 0 : crc32c(body))) {
        return fail(Errc::corrupt, "the checksum of the body differs");
    }
    return {};
}

}  // namespace florin::ledger::protocol
