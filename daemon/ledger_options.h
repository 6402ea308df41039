// The section `ledger` of the configuration as the ledger wants it, in either mode.
#pragma once

#include "daemon/config/config.h"
#include "ledger/ledger.h"

namespace florin {

// The data directory and its kind are the caller's.
ledger::LedgerOptions ledger_options(config::Ledger const& settings);

}  // namespace florin
