#include "connectors/iso8583/charset.h"

#include <array>
#include <cstring>

namespace florin::connectors::iso8583 {
namespace {

constexpr std::size_t kCharacters = 95;

// Code page 1047, from ' ' to '~'.
constexpr std::array<unsigned char, kCharacters> kEbcdic{
    // clang-format off
    0x40, 0x5a, 0x7f, 0x7b, 0x5b, 0x6c, 0x50, 0x7d, 0x4d, 0x5d, 0x5c, 0x4e,
    0x6b, 0x60, 0x4b, 0x61, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7,
    0xf8, 0xf9, 0x7a, 0x5e, 0x4c, 0x7e, 0x6e, 0x6f, 0x7c, 0xc1, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6,
    0xd7, 0xd8, 0xd9, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xad,
    0xe0, 0xbd, 0x5f, 0x6d, 0x79, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0xa2,
    0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xc0, 0x4f, 0xd0, 0xa1,
    // clang-format on
};

// By EBCDIC byte; 0 where the byte is no printable character of ASCII.
constexpr std::array<char, 256> kAscii = [] {
    std::array<char, 256> table{};
    for (std::size_t i = 0; i < kCharacters; ++i) {
        table[kEbcdic[i]] = static_cast<char>(' ' + i);
    }
    return table;
}();

}  // namespace

bool append_ebcdic(std::string& out, std::string_view ascii) {
    auto const before = out.size();
    for (char const c : ascii) {
        if (c < ' ' || c > '~') {
            out.resize(before);
            return false;
        }
        out.push_back(static_cast<char>(kEbcdic[static_cast<std::size_t>(c - ' ')]));
    }
    return true;
}

std::optional<std::string> from_ebcdic(ByteView bytes) {
    std::string text;
    text.reserve(bytes.size());
    for (char const c : bytes) {
        char const ascii = kAscii[static_cast<unsigned char>(c)];
        if (ascii == 0) {
            explicit_bzero(text.data(), text.size());
            return std::nullopt;
        }
        text.push_back(ascii);
    }
    return text;
}

}  // namespace florin::connectors::iso8583
