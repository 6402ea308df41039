// What a key may do: rights per resource.
//
// A right is a resource's name and how far it goes: "read" (GET) or "write" (everything). The
// resource of a merchant's request is the first name of its path after /v1/ ("payment_intents"); an
// operator's is named by its row of the route table. "*" stands for every resource; a resource's
// own right goes before it.
// Thread rule: pure functions.
#pragma once

#include "daemon/model/documents.h"
#include "ledger/base/result.h"

#include <map>
#include <string>
#include <string_view>

namespace florin::api {

enum class Access { read, write };
std::string_view access_name(Access access);

using Rights = std::map<std::string, std::string>;

// "payment_intents" of "/v1/payment_intents/pi_1/confirm"; empty: none.
std::string_view resource_of(std::string_view path);

// Secret keys may do everything a merchant can. Admin keys without a list of rights may do
// everything an operator can; with one, and restricted keys always, only what is listed. A
// publishable key has no rights: what it may do is decided by the endpoint.
bool may(model::ApiKey const& key, std::string_view resource, Access wanted);
// Errc::refused, naming the right, where it may not.
Result<void> need(model::ApiKey const& key, std::string_view resource, Access wanted);

// Whether an operator with this key may give an operator these rights (none: everything): nobody
// gives what they do not have.
bool may_give(model::ApiKey const& giver, Rights const& rights);

}  // namespace florin::api
