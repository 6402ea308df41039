// Unsigned 128-bit integers: amounts, balances and ids of the ledger kernel.
// Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace florin {

__extension__ using u128 = unsigned __int128;

inline constexpr u128 kU128Max = ~u128{0};

constexpr u128 make_u128(std::uint64_t high, std::uint64_t low) {
    return (u128{high} << 64) | low;
}
constexpr std::uint64_t high_bits(u128 value) {
    return static_cast<std::uint64_t>(value >> 64);
}
constexpr std::uint64_t low_bits(u128 value) {
    return static_cast<std::uint64_t>(value);
}

// True where a + b does not fit in 128 bits.
constexpr bool sum_overflows(u128 a, u128 b) {
    return a > kU128Max - b;
}

// Decimal digits without sign, separators or leading zeros.
std::string to_string(u128 value);
void append_decimal(std::string& out, u128 value);

// Decimal digits only, 1 to 39 of them; nullopt for anything else or a value above 2^128 - 1.
std::optional<u128> parse_u128(std::string_view text);

// For hash tables keyed by ids. Ids come from outside: both halves are mixed.
struct U128Hash {
    std::size_t operator()(u128 value) const noexcept {
        std::uint64_t x = low_bits(value) ^ (high_bits(value) * 0x9e3779b97f4a7c15ULL);
        x ^= x >> 33;
        x *= 0xff51afd7ed558ccdULL;
        x ^= x >> 33;
        x *= 0xc4ceb9fe1a85ec53ULL;
        return static_cast<std::size_t>(x ^ (x >> 33));
    }
};

}  // namespace florin
