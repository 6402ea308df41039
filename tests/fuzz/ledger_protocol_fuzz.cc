// Fuzzes what reads a ledger client's frames: the header, requests and hellos; and what a client
// reads of a server: headers of answers.
//
// What is asserted: a header that is accepted is the one that its bytes say; room for a body is as
// long as the header says and never above the bound; a request that is accepted holds the bytes
// that came; what is refused says why. The input is a stream of frames, each also tried with its
// checksums put right, so that what is behind them is reached.
#include "ledger/base/check.h"
#include "ledger/protocol.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace florin::ledger::protocol {
namespace {

void check_refusal(Refusal const& refusal) {
    FLORIN_CHECK(refusal.code != ErrorCode::none, "a refusal without a reason");
    FLORIN_CHECK(!refusal.text.empty(), "a refusal without a word");
}

// The events of a request, as bytes.
ByteView events_of(Request const& request) {
    if (auto const* const accounts = std::get_if<CreateAccounts>(&request)) {
        return bytes_of(std::span{accounts->events});
    }
    if (auto const* const transfers = std::get_if<CreateTransfers>(&request)) {
        return bytes_of(std::span{transfers->events});
    }
    if (auto const* const accounts = std::get_if<LookupAccounts>(&request)) {
        return bytes_of(std::span{accounts->ids});
    }
    if (auto const* const transfers = std::get_if<LookupTransfers>(&request)) {
        return bytes_of(std::span{transfers->ids});
    }
    return {};
}

void read_as_answer(FrameHeader const& header) {
    FrameHeader asked;
    asked.request_id = header.request_id;
    asked.operation = header.operation & static_cast<std::uint16_t>(~kAnswerBit);
    asked.count = kBatchEventsMax;
    if (check_answer(asked, header)) {
        FLORIN_CHECK(header.body_length <= kBodyBytesMax, "an answer without bound");
    }
}

// Answers how many bytes of `rest` the body takes.
std::size_t read_body(FrameHeader const& header, ByteView rest) {
    read_as_answer(header);
    if (auto const refusal = check_request(header)) {
        check_refusal(*refusal);
        return refusal->ends_connection ? rest.size() : header.body_length;
    }
    FLORIN_CHECK(header.body_length <= kBodyBytesMax, "a body without bound");
    ByteView const bytes = rest.substr(0, header.body_length);
    if (bytes.size() < header.body_length) {
        return rest.size();
    }
    if (header.operation == static_cast<std::uint16_t>(Operation::hello)) {
        auto const hello = read_hello(header, bytes);
        if (!hello) {
            check_refusal(hello.error());
        } else if (auto const version = agree_on_version(*hello); !version) {
            check_refusal(version.error());
        }
    }
    RequestBody body{header};
    FLORIN_CHECK(body.space().size() == header.body_length, "room of another size");
    std::ranges::copy(bytes, body.space().begin());
    auto const request = std::move(body).take(header);
    if (!request) {
        check_refusal(request.error());
        return header.body_length;
    }
    auto const events = events_of(*request);
    FLORIN_CHECK(events.empty() || events == bytes, "events differ from their bytes");
    return header.body_length;
}

void read_frame(ByteView& stream, bool put_right) {
    std::string bytes{stream.substr(0, sizeof(FrameHeader))};
    stream.remove_prefix(sizeof(FrameHeader));
    if (put_right) {
        FrameHeader wanted;
        std::memcpy(&wanted, bytes.data(), sizeof wanted);
        wanted.magic = kMagic;
        wanted.reserved = {};
        auto const length = wanted.body_length;
        wanted = seal(wanted, stream.substr(0, length));
        wanted.body_length = length;
        wanted.header_checksum = crc32c(bytes_of(wanted).substr(0, 60));
        bytes = bytes_of(wanted);
    }
    auto const header = read_header(bytes);
    if (!header) {
        FLORIN_CHECK(header.error().code == Errc::malformed, "wrong kind of error");
        stream = {};
        return;
    }
    FLORIN_CHECK(bytes_of(*header) == bytes, "a header differs");
    stream.remove_prefix(std::min(stream.size(), read_body(*header, stream)));
}

}  // namespace
}  // namespace florin::ledger::protocol

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    for (bool const put_right : {false, true}) {
        florin::ByteView stream{reinterpret_cast<char const*>(data), size};
        while (stream.size() >= sizeof(florin::ledger::protocol::FrameHeader)) {
            florin::ledger::protocol::read_frame(stream, put_right);
        }
    }
    return 0;
}
