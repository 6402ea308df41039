#include "ledger/base/money.h"

#include "ledger/base/check.h"

#include <limits>

namespace florin {
namespace {

__extension__ using i128 = __int128;

constexpr i128 kMinorMax = std::numeric_limits<std::int64_t>::max();
constexpr i128 kMinorMin = std::numeric_limits<std::int64_t>::min();

i128 power_of_ten(unsigned exponent) {
    i128 value = 1;
    while (exponent-- > 0) {
        value *= 10;
    }
    return value;
}

Result<std::int64_t> narrow(i128 value) {
    if (value > kMinorMax || value < kMinorMin) {
        return fail(Errc::out_of_range, "amount does not fit in 64 bits");
    }
    return static_cast<std::int64_t>(value);
}

Result<Money> same_currency(Money a, Money b) {
    if (a.currency != b.currency) {
        return fail(
            Errc::conflict,
            "amounts in " + std::string{a.currency.alphabetic()} + " and " +
                std::string{b.currency.alphabetic()}
        );
    }
    return a;
}

}  // namespace

Result<Money> checked_add(Money a, Money b) {
    FLORIN_TRY_VOID(same_currency(a, b));
    FLORIN_TRY(auto const minor, narrow(i128{a.minor} + i128{b.minor}));
    return Money{minor, a.currency};
}

Result<Money> checked_subtract(Money a, Money b) {
    FLORIN_TRY_VOID(same_currency(a, b));
    FLORIN_TRY(auto const minor, narrow(i128{a.minor} - i128{b.minor}));
    return Money{minor, a.currency};
}

Result<Money> scale(
    Money amount, std::int64_t numerator, std::int64_t denominator, Rounding rounding
) {
    FLORIN_CHECK(denominator > 0, "a ratio has a positive denominator");
    i128 const product = i128{amount.minor} * numerator;
    i128 const magnitude = product < 0 ? -product : product;
    i128 quotient = magnitude / denominator;
    i128 const twice_rest = (magnitude % denominator) * 2;
    switch (rounding) {
        case Rounding::half_even:
            if (twice_rest > denominator || (twice_rest == denominator && quotient % 2 == 1)) {
                ++quotient;
            }
            break;
        case Rounding::down: break;
        case Rounding::up:
            if (twice_rest > 0) {
                ++quotient;
            }
            break;
    }
    FLORIN_TRY(auto const minor, narrow(product < 0 ? -quotient : quotient));
    return Money{minor, amount.currency};
}

Result<std::int64_t> convert_minor(std::int64_t minor, unsigned from_digits, unsigned to_digits) {
    if (to_digits >= from_digits) {
        return narrow(i128{minor} * power_of_ten(to_digits - from_digits));
    }
    i128 const divisor = power_of_ten(from_digits - to_digits);
    if (i128{minor} % divisor != 0) {
        return fail(Errc::out_of_range, "amount has more decimals than the target allows");
    }
    return narrow(i128{minor} / divisor);
}

std::string decimal_text(Money money) {
    unsigned const digits = money.currency.digits();
    i128 const wide = money.minor;
    i128 const magnitude = wide < 0 ? -wide : wide;
    std::string text = std::to_string(static_cast<std::uint64_t>(magnitude));
    if (digits > 0) {
        if (text.size() <= digits) {
            text.insert(0, digits + 1 - text.size(), '0');
        }
        text.insert(text.size() - digits, ".");
    }
    return (wide < 0 ? "-" : "") + text;
}

std::string to_string(Money money) {
    return decimal_text(money) + " " + std::string{money.currency.alphabetic()};
}

Result<Money> parse_decimal(std::string_view text, Currency currency) {
    auto const bad = [&] {
        return fail(
            Errc::malformed,
            "'" + std::string{text} + "' is not an amount in " + std::string{currency.alphabetic()}
        );
    };
    std::string_view rest = text;
    bool const negative = rest.starts_with('-');
    if (negative) {
        rest.remove_prefix(1);
    }
    auto const point = rest.find('.');
    std::string_view const whole = rest.substr(0, point);
    std::string_view decimals =
        point == std::string_view::npos ? std::string_view{} : rest.substr(point + 1);
    if (whole.empty() || whole.size() > 18 || decimals.size() > 18 ||
        (point != std::string_view::npos && decimals.empty())) {
        return bad();
    }
    while (decimals.size() > currency.digits() && decimals.ends_with('0')) {
        decimals.remove_suffix(1);
    }
    if (decimals.size() > currency.digits()) {
        return bad();
    }
    std::string digits{whole};
    digits += decimals;
    digits.append(currency.digits() - decimals.size(), '0');
    i128 value = 0;
    for (char const c : digits) {
        if (c < '0' || c > '9') {
            return bad();
        }
        value = value * 10 + (c - '0');
    }
    auto minor = narrow(negative ? -value : value);
    if (!minor) {
        return bad();
    }
    return Money{*minor, currency};
}

}  // namespace florin
