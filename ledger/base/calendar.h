// Moments as the calendar has them, in UTC. Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

namespace florin {

// Seconds since 1970-01-01T00:00:00Z.
std::tm utc_of(std::int64_t seconds);
std::string utc_date(std::int64_t seconds);  // "2026-11-25"
std::string utc_time(std::int64_t seconds);  // "2026-11-25T03:08:09Z"
// Nanoseconds since then, all 64 bits: "2026-11-25T03:08:09.000000001Z".
std::string utc_moment(std::uint64_t ns);
// Field 7 of ISO 8583, transmission date and time: MMDDhhmmss.
std::string utc_transmission_time(std::int64_t seconds);

inline constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
inline std::int64_t seconds_of(std::uint64_t ns) {
    return static_cast<std::int64_t>(ns / kNsPerSecond);
}

}  // namespace florin
