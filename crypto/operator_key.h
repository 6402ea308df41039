// What an operator's key says about people: whose it is, and what it may do. The daemon and the
// tool that makes the first key without a daemon check it by these functions, so that no way in is
// wider.
//
// Two names are one person's where they cannot be told apart by reading: case, width, white space,
// punctuation, invisible characters and letters of other scripts that look the same do not count
// (Unicode NFKC_Casefold, UAX 31; skeletons of UTS 39 section 4).
// Thread rule: pure functions.
#pragma once

#include "ledger/base/result.h"

#include <map>
#include <string>
#include <string_view>

namespace florin::crypto {

// What operators have rights to.
inline constexpr std::string_view kOperatorResources[] = {
    "attempts", "journal", "keys", "ledger", "merchants", "recon", "routes", "settlement"
};

inline constexpr std::size_t kOperatorNameMax = 200;  // bytes

// A person's name as it is stored: composed (NFC), white space as single blanks, none outside.
// Errc::malformed: not UTF-8, without letters, too long, with control, format, invisible,
// private or unassigned characters, or with what looks like a card number or a key.
Result<std::string> operator_name(std::string_view text);

// What is compared instead of a name; empty where it names nobody. Takes any bytes.
std::string comparable_name(std::string_view name);

// Resource ("*": every one) to "read" or "write"; none: everything. Errc::malformed names what is
// not there.
Result<void> check_operator_rights(std::map<std::string, std::string> const& rights);

}  // namespace florin::crypto
