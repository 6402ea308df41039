// What a configuration puts into a ledger that does not have it yet: merchants, and keys to try
// things with.
// Thread rule: each call waits for the ledger thread, so not from that one or an event loop's.
#pragma once

#include "crypto/hmac.h"
#include "daemon/config/config.h"
#include "daemon/model/ids.h"
#include "ledger/base/result.h"
#include "ledger/ledger.h"

#include <string>
#include <vector>

namespace florin {

// In both modes. Merchants that are there stay as they are. Errors: those of the ledger;
// Errc::conflict where somebody else makes the same at this moment.
Result<void> seed_merchants(
    ledger::Ledger& ledger, model::IdMaker& ids, std::vector<config::Merchant> const& merchants
);

// A key of the test mode, as its holder sends it. `kind` is "sk", "pk" or "rk".
Result<std::string> new_test_key(
    ledger::Ledger& ledger,
    model::IdMaker& ids,
    crypto::HmacSha256 const& pepper,
    std::string const& kind,
    std::string const& merchant,
    std::string const& name
);

}  // namespace florin
