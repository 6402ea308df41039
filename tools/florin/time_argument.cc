#include "tools/florin/time_argument.h"

#include <charconv>
#include <chrono>

namespace florin::tools {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kDay = 86'400 * kSecond;
constexpr std::uint64_t kLast = (std::uint64_t{1} << 63U) - 1;

// A number of exactly so many digits at the start, which are taken away; and the sign after it.
bool take_digits(std::string_view& text, std::size_t digits, unsigned& value) {
    if (text.size() < digits) {
        return false;
    }
    auto const [end, error] = std::from_chars(text.data(), text.data() + digits, value);
    if (error != std::errc{} || end != text.data() + digits) {
        return false;
    }
    text.remove_prefix(digits);
    return true;
}
bool take(std::string_view& text, char sign) {
    if (!text.starts_with(sign)) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

// Days since 1970; nothing before that.
bool take_date(std::string_view& text, std::uint64_t& days) {
    unsigned year = 0;
    unsigned month = 0;
    unsigned day = 0;
    bool const is_date = take_digits(text, 4, year) && take(text, '-') &&
                         take_digits(text, 2, month) && take(text, '-') &&
                         take_digits(text, 2, day);
    std::chrono::year_month_day const date{
        std::chrono::year{static_cast<int>(year)}, std::chrono::month{month}, std::chrono::day{day}
    };
    if (!is_date || !date.ok() || year < 1970 || year > 2261) {
        return false;
    }
    days = static_cast<std::uint64_t>(std::chrono::sys_days{date}.time_since_epoch().count());
    return true;
}

bool take_time(std::string_view& text, std::uint64_t& ns) {
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    bool const is_time = take_digits(text, 2, hour) && take(text, ':') &&
                         take_digits(text, 2, minute) && take(text, ':') &&
                         take_digits(text, 2, second);
    if (!is_time || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    ns = (hour * 3600ULL + minute * 60ULL + second) * kSecond;
    if (take(text, '.')) {
        std::uint64_t unit = kSecond / 10;
        unsigned digit = 0;
        bool any = false;
        for (; unit > 0 && !text.empty() && text[0] != 'Z' && take_digits(text, 1, digit);
             unit /= 10, any = true) {
            ns += digit * unit;
        }
        if (!any) {
            return false;
        }
    }
    return take(text, 'Z');
}

}  // namespace

Result<std::uint64_t> parse_moment(std::string_view text, DayEnd day_end) {
    std::string_view rest = text;
    std::uint64_t number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size() && number <= kLast) {
        return number;
    }
    std::uint64_t days = 0;
    if (take_date(rest, days)) {
        std::uint64_t ns = 0;
        if (rest.empty()) {
            return days * kDay + (day_end == DayEnd::last ? kDay - 1 : 0);
        }
        if (take(rest, 'T') && take_time(rest, ns) && rest.empty()) {
            return days * kDay + ns;
        }
    }
    return fail(
        Errc::malformed,
        "\"" + std::string{text} +
            "\": expected a moment as 2026-11-25, 2026-11-25T07:00:00Z or nanoseconds since 1970"
    );
}

}  // namespace florin::tools
