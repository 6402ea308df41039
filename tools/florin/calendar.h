// Timestamps as people write them, in UTC. Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string>

namespace florin::tools {

// "2026-11-25" and "2026-11-25T03:08:09.000000001Z"; of nanoseconds since 1970-01-01T00:00:00Z.
std::string utc_date(std::uint64_t ns);
std::string utc_text(std::uint64_t ns);

}  // namespace florin::tools
