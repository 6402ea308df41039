// Text in EBCDIC, code page 1047 (the one of z/OS and of most ISO 8583 hosts that speak EBCDIC).
//
// In the process text is ASCII always; only bytes on the wire are EBCDIC. The table holds the 95
// printable characters of ASCII and nothing else: control characters and the other 161 bytes have
// no place in a message.
// Thread rule: pure functions.
#pragma once

#include "ledger/base/bytes.h"

#include <optional>
#include <string>
#include <string_view>

namespace florin::connectors::iso8583 {

// Appends printable ASCII in EBCDIC. False, with `out` as it was, for any other character.
bool append_ebcdic(std::string& out, std::string_view ascii);

// nullopt where a byte is not a printable character of the table.
std::optional<std::string> from_ebcdic(ByteView bytes);

}  // namespace florin::connectors::iso8583
