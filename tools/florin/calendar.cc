#include "tools/florin/calendar.h"

#include <fmt/format.h>

#include <chrono>

namespace florin::tools {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kDay = 86'400 * kSecond;

}  // namespace

std::string utc_date(std::uint64_t ns) {
    // By days: the nanoseconds of 64 bits end in 2554, those of a signed duration in 2262.
    std::chrono::sys_days const day{std::chrono::days{ns / kDay}};
    std::chrono::year_month_day const date{day};
    return fmt::format(
        "{:04}-{:02}-{:02}",
        static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day())
    );
}

std::string utc_text(std::uint64_t ns) {
    std::uint64_t const second = ns % kDay / kSecond;
    return fmt::format(
        "{}T{:02}:{:02}:{:02}.{:09}Z",
        utc_date(ns),
        second / 3600,
        second / 60 % 60,
        second % 60,
        ns % kSecond
    );
}

}  // namespace florin::tools
