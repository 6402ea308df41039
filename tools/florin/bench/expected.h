// Whether a ledger holds what a load has sent. Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"
#include "tools/florin/bench/load.h"

#include <vector>

namespace florin::tools {

// A way to look things up; at most kBatchEventsMax ids at once.
class Lookup {
public:
    virtual Result<std::vector<ledger::Account>> accounts(std::vector<u128> const& ids) = 0;
    virtual Result<std::vector<ledger::Transfer>> transfers(std::vector<u128> const& ids) = 0;

protected:
    ~Lookup() = default;
};

// The balances of every account, and a sample of the transfers; Errc::corrupt names the first
// difference.
Result<void> check_expected(Lookup& lookup, Load const& load);

}  // namespace florin::tools
