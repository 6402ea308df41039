#include "connectors/statements/text.h"

#include <algorithm>
#include <chrono>

namespace florin::connectors::statements {
namespace {

constexpr std::size_t kShownMax = 60;

int number(std::string_view digits) {
    int value = 0;
    for (char const c : digits) {
        value = value * 10 + (c - '0');
    }
    return value;
}

}  // namespace

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_date(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-' || !is_digits(text.substr(0, 4)) ||
        !is_digits(text.substr(5, 2)) || !is_digits(text.substr(8, 2))) {
        return false;
    }
    return std::chrono::year_month_day{
        std::chrono::year{number(text.substr(0, 4))},
        std::chrono::month{static_cast<unsigned>(number(text.substr(5, 2)))},
        std::chrono::day{static_cast<unsigned>(number(text.substr(8, 2)))}
    }.ok();
}

std::string shown(std::string_view text) {
    std::string out{text.substr(0, kShownMax)};
    std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
    return text.size() > kShownMax ? out + "…" : out;
}

}  // namespace florin::connectors::statements
