#include "ledger/base/calendar.h"

#include <fmt/format.h>

namespace florin {

std::tm utc_of(std::int64_t seconds) {
    std::time_t const time = static_cast<std::time_t>(seconds);
    std::tm utc{};
    gmtime_r(&time, &utc);
    return utc;
}

std::string utc_date(std::int64_t seconds) {
    std::tm const utc = utc_of(seconds);
    return fmt::format("{:04}-{:02}-{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

std::string utc_time(std::int64_t seconds) {
    std::tm const utc = utc_of(seconds);
    return fmt::format(
        "{}T{:02}:{:02}:{:02}Z", utc_date(seconds), utc.tm_hour, utc.tm_min, utc.tm_sec
    );
}

std::string utc_moment(std::uint64_t ns) {
    std::string text = utc_time(seconds_of(ns));
    text.pop_back();
    return fmt::format("{}.{:09}Z", text, ns % kNsPerSecond);
}

std::string utc_transmission_time(std::int64_t seconds) {
    std::tm const utc = utc_of(seconds);
    return fmt::format(
        "{:02}{:02}{:02}{:02}{:02}",
        utc.tm_mon + 1,
        utc.tm_mday,
        utc.tm_hour,
        utc.tm_min,
        utc.tm_sec
    );
}

}  // namespace florin
