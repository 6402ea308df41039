#include "ledger/base/currency.h"

#include <algorithm>
#include <cctype>
#include <iterator>

namespace florin {
namespace {

struct Row {
    std::string_view alphabetic;
    std::uint16_t numeric;
    std::uint8_t digits;
    std::uint8_t stripe_digits;
};

constexpr Row kRows[] = {
#include "currencies.inc"
};

}  // namespace

std::optional<Currency> Currency::from_alphabetic(std::string_view code) {
    if (code.size() != 3) {
        return std::nullopt;
    }
    std::array<char, 3> upper{};
    for (std::size_t i = 0; i < 3; ++i) {
        upper[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(code[i])));
    }
    std::string_view const wanted{upper.data(), upper.size()};
    auto const* row = std::ranges::lower_bound(kRows, wanted, {}, &Row::alphabetic);
    if (row == std::end(kRows) || row->alphabetic != wanted) {
        return std::nullopt;
    }
    return Currency{static_cast<std::uint16_t>(row - std::begin(kRows))};
}

std::optional<Currency> Currency::from_numeric(std::uint16_t code) {
    auto const* row = std::ranges::find(kRows, code, &Row::numeric);
    if (row == std::end(kRows)) {
        return std::nullopt;
    }
    return Currency{static_cast<std::uint16_t>(row - std::begin(kRows))};
}

std::string_view Currency::alphabetic() const {
    return kRows[row_].alphabetic;
}
std::uint16_t Currency::numeric() const {
    return kRows[row_].numeric;
}
unsigned Currency::digits() const {
    return kRows[row_].digits;
}
unsigned Currency::stripe_digits() const {
    return kRows[row_].stripe_digits;
}

std::string Currency::lower() const {
    std::string text{alphabetic()};
    for (char& c : text) {
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return text;
}

}  // namespace florin
