// Signing secrets of endpoints: made here, stored sealed, and the signature over a delivery.
//
//   Stripe-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>]
//   v1 = HMAC-SHA256(key = the whole secret, "whsec_" included; message = t "." body)
//
// What is stored is base64 of the key ring's seal, bound to its place: moved to another endpoint or
// another idempotency key it does not open. Thread rule: any thread.
#pragma once

#include "crypto/aead.h"
#include "ledger/base/secret.h"

#include <string>
#include <string_view>
#include <vector>

namespace florin::webhooks {

using SigningSecret = KeyBytes;

class Secrets {
public:
    // `random` outlives this.
    Secrets(crypto::KeyRing keys, crypto::Random& random)
        : keys_{std::move(keys)}, random_{random} {}

    // "whsec_" and 32 letters and digits.
    SigningSecret make() const;

    // For an endpoint's document.
    std::string seal(SigningSecret const& secret, std::string_view owner, std::string_view endpoint)
        const;
    Result<SigningSecret> open(
        std::string_view sealed, std::string_view owner, std::string_view endpoint
    ) const;

    // An answer that holds a secret, for the document of its idempotency key.
    std::string seal_answer(
        std::string_view body, std::string_view owner, std::string_view idempotency_key
    ) const;
    Result<std::string> open_answer(
        std::string_view sealed, std::string_view owner, std::string_view idempotency_key
    ) const;

private:
    std::string seal_at(std::string_view text, std::string const& place) const;
    Result<std::string> open_at(std::string_view sealed, std::string const& place) const;

    crypto::KeyRing keys_;
    crypto::Random& random_;
};

// The value of Stripe-Signature; one v1 for each secret.
std::string signature_header(
    std::vector<SigningSecret> const& secrets, std::int64_t time_s, std::string_view body
);

}  // namespace florin::webhooks
