// Fuzzes the ISO 8583 codec and its framing, in several packagings.
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
#include <vector>

namespace florin::connectors::iso8583 {
namespace {

std::array<Packaging, 4> const& packagings() {
    static std::array<Packaging, 4> const all = [] {
        std::array<Packaging, 4> made{
            default_packaging(), default_packaging(), default_packaging(), default_packaging()
        };
        made[1].mti = made[1].digits = made[1].lengths = DigitForm::bcd;
        made[1].frame_length = FrameLength::bcd2;
        made[2] = made[1];
        made[2].odd_digits_pad = PadSide::right;
        made[2].frame_length = FrameLength::ascii4;
        made[3].bitmap = made[3].binary = BinaryForm::hex;
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
    auto const& packaging = packagings()[data[0] % 4];
    if (data[0] % 8 < 4) {
        decode_and_back(input, packaging);
    } else {
        read_frames(input, packaging);
    }
    return 0;
}
