#include "crypto/hash.h"

#include "ledger/base/check.h"

#include <openssl/evp.h>

namespace florin::crypto {
namespace {

// Fetching an algorithm by name takes longer than hashing a small record: once per process.
EVP_MD const* algorithm() {
    static EVP_MD const* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    FLORIN_CHECK(md != nullptr, "OpenSSL offers SHA-256");
    return md;
}

}  // namespace

struct Sha256::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    State() {
        FLORIN_CHECK(context != nullptr, "memory for a hash");
        reset();
    }
    State(State const&) = delete;
    State& operator=(State const&) = delete;
    ~State() { EVP_MD_CTX_free(context); }
    void reset() const {
        FLORIN_CHECK(EVP_DigestInit_ex2(context, algorithm(), nullptr) == 1, "SHA-256 starts");
    }
};

Sha256::Sha256() : state_{std::make_unique<State>()} {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView bytes) {
    FLORIN_CHECK(
        EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1, "SHA-256 goes on"
    );
}

Digest Sha256::finish() {
    Digest digest{};
    unsigned length = 0;
    FLORIN_CHECK(
        EVP_DigestFinal_ex(state_->context, digest.data(), &length) == 1 && length == digest.size(),
        "SHA-256 ends"
    );
    state_->reset();
    return digest;
}

Digest sha256(ByteView bytes) {
    thread_local Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

std::string hex(Digest const& digest) {
    return to_hex(view(digest));
}

}  // namespace florin::crypto
