#include "ledger/base/uint128.h"

#include <charconv>
#include <cstring>

namespace florin {
namespace {

// The most decimal digits of which every number fits in 64 bits.
constexpr std::size_t kChunkDigits = 19;
constexpr std::uint64_t kChunk = 10'000'000'000'000'000'000ULL;

}  // namespace

void append_decimal(std::string& out, u128 value) {
    char digits[2 * kChunkDigits + 1];
    char* const end = digits + sizeof digits;
    char* begin = end;
    // From the right, in parts that 64-bit arithmetic can do; all but the leftmost are full.
    while (high_bits(value) != 0) {
        char part[kChunkDigits + 1];
        char const* const written =
            std::to_chars(part, part + sizeof part, low_bits(value % kChunk)).ptr;
        auto const length = static_cast<std::size_t>(written - part);
        value /= kChunk;
        begin -= kChunkDigits;
        std::memset(begin, '0', kChunkDigits - length);
        std::memcpy(begin + (kChunkDigits - length), part, length);
    }
    // A value above 64 bits is above kChunk: what is left is at least 1.
    char part[kChunkDigits + 1];
    char* const written = std::to_chars(part, part + sizeof part, low_bits(value)).ptr;
    out.append(part, written);
    out.append(begin, end);
}

std::string to_string(u128 value) {
    std::string digits;
    append_decimal(digits, value);
    return digits;
}

std::optional<u128> parse_u128(std::string_view text) {
    if (text.empty() || text.size() > 39) {
        return std::nullopt;
    }
    u128 value = 0;
    while (!text.empty()) {
        std::string_view const part = text.substr(0, kChunkDigits);
        text.remove_prefix(part.size());
        std::uint64_t number = 0;
        std::uint64_t scale = 1;
        for (char const c : part) {
            if (c < '0' || c > '9') {
                return std::nullopt;
            }
            number = number * 10 + static_cast<unsigned>(c - '0');
            scale *= 10;
        }
        if (value != 0 && value > (kU128Max - number) / scale) {
            return std::nullopt;
        }
        value = value * scale + number;
    }
    return value;
}

}  // namespace florin
