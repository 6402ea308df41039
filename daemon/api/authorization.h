// The Authorization header of the merchant API and of the operators'.
// Thread rule: pure functions.
#pragma once

#include "ledger/base/secret.h"

#include <optional>
#include <string_view>

namespace florin::api {

// "Bearer sk_…" or "Basic base64(sk_…:)", whatever the key is; nullopt: neither.
std::optional<ApiKey> key_from_header(std::string_view authorization);

}  // namespace florin::api
