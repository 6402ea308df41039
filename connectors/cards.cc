#include "connectors/cards.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace florin::connectors {
namespace {

constexpr TestCard kTestCards[] = {
    {"pm_card_visa", "4242424242424242", "credit"},
    {"pm_card_visa_debit", "4000056655665556", "debit"},
    {"pm_card_mastercard", "5555555555554444", "credit"},
    {"pm_card_amex", "378282246310005", "credit"},
    {"pm_card_visa_chargeDeclined", "4000000000000002", "credit"},
    {"pm_card_visa_chargeDeclinedInsufficientFunds", "4000000000009995", "credit"},
    {"pm_card_visa_chargeDeclinedLostCard", "4000000000009987", "credit"},
    {"pm_card_visa_chargeDeclinedStolenCard", "4000000000009979", "credit"},
    {"pm_card_visa_chargeDeclinedVelocityLimitExceeded", "4000000000006975", "credit"},
    {"pm_card_chargeDeclinedExpiredCard", "4000000000000069", "credit"},
    {"pm_card_chargeDeclinedIncorrectCvc", "4000000000000127", "credit"},
    {"pm_card_chargeDeclinedProcessingError", "4000000000000119", "credit"},
};

// The first `digits` digits as a number.
int prefix(std::string_view pan, std::size_t digits) {
    return pan.size() < digits ? -1 : std::atoi(std::string{pan.substr(0, digits)}.c_str());
}
bool between(int value, int least, int most) {
    return value >= least && value <= most;
}

}  // namespace

bool passes_luhn(std::string_view digits) {
    if (digits.size() < 12 || digits.size() > 19) {
        return false;
    }
    int sum = 0;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        char const c = digits[digits.size() - 1 - i];
        if (c < '0' || c > '9') {
            return false;
        }
        int const digit = (c - '0') * (i % 2 == 0 ? 1 : 2);
        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 == 0;
}

std::string_view brand_of(Pan const& pan) {
    auto const digits = pan.reveal();
    if (digits.starts_with('4')) {
        return "visa";
    }
    if (between(prefix(digits, 2), 51, 55) || between(prefix(digits, 4), 2221, 2720)) {
        return "mastercard";
    }
    if (prefix(digits, 2) == 34 || prefix(digits, 2) == 37) {
        return "amex";
    }
    if (between(prefix(digits, 4), 3528, 3589)) {
        return "jcb";
    }
    if (between(prefix(digits, 3), 300, 305) || prefix(digits, 2) == 36 ||
        prefix(digits, 2) == 38 || prefix(digits, 2) == 39) {
        return "diners";
    }
    if (prefix(digits, 4) == 6011 || prefix(digits, 2) == 65 ||
        between(prefix(digits, 3), 644, 649)) {
        return "discover";
    }
    return prefix(digits, 2) == 62 ? "unionpay" : "unknown";
}

std::optional<TestCard> test_card(std::string_view token) {
    auto const* const found = std::ranges::find(kTestCards, token, &TestCard::token);
    return found == std::end(kTestCards) ? std::nullopt : std::optional{*found};
}

}  // namespace florin::connectors
