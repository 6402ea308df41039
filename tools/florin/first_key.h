// An admin key made without a daemon, straight into a data directory: how the first one comes about
// in production, and the way back in where all are lost.
//
// Takes the directory's lock, so that it cannot happen beside a daemon; makes the directory where
// there is none. The document is of the form that daemon/model/documents.h calls ApiKey.
// Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"
#include "ledger/base/secret.h"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <map>
#include <string>

namespace florin::tools {

struct FirstKey {
    std::filesystem::path data_dir;
    std::filesystem::path vault_key_file;  // of the daemon's configuration: [vault] key_file
    std::string name;
    std::map<std::string, std::string> rights;  // resource to "read" or "write"; none: everything
};

// What the daemon's own API would answer, with the key's text in "key". Durable on return.
// Errc::already_held: a daemon runs there. Errc::malformed: the daemon would not take this name or
// these rights either (crypto/operator_key.h).
Result<nlohmann::ordered_json> make_first_key(FirstKey const& wanted);

}  // namespace florin::tools
