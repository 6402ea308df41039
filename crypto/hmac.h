// HMAC-SHA256 (RFC 2104, FIPS 198-1) and comparison in constant time.
// Thread rule: pure functions.
#pragma once

#include "crypto/hash.h"
#include "ledger/base/secret.h"

namespace florin::crypto {

Digest hmac_sha256(KeyBytes const& key, ByteView message);

// Takes as long for equal as for different contents; lengths are not secret.
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace florin::crypto
