#include "connectors/cards.h"

#include "connectors/bins.h"

#include <algorithm>
#include <string>

namespace florin::connectors {
namespace {

constexpr TestCard kTestCards[] = {
    {"pm_card_visa", "4242424242424242"},
    {"pm_card_visa_debit", "4000056655665556"},
    {"pm_card_mastercard", "5555555555554444"},
    {"pm_card_amex", "378282246310005"},
    {"pm_card_visa_chargeDeclined", "4000000000000002"},
    {"pm_card_visa_chargeDeclinedInsufficientFunds", "4000000000009995"},
    {"pm_card_visa_chargeDeclinedLostCard", "4000000000009987"},
    {"pm_card_visa_chargeDeclinedStolenCard", "4000000000009979"},
    {"pm_card_visa_chargeDeclinedVelocityLimitExceeded", "4000000000006975"},
    {"pm_card_chargeDeclinedExpiredCard", "4000000000000069"},
    {"pm_card_chargeDeclinedIncorrectCvc", "4000000000000127"},
    {"pm_card_chargeDeclinedProcessingError", "4000000000000119"},
};

// Whether a brand issues numbers of this beginning and length.
bool is_card_length(std::string_view digits) {
    if (digits.size() < 14 || digits.size() > 19) {
        return false;
    }
    std::string_view const brand = brand_of(Pan{digits});
    std::size_t const size = digits.size();
    if (brand == "visa") {
        return size == 16 || size == 19;
    }
    if (brand == "amex") {
        return size == 15;
    }
    if (brand == "diners") {
        return size == 14 || size == 16;
    }
    return brand != "unknown" && size == 16;
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
    return BinTable::built_in().find(pan).brand;
}

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Digits of an identifier rather than of a card: in groups that go on as a word, as those of a UUID
// do, or inside a long hexadecimal word.
bool is_part_of_identifier(
    std::string_view text, std::size_t begin, std::size_t end, bool in_groups
) {
    auto const in_word = [](char c) { return is_digit(c) || is_letter(c); };
    auto const is_hex_letter = [](char c) {
        return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    };
    bool const is_glued =
        (begin > 0 && in_word(text[begin - 1])) || (end < text.size() && in_word(text[end]));
    if (in_groups || !is_glued) {
        return is_glued;
    }
    constexpr std::size_t kHexadecimalMin = 24;
    while (begin > 0 && in_word(text[begin - 1])) {
        --begin;
    }
    while (end < text.size() && in_word(text[end])) {
        ++end;
    }
    return end - begin >= kHexadecimalMin &&
           std::ranges::all_of(text.substr(begin, end - begin), [&](char c) {
               return is_digit(c) || is_hex_letter(c);
           });
}

}  // namespace

std::optional<std::string_view> find_card_number(std::string_view text) {
    for (std::size_t begin = 0; begin < text.size();) {
        if (!is_digit(text[begin])) {
            ++begin;
            continue;
        }
        // Group after group, with one blank or dash between; another number may follow the card's.
        std::string digits;
        std::string groups;
        std::size_t first = 0;
        bool all_of_four = true;  // but the last
        for (std::size_t at = begin;;) {
            std::size_t const start = at;
            while (at < text.size() && is_digit(text[at])) {
                digits += text[at++];
            }
            std::size_t const group = at - start;
            first = first == 0 ? group : first;
            groups += (groups.empty() ? "" : ",") + std::to_string(group);
            bool const is_printed = first == digits.size() || (all_of_four && group <= 4) ||
                                    groups == "4,6,5" || groups == "4,6,4";
            all_of_four = all_of_four && group == 4;
            if (is_printed && is_card_length(digits) && passes_luhn(digits) &&
                !is_part_of_identifier(text, begin, at, first != digits.size())) {
                return text.substr(begin, at - begin);
            }
            bool const goes_on = digits.size() < 20 && at + 1 < text.size() &&
                                 (text[at] == ' ' || text[at] == '-') && is_digit(text[at + 1]);
            if (!goes_on) {
                break;
            }
            ++at;
        }
        begin += first;
    }
    return std::nullopt;
}

std::optional<TestCard> test_card(std::string_view token) {
    auto const* const found = std::ranges::find(kTestCards, token, &TestCard::token);
    return found == std::end(kTestCards) ? std::nullopt : std::optional{*found};
}

}  // namespace florin::connectors
