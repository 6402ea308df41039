// Money: an integer number of ISO 4217 minor units and its currency. No doubles anywhere.
// Thread rule: values, no shared state.
#pragma once

#include "ledger/base/currency.h"
#include "ledger/base/result.h"

#include <cstdint>
#include <string>

namespace florin {

// Signed, because reports and nets may be negative; the ledger kernel's amounts are unsigned
// 128-bit.
struct Money {
    std::int64_t minor;  // ISO 4217 minor units: 100 is EUR 1.00 and JPY 100
    Currency currency;

    friend bool operator==(Money const&, Money const&) = default;
};

// How a division that leaves a remainder is settled. There is no default on purpose.
enum class Rounding { half_even, down, up };

// Errc::conflict for two currencies, Errc::out_of_range for a sum outside int64.
Result<Money> checked_add(Money a, Money b);
Result<Money> checked_subtract(Money a, Money b);
// amount * numerator / denominator; the denominator is positive.
Result<Money> scale(
    Money amount, std::int64_t numerator, std::int64_t denominator, Rounding rounding
);

// The same amount written with another number of decimals, e.g. UGX 5 (0 digits) is 500 with 2.
// Errc::out_of_range where the conversion is not exact or does not fit.
Result<std::int64_t> convert_minor(std::int64_t minor, unsigned from_digits, unsigned to_digits);

// "45.00 EUR", "1200 JPY", "-0.050 KWD".
std::string to_string(Money money);
// The number alone, with the currency's decimals: "45.00".
std::string decimal_text(Money money);
// Parses "45.00", "-3", "0.5" exactly; more decimals than the currency has (other than zeros),
// signs elsewhere or any other character: Errc::malformed.
Result<Money> parse_decimal(std::string_view text, Currency currency);

}  // namespace florin
