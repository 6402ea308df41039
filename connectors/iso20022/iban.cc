#include "connectors/iso20022/iban.h"

#include <string>

namespace florin::connectors::iso20022 {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_capital(char c) {
    return c >= 'A' && c <= 'Z';
}

}  // namespace

bool is_iban(std::string_view text) {
    if (text.size() < 15 || text.size() > 34 || !is_capital(text[0]) || !is_capital(text[1]) ||
        !is_digit(text[2]) || !is_digit(text[3])) {
        return false;
    }
    // 00, 01 and 99 are right by the arithmetic alone; no bank gives them.
    auto const check = text.substr(2, 2);
    if (check < "02" || check > "98") {
        return false;
    }
    unsigned rest = 0;
    for (char const c : std::string{text.substr(4)} + std::string{text.substr(0, 4)}) {
        if (is_digit(c)) {
            rest = (rest * 10 + static_cast<unsigned>(c - '0')) % 97;
        } else if (is_capital(c)) {
            rest = (rest * 100 + static_cast<unsigned>(c - 'A') + 10) % 97;
        } else {
            return false;
        }
    }
    return rest == 1;
}

}  // namespace florin::connectors::iso20022
