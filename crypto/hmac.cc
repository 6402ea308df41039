#include "crypto/hmac.h"

#include "ledger/base/check.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>

#include <mutex>
#include <vector>

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

namespace {

struct FreeMac {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
    void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
};
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

}  // namespace

// Contexts that are keyed and have nothing added: one to copy, and those that nobody uses now.
// Copying one takes longer than a short message, beginning anew with the same key does not.
struct HmacSha256::Prepared {
    MacContext context;
    std::mutex mutex;
    std::vector<MacContext> unused;

    MacContext take() {
        {
            std::lock_guard const lock{mutex};
            if (!unused.empty()) {
                MacContext taken = std::move(unused.back());
                unused.pop_back();
                return taken;
            }
        }
        return MacContext{EVP_MAC_CTX_dup(context.get())};
    }
    void give_back(MacContext used) {
        if (EVP_MAC_init(used.get(), nullptr, 0, nullptr) == 1) {
            std::lock_guard const lock{mutex};
            unused.push_back(std::move(used));
        }
    }
};

HmacSha256::HmacSha256(KeyBytes const& key) : prepared_{std::make_unique<Prepared>()} {
    std::unique_ptr<EVP_MAC, FreeMac> const mac{EVP_MAC_fetch(nullptr, "HMAC", nullptr)};
    FLORIN_CHECK(mac != nullptr, "OpenSSL has HMAC");
    prepared_->context.reset(EVP_MAC_CTX_new(mac.get()));
    FLORIN_CHECK(prepared_->context != nullptr, "OpenSSL has memory");
    char digest[] = "SHA256";
    OSSL_PARAM const parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()
    };
    auto const secret = key.reveal();
    int const done = EVP_MAC_init(
        prepared_->context.get(),
        reinterpret_cast<unsigned char const*>(secret.data()),
        secret.size(),
        parameters
    );
    FLORIN_CHECK(done == 1, "HMAC-SHA256 takes a key");
}

HmacSha256::HmacSha256(HmacSha256&& other) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&& other) noexcept = default;
HmacSha256::~HmacSha256() = default;

Digest HmacSha256::of(ByteView message) const {
    MacContext copy = prepared_->take();
    FLORIN_CHECK(copy != nullptr, "OpenSSL has memory");
    Digest digest{};
    std::size_t length = 0;
    bool const done =
        EVP_MAC_update(
            copy.get(), reinterpret_cast<unsigned char const*>(message.data()), message.size()
        ) == 1 &&
        EVP_MAC_final(copy.get(), digest.data(), &length, digest.size()) == 1;
    FLORIN_CHECK(done && length == digest.size(), "HMAC-SHA256 works");
    prepared_->give_back(std::move(copy));
    return digest;
}

bool equal_constant_time(ByteView a, ByteView b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace florin::crypto
