// Base64 (RFC 4648 section 4): alphabet with + and /, padded, without line breaks.
// Thread rule: pure functions.
#pragma once

#include "ledger/base/bytes.h"

#include <optional>
#include <string>
#include <string_view>

namespace florin::crypto {

std::string base64(ByteView bytes);

// nullopt for anything that base64() would not have written.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace florin::crypto
