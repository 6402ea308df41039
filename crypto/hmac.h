// HMAC-SHA256 (RFC 2104, FIPS 198-1) and comparison in constant time.
// Thread rule: pure functions, and HmacSha256.
#pragma once

#include "crypto/hash.h"
#include "ledger/base/secret.h"

#include <memory>

namespace florin::crypto {

Digest hmac_sha256(KeyBytes const& key, ByteView message);

// The same under one key again and again: looking the algorithm up and preparing the key, which
// take longer than a short message and take OpenSSL's locks, are done once. Thread rule: any
// thread.
class HmacSha256 {
public:
    explicit HmacSha256(KeyBytes const& key);
    HmacSha256(HmacSha256&& other) noexcept;
    HmacSha256& operator=(HmacSha256&& other) noexcept;
    ~HmacSha256();
    Digest of(ByteView message) const;

private:
    struct Prepared;
    std::unique_ptr<Prepared> prepared_;
};

// Takes as long for equal as for different contents; lengths are not secret.
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace florin::crypto
