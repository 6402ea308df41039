// What the ledger keeps in memory beside what its newest runs need.
#pragma once

#include <cstddef>

namespace florin::ledger {

struct MemoryLimits {
    // Accounts, about 300 bytes each. Those that changed since the last stored run stay beyond it.
    std::size_t accounts_max = 1'000'000;
    // The newest transfers as they were recorded, 128 bytes each, for look-ups and resolutions.
    std::size_t transfers_max = 262'144;
    std::size_t expiries_max = 16'384;  // the next ones
    // A filter of the ids that were used, made where ids do not increase with time. At 16 bits an
    // id, the default is good for sixty million. 0: none.
    std::size_t id_filter_bytes_max = 128U << 20U;
};

}  // namespace florin::ledger
