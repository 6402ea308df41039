// The simulation on RocksDB over a disk that loses its power, fills up and refuses: the stores that
// the ledger really has. Hundreds of seeds in a minute. Thread rule: one thread.
#pragma once

#include "tests/sim/seeds.h"

namespace florin::ledger::sim {

// Throws Broken.
Outcome simulate_on_disk(std::uint64_t seed);

}  // namespace florin::ledger::sim
