#include "ledger/base/bytes.h"

namespace florin {
namespace {

constexpr std::uint32_t kCastagnoliReversed = 0x82f63b78;

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int bit = 0; bit < 8; ++bit) {
            c = (c >> 1) ^ ((c & 1U) != 0 ? kCastagnoliReversed : 0U);
        }
        table[i] = c;
    }
    return table;
}
constexpr auto kTable = make_table();

std::uint32_t crc_by_table(ByteView bytes, std::uint32_t state) {
    for (char const c : bytes) {
        state = kTable[(state ^ static_cast<unsigned char>(c)) & 0xff] ^ (state >> 8);
    }
    return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc_by_instruction(
    ByteView bytes, std::uint32_t state
) {
    std::uint64_t wide = state;
    while (bytes.size() >= 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data(), 8);
        wide = __builtin_ia32_crc32di(wide, word);
        bytes.remove_prefix(8);
    }
    auto narrow = static_cast<std::uint32_t>(wide);
    for (char const c : bytes) {
        narrow = __builtin_ia32_crc32qi(narrow, static_cast<unsigned char>(c));
    }
    return narrow;
}
#endif

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

}  // namespace

std::uint32_t crc32c(ByteView bytes, std::uint32_t seed) {
#if defined(__x86_64__)
    static bool const has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    if (has_instruction) {
        return ~crc_by_instruction(bytes, ~seed);
    }
#endif
    return ~crc_by_table(bytes, ~seed);
}

std::string to_hex(ByteView bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (char const c : bytes) {
        auto const byte = static_cast<unsigned char>(c);
        text.push_back(kDigits[byte >> 4]);
        text.push_back(kDigits[byte & 15]);
    }
    return text;
}

Result<std::string> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) {
        return fail(Errc::malformed, "hexadecimal text of odd length");
    }
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        int const high = hex_digit(text[i]);
        int const low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0) {
            return fail(Errc::malformed, "not hexadecimal at character " + std::to_string(i));
        }
        bytes.push_back(static_cast<char>(high * 16 + low));
    }
    return bytes;
}

}  // namespace florin
