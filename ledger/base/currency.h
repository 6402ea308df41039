// ISO 4217 currencies and how many decimals each surface uses.
//
// The table is conf/currencies.csv, embedded at build. The ledger holds ISO minor units; a surface
// whose exponent differs (a merchant API, a PSP) converts exactly or refuses.
// Thread rule: the table is immutable; every function may be called from any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace florin {

// An ISO 4217 alphabetic code, upper case. Only codes of the table can be made.
class Currency {
public:
    // Any case; nullopt for a code that is not in the table.
    static std::optional<Currency> from_alphabetic(std::string_view code);
    // The three-digit code, e.g. 978; nullopt for one that is not in the table.
    static std::optional<Currency> from_numeric(std::uint16_t code);

    std::string_view alphabetic() const;  // "EUR"
    std::string lower() const;            // "eur", as the merchant API writes it
    std::uint16_t numeric() const;        // 978
    unsigned digits() const;              // ISO minor-unit digits, 0 to 4
    unsigned stripe_digits() const;       // decimals on the Stripe-compatible surface

    friend auto operator<=>(Currency const&, Currency const&) = default;
    friend bool operator==(Currency const&, Currency const&) = default;

private:
    explicit Currency(std::uint16_t row) : row_{row} {}
    std::uint16_t row_;
};

}  // namespace florin
