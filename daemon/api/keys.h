// API keys: made once, shown once, kept as keyed hashes and found by their id.
//
//   key := ("sk" | "pk" | "ak") "_" ("test" | "live") "_" id{12} secret{32}
//
// Thread rule: any thread.
#pragma once

#include "daemon/flow/store.h"
#include "daemon/model/documents.h"
#include "ledger/base/secret.h"

#include <optional>
#include <string>

namespace florin::api {

// Keys belong to the platform, whoever they act for.
inline constexpr char const* kKeyOwner = "platform/keys";

struct NewKey {
    ApiKey key;              // to be shown once
    model::ApiKey document;  // to be stored under its id
};
// `kind`: secret, publishable or admin.
NewKey make_key(
    model::IdMaker& ids,
    KeyBytes const& pepper,
    std::string const& kind,
    std::string const& merchant,
    model::Mode mode,
    std::string const& name
);

// The document of a key that is known, sound and not revoked; compared in constant time.
Result<std::optional<model::ApiKey>> find_key(
    ledger::DocumentReader const& reader, KeyBytes const& pepper, ApiKey const& key
);

// "Bearer sk_…" or "Basic base64(sk_…:)"; nullopt: neither.
std::optional<ApiKey> key_from_header(std::string_view authorization);

}  // namespace florin::api
