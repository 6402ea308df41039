// The simulation on memory: every seed a few crashes, tens of thousands of seeds in a minute.
// Thread rule: one thread.
#pragma once

#include "tests/sim/seeds.h"

namespace florin::ledger::sim {

// Throws Broken.
Outcome simulate_in_memory(std::uint64_t seed);

}  // namespace florin::ledger::sim
