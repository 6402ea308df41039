// API keys as text: how one is made, what is public of it, and what is kept instead of it.
//
//   key := ("sk" | "rk" | "pk" | "ak") "_" ("test" | "live") "_" id{12} secret{32}
//
// Id and secret are letters and digits. The id finds the key's document; the secret (190 bits) is
// in nobody's hands but the owner's: what is stored is a hash of the whole text under a key of the
// installation, so that a stolen journal opens nothing and cannot be searched offline.
// Thread rule: pure functions.
#pragma once

#include "crypto/hmac.h"
#include "crypto/random.h"
#include "ledger/base/secret.h"

#include <string>
#include <string_view>

namespace florin::crypto {

// What KeyRing::derive is asked for to get the hashes' key.
inline constexpr std::string_view kApiKeyPurpose = "api keys";

struct MadeApiKey {
    ApiKey key;  // to be shown once
    std::string id;
    std::string hash;
};
// `prefix`: "sk_test".
MadeApiKey make_api_key(Random& random, HmacSha256 const& pepper, std::string_view prefix);

// The id inside a key's text; empty: not of this form.
std::string_view api_key_id(ApiKey const& key);

// Hexadecimal HMAC-SHA256 of the whole text.
std::string api_key_hash(HmacSha256 const& pepper, ApiKey const& key);

}  // namespace florin::crypto
