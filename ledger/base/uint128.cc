#include "ledger/base/uint128.h"

#include <algorithm>

namespace florin {

std::string to_string(u128 value) {
    std::string digits;
    do {
        digits.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
        value /= 10;
    } while (value != 0);
    std::reverse(digits.begin(), digits.end());
    return digits;
}

std::optional<u128> parse_u128(std::string_view text) {
    if (text.empty() || text.size() > 39) {
        return std::nullopt;
    }
    u128 value = 0;
    for (char const c : text) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        auto const digit = static_cast<unsigned>(c - '0');
        if (value > (kU128Max - digit) / 10) {
            return std::nullopt;
        }
        value = value * 10 + digit;
    }
    return value;
}

}  // namespace florin
