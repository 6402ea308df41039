// Fuzzes what reads stored records: the header, and the effects.
//
// What is asserted: a header that is accepted is the one that its bytes say, and says how long its
// body is; effects are read to their end or refused, every one makes progress, and one that was
// read is written back to the same bytes. The first byte of the input picks the parser; headers are
// also tried with their checksum put right, so that the fields behind it are reached.
#include "ledger/base/check.h"
#include "ledger/effects.h"
#include "ledger/record.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace florin::ledger {
namespace {

void read_header(ByteView bytes) {
    auto const header = decode_header(bytes);
    if (!header) {
        bool const expected =
            header.error().code == Errc::corrupt || header.error().code == Errc::unsupported;
        FLORIN_CHECK(expected, "wrong kind of error");
        return;
    }
    FLORIN_CHECK(
        std::memcmp(&*header, bytes.data(), sizeof(RecordHeader)) == 0, "a header differs"
    );
    FLORIN_CHECK(header->body_length <= kRecordBytesMax, "a body without bound");
    FLORIN_CHECK(header->count * sizeof(Transfer) <= header->body_length, "transfers do not fit");
}

// A whole record: header, transfers, effects.
void read_record(ByteView bytes) {
    if (bytes.size() < sizeof(RecordHeader)) {
        return;
    }
    std::string header{bytes.substr(0, sizeof(RecordHeader))};
    read_header(header);
    std::uint32_t const checksum = crc32c(ByteView{header}.substr(0, 124));
    std::memcpy(header.data() + 124, &checksum, sizeof checksum);
    read_header(header);
    ByteView const body = bytes.substr(sizeof(RecordHeader));
    std::size_t const transfers = body.size() / sizeof(Transfer) * sizeof(Transfer);
    Journal::StoredRecord const stored{
        .header = header,
        .transfers = body.substr(0, transfers),
        .effects = body.substr(transfers),
        .payloads = {},
    };
    auto const decoded = decode_header(header);
    auto const checked = check_record(
        stored,
        decoded ? decoded->ledger_id : std::array<unsigned char, 16>{},
        decoded ? Position{decoded->sequence - 1, decoded->prev_hash} : Position{},
        0
    );
    FLORIN_CHECK(!checked || decoded, "a record without a header");
}

void read_effects(ByteView bytes) {
    EffectReader reader{bytes};
    std::string again;
    while (!reader.at_end()) {
        auto const effect = reader.next();
        if (!effect) {
            bool const expected =
                effect.error().code == Errc::malformed || effect.error().code == Errc::unsupported;
            FLORIN_CHECK(expected, "wrong kind of error");
            return;
        }
        std::size_t const before = again.size();
        encode_effect(again, *effect);
        FLORIN_CHECK(again.size() > before, "an effect without bytes");
        FLORIN_CHECK(
            bytes.substr(before, again.size() - before) == ByteView{again}.substr(before),
            "an effect is written back to other bytes"
        );
    }
    FLORIN_CHECK(again == bytes, "effects do not come back");
}

}  // namespace
}  // namespace florin::ledger

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    florin::ByteView const input{reinterpret_cast<char const*>(data) + 1, size - 1};
    if (data[0] % 2 == 0) {
        florin::ledger::read_record(input);
    } else {
        florin::ledger::read_effects(input);
    }
    return 0;
}
