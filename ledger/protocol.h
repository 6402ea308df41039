// The binary batch protocol of ledger clients: frames, bodies, errors. This file is the format;
// docs/ledger-protocol.md tells the same with byte tables, for those who write a client.
//
//   connection := hello answer (request | answer)*     requests one way, answers the other, in
//   order frame      := header body header     := 64 bytes, FrameHeader below; the same in every
//   version of the protocol body       := element{header.count}, or text in an answer with an error
//
//   operation              element of a request         element of an answer
//   hello                  Hello                        HelloAnswer
//   head                   -                            Head
//   create_accounts        Account                      EventResult
//   create_transfers       Transfer                     EventResult
//   lookup_accounts        id, u128                     Account
//   lookup_transfers       id, u128                     Transfer
//   get_account_transfers  AccountFilter, exactly one   Transfer
//   get_account_balances   AccountFilter, exactly one   AccountBalance
//   query_accounts         QueryFilter, exactly one     Account
//   query_transfers        QueryFilter, exactly one     Transfer
//
// Everything is little-endian, without padding; reserved bytes are zero, and a frame in which they
// are not is refused. Account and Transfer are those of types.h, byte for byte: a body is read
// straight into the request that the ledger decides, and an answer is written from where it lies.
// Both checksums are CRC-32C: that of the header is tested before its length is believed.
//
// A header that cannot be believed, or whose body is too long to skip, ends the connection; what is
// wrong with a body refuses that request and no other.
//
// No sockets here. Thread rule: pure functions and values.
#pragma once

#include "ledger/base/bytes.h"
#include "ledger/command.h"

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace florin::ledger::protocol {

inline constexpr std::array<char, 8> kMagic{'F', 'L', 'O', 'R', 'I', 'N', 'L', 'P'};
// Versions that this build speaks. A hello always carries kHelloVersion in its header.
inline constexpr std::uint16_t kHelloVersion = 1;
inline constexpr std::uint16_t kVersionMin = 1;
inline constexpr std::uint16_t kVersionMax = 1;
inline constexpr std::size_t kBodyBytesMax = 1U << 20U;
inline constexpr std::size_t kErrorBytesMax = 1'024;
inline constexpr std::size_t kTokenBytesMin = 16;
inline constexpr std::size_t kTokenBytesMax = 128;

// Numbers are never reused. An answer carries the number of its request with kAnswerBit set.
enum class Operation : std::uint16_t {
    hello = 1,
    head = 2,
    create_accounts = 16,
    create_transfers = 17,
    lookup_accounts = 18,
    lookup_transfers = 19,
    get_account_transfers = 20,
    get_account_balances = 21,
    query_accounts = 22,
    query_transfers = 23,
};
inline constexpr std::uint16_t kAnswerBit = 0x8000;

// Why a request, or the connection, was refused. Numbers are never reused.
enum class ErrorCode : std::uint32_t {
    none = 0,
    malformed = 1,            // never right with these bytes
    unsupported_version = 2,  // no version that both sides speak, or not the one agreed on
    unknown_operation = 3,    // this version has no such operation
    too_many_events = 4,      // more than kBatchEventsMax, or a body of more than kBodyBytesMax
    unauthenticated = 5,      // no hello, a wrong token, or another user's process
    overloaded = 6,           // not executed and never will be: send it again later
    closing = 7,              // the outcome is not known here: connect again and repeat
    failed = 8,               // the ledger could not read what it needed; nothing was created
};
std::string_view error_name(ErrorCode code);

struct FrameHeader {
    std::array<char, 8> magic = kMagic;
    std::uint16_t version = kVersionMax;
    std::uint16_t operation = 0;
    std::uint32_t count = 0;       // elements in the body
    std::uint64_t request_id = 0;  // the client's choice, not 0; the answer repeats it
    std::uint32_t body_length = 0;
    std::uint32_t error = 0;  // ErrorCode; 0 in a request, and in an answer that is none
    std::array<unsigned char, 24> reserved{};
    std::uint32_t body_checksum = 0;    // CRC-32C of the body; 0 where there is none
    std::uint32_t header_checksum = 0;  // CRC-32C of the 60 bytes before

    friend bool operator==(FrameHeader const&, FrameHeader const&) = default;
};
static_assert(sizeof(FrameHeader) == 64);
static_assert(std::has_unique_object_representations_v<FrameHeader>);

struct Hello {
    std::uint16_t version_min = kVersionMin;
    std::uint16_t version_max = kVersionMax;
    std::uint16_t token_length = 0;  // bytes; 0: no token
    std::array<unsigned char, 58> reserved{};
    std::array<char, kTokenBytesMax> token{};  // zero behind its length
};
static_assert(sizeof(Hello) == 192);
static_assert(std::has_unique_object_representations_v<Hello>);

struct HelloAnswer {
    std::uint16_t version = 0;  // of every frame from here on
    std::uint16_t reserved_16 = 0;
    std::uint32_t events_max = 0;      // elements in a request
    std::uint32_t body_bytes_max = 0;  // of a request
    std::uint32_t in_flight_max = 0;   // requests that are read before the first is answered
    std::array<unsigned char, 16> ledger_id{};
    std::array<char, 32> software{};  // "florind 0.1.0", zero behind its end
    std::array<unsigned char, 64> reserved{};
};
static_assert(sizeof(HelloAnswer) == 128);
static_assert(std::has_unique_object_representations_v<HelloAnswer>);

struct Head {
    std::uint64_t sequence = 0;  // of the journal's last record
    std::array<unsigned char, 32> hash{};
    std::array<unsigned char, 24> reserved{};
};
static_assert(sizeof(Head) == 64);
static_assert(std::has_unique_object_representations_v<Head>);

struct EventResult {
    std::uint64_t timestamp = 0;
    std::uint32_t status = 0;  // CreateAccountStatus or CreateTransferStatus
    std::uint32_t reserved = 0;

    friend bool operator==(EventResult const&, EventResult const&) = default;
};
static_assert(sizeof(EventResult) == 16);
static_assert(std::has_unique_object_representations_v<EventResult>);

struct AccountFilter {
    u128 account_id = 0;
    u128 user_data_128 = 0;
    std::uint64_t user_data_64 = 0;
    std::uint32_t user_data_32 = 0;
    std::uint16_t code = 0;
    std::array<unsigned char, 58> reserved{};
    std::uint64_t timestamp_min = 0;
    std::uint64_t timestamp_max = 0;
    std::uint32_t limit = 0;
    std::uint32_t flags = 0;  // kFilterDebits, kFilterCredits, kFilterReversed
};
static_assert(sizeof(AccountFilter) == 128);
static_assert(std::has_unique_object_representations_v<AccountFilter>);

struct QueryFilter {
    u128 user_data_128 = 0;
    std::uint64_t user_data_64 = 0;
    std::uint32_t user_data_32 = 0;
    std::uint32_t ledger = 0;
    std::uint16_t code = 0;
    std::array<unsigned char, 6> reserved{};
    std::uint64_t timestamp_min = 0;
    std::uint64_t timestamp_max = 0;
    std::uint32_t limit = 0;
    std::uint32_t flags = 0;  // kQueryReversed
};
static_assert(sizeof(QueryFilter) == 64);
static_assert(std::has_unique_object_representations_v<QueryFilter>);

struct AccountBalance {
    u128 debits_pending = 0;
    u128 debits_posted = 0;
    u128 credits_pending = 0;
    u128 credits_posted = 0;
    std::uint64_t timestamp = 0;
    std::array<unsigned char, 56> reserved{};

    friend bool operator==(AccountBalance const&, AccountBalance const&) = default;
};
static_assert(sizeof(AccountBalance) == 128);
static_assert(std::has_unique_object_representations_v<AccountBalance>);

// The statuses' numbers are part of the protocol. tests/ledger/protocol_test.cc compares all of
// them with the tables of docs/ledger-protocol.md; these hold the ends of both enums in place.
static_assert(static_cast<int>(CreateAccountStatus::exists) == 18);
static_assert(
    static_cast<int>(CreateAccountStatus::imported_event_timestamp_must_not_regress) == 26
);
static_assert(static_cast<int>(CreateTransferStatus::exists) == 22);
static_assert(static_cast<int>(CreateTransferStatus::exceeds_debits) == 67);
static_assert(kFilterDebits == 1 && kFilterCredits == 2 && kFilterReversed == 4);
static_assert(kQueryReversed == 1);

template <class Struct>
ByteView bytes_of(Struct const& value) {
    static_assert(std::has_unique_object_representations_v<Struct>);
    return {reinterpret_cast<char const*>(&value), sizeof value};
}
template <class Struct>
ByteView bytes_of(std::span<Struct const> values) {
    static_assert(std::has_unique_object_representations_v<Struct>);
    return {reinterpret_cast<char const*>(values.data()), values.size_bytes()};
}

// Fills length and checksums.
FrameHeader seal(FrameHeader header, ByteView body);

// Checks magic, checksum and reserved bytes; version and operation are the caller's to judge.
// Errc::malformed says which of them is wrong. `bytes` are 64.
Result<FrameHeader> read_header(ByteView bytes);

// A request that is not executed.
struct Refusal {
    ErrorCode code = ErrorCode::malformed;
    std::string text;
    bool ends_connection = false;  // what follows cannot be told from the body
};

// What the header of a request shows to be wrong, before anything is allocated for its body.
std::optional<Refusal> check_request(FrameHeader const& header);

// A request's body on its way in: room for its bytes, then the request.
//
//   check_request(header);                      a Refusal: skip header.body_length bytes, or close
//   RequestBody body{header};
//   read(body.space());
//   auto request = std::move(body).take(header);
class RequestBody {
public:
    // Of a header that check_request let pass.
    explicit RequestBody(FrameHeader const& header);

    // header.body_length bytes; the same until take().
    std::span<char> space();
    // Refuses a body that differs from its checksum, and what is not for the ledger: hello, head.
    std::expected<Request, Refusal> take(FrameHeader const& header) &&;

private:
    std::variant<std::monostate, Request, AccountFilter, QueryFilter, Hello> into_;
};

// The body of a hello. Its answer's version, or why there is none.
std::expected<Hello, Refusal> read_hello(FrameHeader const& header, ByteView body);
std::expected<std::uint16_t, Refusal> agree_on_version(Hello const& hello);

// An answer as it goes out. Owns what its body points at.
class AnswerFrame {
public:
    // What the ledger said to a request with this header.
    static AnswerFrame of(FrameHeader const& request, Answer answer);
    static AnswerFrame of(FrameHeader const& request, HelloAnswer const& answer);
    static AnswerFrame of(FrameHeader const& request, Head const& answer);
    // Texts longer than kErrorBytesMax are cut.
    static AnswerFrame refusal(FrameHeader const& request, ErrorCode code, std::string text);

    FrameHeader const& header() const { return header_; }
    ByteView body() const;

private:
    using Body = std::variant<
        std::string,
        std::vector<EventResult>,
        std::vector<Account>,
        std::vector<Transfer>,
        std::vector<AccountBalance>>;
    AnswerFrame(FrameHeader const& request, ErrorCode error, std::size_t count, Body body);

    FrameHeader header_;
    Body body_;
};

// Whether this is the answer to that request, with a body of whole elements of the right kind and
// number. An answer with an error is one too. Errc::malformed names what does not fit.
Result<void> check_answer(FrameHeader const& request, FrameHeader const& answer);
// Errc::corrupt where the body is not the one that the header's checksum was made of.
Result<void> check_body(FrameHeader const& header, ByteView body);

}  // namespace florin::ledger::protocol
