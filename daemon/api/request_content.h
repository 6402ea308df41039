// What a request brings beside its path: its parameters and its idempotency key, and that nothing
// is in them which must not be stored.
// Thread rule: pure functions.
#pragma once

#include "daemon/api/error.h"
#include "daemon/http/form.h"
#include "daemon/http/message.h"

#include <optional>
#include <string>

namespace florin::api {

// The key of a request that may have one; nullopt: it has none. An ApiError for one that is no key,
// and for two that differ.
ApiResult<std::optional<std::string>> idempotency_key_of(http::Request const& request);

// A card number or secret key somewhere else than where it belongs would be stored in the clear,
// copied into events and shown to others: the request is refused, and what was sent not repeated.
// nullopt: there is none.
std::optional<ApiError> misplaced_secret(http::Form const& form);

// The parameters that an endpoint gets. DELETE may have them in either place, as clients differ:
// those of both count, and one that is in both is given twice.
ApiResult<http::Form> form_of(http::Request const& request);

}  // namespace florin::api
