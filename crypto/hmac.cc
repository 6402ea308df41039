#include "crypto/hmac.h"

#include "ledger/base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace florin::crypto {

Digest hmac_sha256(KeyBytes const& key, ByteView message) {
    Digest digest{};
    unsigned length = 0;
    auto const secret = key.reveal();
    unsigned char const* const done = HMAC(
        EVP_sha256(),
        secret.data(),
        static_cast<int>(secret.size()),
        reinterpret_cast<unsigned char const*>(message.data()),
        message.size(),
        digest.data(),
        &length
    );
    FLORIN_CHECK(done != nullptr && length == digest.size(), "HMAC-SHA256 works");
    return digest;
}

bool equal_constant_time(ByteView a, ByteView b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace florin::crypto
