// How attempts and what is known of them are shown, whichever way they were read: a data directory
// holds them as they are stored, a daemon answers them with names of its own.
// Thread rule: pure functions, but for printing.
#pragma once

#include "tools/florin/output.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>

namespace florin::tools {

// The names of members that differ. Amounts are minor units.
struct AttemptNames {
    char const* id;
    char const* amount;  // of an attempt, and of its evidence
    bool has_merchant;
};
inline constexpr AttemptNames kStoredAttempt{.id = "id", .amount = "amount", .has_merchant = false};
inline constexpr AttemptNames kAnsweredAttempt{
    .id = "attempt", .amount = "amount_minor", .has_merchant = true
};

// One row an attempt.
Table attempts_table(AttemptNames const& names);
void add_attempt(Table& table, AttemptNames const& names, nlohmann::ordered_json const& attempt);

// An attempt's evidence under its heading.
void print_evidence(
    AttemptNames const& names, nlohmann::ordered_json const& attempt, Format format
);

// For how long it has been open, since `created` seconds after 1970: "45s", "7m", "3h 05m", "2d
// 04h".
std::string age_text(std::int64_t created, std::int64_t now);
// Of an attempt as of now; empty where it is closed.
std::string age_of(nlohmann::ordered_json const& attempt);

// A member that is seconds since 1970, as a time in UTC; empty where it is 0 or missing.
std::string time_of(nlohmann::ordered_json const& object, char const* name);

}  // namespace florin::tools
