// Moments on the command line and in tables. Thread rule: pure functions.
#pragma once

#include "ledger/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace florin::tools {

// Which end of a day a date alone means.
enum class DayEnd : bool { first, last };

// Nanoseconds since 1970 UTC from "1764054000000000000", "2026-11-25" or "2026-11-25T07:00:00Z",
// the last with up to nine decimals. Errc::malformed says what was expected.
Result<std::uint64_t> parse_moment(std::string_view text, DayEnd day_end);

}  // namespace florin::tools
