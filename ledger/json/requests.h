// Requests to the kernel as JSON, the way `florin ledger exec` speaks it, and its errors.
//
// 128- and 64-bit numbers are decimal strings (JSON integers are taken where they are exact), 32-
// and 16-bit ones are numbers (strings are taken); flags are lists of names or an integer mask.
// Thread rule: pure functions.
#pragma once

#include "ledger/command.h"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace florin::ledger {

// A longer line is refused unread. A batch of the most events, each with every field written out,
// stays far below this.
inline constexpr std::size_t kRequestTextBytesMax = 64U << 20U;

// Why a request was not understood.
struct JsonError {
    std::string code;  // malformed_json, unknown_request, unknown_field, bad_value, too_many_events
    std::string message;
};

// One request, e.g. {"create_transfers":[{…}]}. The one that decides what a request is; large
// numbers of them are read by FastRequestReader (fast_requests.h) first.
std::expected<Request, JsonError> parse_request(std::string_view line);

// One line without its end. Answers are written by answers.h.
std::string render_error(std::string_view code, std::string_view message, std::uint64_t line);

}  // namespace florin::ledger
