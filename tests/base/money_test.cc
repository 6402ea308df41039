#include "ledger/base/money.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

using namespace florin;

namespace {
Currency currency(char const* code) {
    return *Currency::from_alphabetic(code);
}
}  // namespace

TEST_CASE("a currency is found by either code and knows its decimals on each surface") {
    CHECK(currency("eur").numeric() == 978);
    CHECK(Currency::from_numeric(392)->alphabetic() == "JPY");
    CHECK(currency("JPY").digits() == 0);
    CHECK(currency("KWD").digits() == 3);
    CHECK(currency("CLF").digits() == 4);
    CHECK(currency("MGA").digits() == 2);
    CHECK(currency("MGA").stripe_digits() == 0);
    CHECK(currency("UGX").stripe_digits() == 2);
    CHECK(currency("Usd").lower() == "usd");
    CHECK_FALSE(Currency::from_alphabetic("EU"));
    CHECK_FALSE(Currency::from_alphabetic("XXZ"));
    CHECK_FALSE(Currency::from_numeric(1));
}

TEST_CASE("sums refuse overflow and mixed currencies") {
    Money const one{1, currency("EUR")};
    Money const most{std::numeric_limits<std::int64_t>::max(), currency("EUR")};
    CHECK(checked_add(one, one)->minor == 2);
    CHECK(checked_add(most, one).error().code == Errc::out_of_range);
    CHECK(checked_add(one, Money{1, currency("USD")}).error().code == Errc::conflict);
    CHECK(checked_subtract(one, Money{3, currency("EUR")})->minor == -2);
}

TEST_CASE("scaling rounds by the named rule") {
    auto const scaled = [](std::int64_t minor, Rounding rounding) {
        return scale(Money{minor, currency("EUR")}, 1, 2, rounding)->minor;
    };
    CHECK(scaled(1, Rounding::half_even) == 0);
    CHECK(scaled(3, Rounding::half_even) == 2);
    CHECK(scaled(5, Rounding::half_even) == 2);
    CHECK(scaled(-3, Rounding::half_even) == -2);
    CHECK(scaled(3, Rounding::down) == 1);
    CHECK(scaled(3, Rounding::up) == 2);
    CHECK(
        scale(Money{INT64_MAX, currency("EUR")}, 2, 1, Rounding::down).error().code ==
        Errc::out_of_range
    );
}

TEST_CASE("amounts convert between exponents exactly or not at all") {
    CHECK(*convert_minor(5, 0, 2) == 500);
    CHECK(*convert_minor(500, 2, 0) == 5);
    CHECK(convert_minor(501, 2, 0).error().code == Errc::out_of_range);
    CHECK(convert_minor(INT64_MAX, 0, 2).error().code == Errc::out_of_range);
}

TEST_CASE("decimal text goes out and comes back unchanged") {
    CHECK(to_string(Money{4500, currency("EUR")}) == "45.00 EUR");
    CHECK(to_string(Money{1200, currency("JPY")}) == "1200 JPY");
    CHECK(to_string(Money{-50, currency("KWD")}) == "-0.050 KWD");
    CHECK(parse_decimal("45.00", currency("EUR"))->minor == 4500);
    CHECK(parse_decimal("45", currency("EUR"))->minor == 4500);
    CHECK(parse_decimal("0.5", currency("EUR"))->minor == 50);
    CHECK(parse_decimal("12.000", currency("EUR"))->minor == 1200);
    CHECK(parse_decimal("-0.050", currency("KWD"))->minor == -50);
    for (char const* bad :
         {"", "-", ".5", "5.", "1.005", "1,5", "+1", "1e3", "--1", "1.-5", "99999999999999999999"
         }) {
        CAPTURE(bad);
        CHECK_FALSE(parse_decimal(bad, currency("EUR")));
    }
    CHECK(to_string(Money{INT64_MIN, currency("JPY")}) == "-9223372036854775808 JPY");
}
