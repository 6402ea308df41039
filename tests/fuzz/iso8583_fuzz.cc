// Fuzzes the ISO 8583 codec and its framing, in every packaging of conf/ and in other dresses.
//
// What is asserted: a decoded message encodes; its bytes decode to the same message and encode to
// themselves; its printable form never holds its card number; frames come out alike in one piece
// and byte by byte. The first byte of the input picks the packaging and the parser.
#include "connectors/iso8583/codec.h"
#include "connectors/iso8583/codec_framing.h"
#include "ledger/base/check.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace florin::connectors::iso8583 {
namespace {

Packaging from_conf(char const* name) {
    auto packaging = load_packaging(std::string{FLORIN_SOURCE_DIR "/conf/iso8583/"} + name);
    FLORIN_CHECK(packaging.has_value(), "a packaging of conf/ is malformed");
    return std::move(*packaging);
}

// The corpus knows them by their place.
constexpr std::size_t kPackagings = 9;

std::array<Packaging, kPackagings> const& packagings() {
    static std::array<Packaging, kPackagings> const all = [] {
        std::array<Packaging, kPackagings> made{
            default_packaging(),
            default_packaging(),
            default_packaging(),
            default_packaging(),
            from_conf("1987_bcd.toml"),
            from_conf("1987_ebcdic.toml"),
            from_conf("1993_ascii.toml"),
            from_conf("1993_ascii.toml"),
            from_conf("1987_ebcdic.toml"),
        };
        made[1].mti = made[1].digits = made[1].lengths = DigitForm::bcd;
        made[1].frame_length = FrameLength::bcd2;
        made[2] = made[1];
        made[2].odd_digits_pad = PadSide::right;
        made[2].frame_length = FrameLength::ascii4;
        made[3].bitmap = made[3].binary = BinaryForm::hex;
        made[7].mti = made[7].digits = made[7].lengths = DigitForm::bcd;
        made[8].bitmap = made[8].binary = BinaryForm::hex;
        return made;
    }();
    return all;
}

void decode_and_back(std::string_view bytes, Packaging const& packaging) {
    auto const message = decode(bytes, packaging);
    if (!message) {
        return;
    }
    auto const canonical = encode(*message, packaging);
    FLORIN_CHECK(canonical, "a decoded message does not encode");
    auto const again = decode(*canonical, packaging);
    FLORIN_CHECK(again && *again == *message, "a message does not come back");
    FLORIN_CHECK(encode(*again, packaging) == *canonical, "two byte strings of one message");
    for (int const field : {48, 63}) {
        auto const found = element(*message, {.field = field, .tag = "01"});
        FLORIN_CHECK(found.size() <= 99, "a sub-element is longer than its length can say");
    }
    auto const pan = message->pan();
    // A shorter number may stand in another field by chance.
    if (pan.size() >= 16) {
        bool elsewhere = false;
        for (auto const& [number, value] : message->fields()) {
            elsewhere = elsewhere || (number != 2 &&
                                      value.reveal().find(pan.reveal()) != std::string_view::npos);
        }
        FLORIN_CHECK(
            elsewhere || describe(*message).find(pan.reveal()) == std::string::npos,
            "a card number is printed"
        );
    }
}

// The messages, and "!" at the end where the stream broke.
std::vector<std::string> frames_of(
    std::string_view stream, std::size_t step, Packaging const& packaging
) {
    FrameReader reader{packaging};
    std::vector<std::string> messages;
    for (std::size_t at = 0; at < stream.size(); at += step) {
        reader.feed(stream.substr(at, step));
        while (true) {
            auto const message = reader.next();
            if (!message) {
                messages.emplace_back("!");
                return messages;
            }
            if (!*message) {
                break;
            }
            messages.emplace_back(**message);
        }
    }
    return messages;
}

void read_frames(std::string_view stream, Packaging const& packaging) {
    FLORIN_CHECK(
        frames_of(stream, 1, packaging) == frames_of(stream, 4096, packaging),
        "the pieces in which bytes arrive make a difference"
    );
}

}  // namespace
}  // namespace florin::connectors::iso8583

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace florin::connectors::iso8583;
    if (size == 0) {
        return 0;
    }
    std::string_view const input{reinterpret_cast<char const*>(data) + 1, size - 1};
    // Of the first byte: up to 7 as the first four were numbered, above it the others.
    bool const is_old = data[0] < 8;
    auto const& packaging = packagings()[is_old ? data[0] % 4 : 4 + (data[0] - 8) / 2 % 5];
    bool const is_message = is_old ? data[0] < 4 : data[0] % 2 == 0;
    if (is_message) {
        decode_and_back(input, packaging);
    } else {
        read_frames(input, packaging);
    }
    return 0;
}
