// API keys: made once, shown once, kept as keyed hashes and found by their id (crypto/api_key.h has
// their form).
//
// Every request shows a key, so what is known of a key is kept decoded, together with what it has
// used of its limits. Whoever changes a key's document says so with changed(); from then on nobody
// is answered by what was known before.
//
// Thread rule: any thread.
#pragma once

#include "crypto/hmac.h"
#include "daemon/api/limits.h"
#include "daemon/flow/store.h"
#include "daemon/model/documents.h"
#include "ledger/base/secret.h"

#include <array>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace florin::api {

// Keys belong to the platform, whoever they act for.
inline constexpr char const* kKeyOwner = "platform/keys";

struct NewKey {
    ApiKey key;              // to be shown once
    model::ApiKey document;  // to be stored under its id
};
// A key like `wanted`, whose kind, mode and everything that is not the key itself are filled in;
// id, hash and created are not looked at. An admin key has no mode: it is always ak_live_.
NewKey make_key(model::IdMaker& ids, crypto::HmacSha256 const& pepper, model::ApiKey wanted);

class Keys {
public:
    struct Parts {
        ledger::DocumentReader const& documents;
        crypto::HmacSha256 pepper;  // of KeyRing::derive(crypto::kApiKeyPurpose)
        Clock const& clock;
        KeyLimits test, live;            // of merchants' keys that have none of their own
        std::size_t known_max = 10'000;  // kept decoded; the least recently used ones go
    };
    explicit Keys(Parts parts);

    // What is known of one key.
    struct Known {
        Known(model::ApiKey stored, KeyLimits const& limits, Clock const& clock);
        model::ApiKey const document;
        model::Mode const mode;
        std::string const owner;  // of the documents it acts on: "acct_x/test"
        KeyLimiter limiter;
    };
    // nullptr: not of our form, unknown, revoked, expired or not this secret. Takes equally long
    // for every key of the right form that is not cached, whether or not its id exists.
    Result<std::shared_ptr<Known>> find(ApiKey const& key);

    // After a key's document was written, and before anybody is told.
    void changed(std::string const& id);

    crypto::HmacSha256 const& pepper() const { return parts_.pepper; }

private:
    using Entry = std::pair<std::string, std::shared_ptr<Known>>;
    // A part of what is known, with a lock of its own: held for a look-up, never while reading.
    struct Shard {
        std::mutex mutex;
        std::list<Entry> by_use;  // the latest first
        std::unordered_map<std::string_view, std::list<Entry>::iterator> by_id;
        std::uint64_t changes = 0;
    };
    static constexpr std::size_t kShards = 16;

    Shard& shard_of(std::string_view id);
    Result<std::shared_ptr<Known>> known(std::string_view id);
    std::shared_ptr<Known> keep(Shard& shard, std::uint64_t changes, std::shared_ptr<Known> fresh);

    Parts const parts_;
    std::array<Shard, kShards> shards_;
};

}  // namespace florin::api
