// Card numbers: which brand, whether the check digit is right, and the test numbers by name.
// Thread rule: pure functions.
#pragma once

#include "ledger/base/secret.h"

#include <optional>
#include <string_view>

namespace florin::connectors {

// Of a 3-D Secure result: proof that the cardholder was asked. Never stored.
using Cryptogram = Secret<struct CryptogramTag>;

// ISO/IEC 7812-1 annex B, 12 to 19 digits.
bool passes_luhn(std::string_view digits);

// "visa", "mastercard", "amex", "discover", "diners", "jcb", "unionpay" or "unknown", by the
// embedded table of ranges (bins.h): what card numbers look like, whatever table an operator has.
std::string_view brand_of(Pan const& pan);

// The first card number inside a text: 14 to 16 or 19 digits in a row or in the groups that are
// printed on cards, of a known brand and its length, with the right check digit. nullopt: none.
// Other long numbers (orders, telephones, IBANs) are not taken for one but by rare accident, parts
// of UUIDs and of long hexadecimal words never.
std::optional<std::string_view> find_card_number(std::string_view text);

// Cards of Stripe's test mode that have a name instead of a number, e.g. "pm_card_visa".
struct TestCard {
    std::string_view token;
    std::string_view number;
};
std::optional<TestCard> test_card(std::string_view token);

}  // namespace florin::connectors
