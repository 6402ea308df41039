// Runs a simulation over many seeds and says how to repeat the one that failed.
//
//   FLORIN_SIM_SEED=n    only this seed
//   FLORIN_SIM_SEEDS=n   this many seeds instead of the test's own number
//   FLORIN_SIM_FIRST=n   from this seed on (default 1)
//
// Thread rule: one thread.
#pragma once

#include "tests/sim/simulation.h"

#include <cstdint>
#include <functional>

namespace florin::ledger::sim {

struct Outcome {
    std::uint64_t trace = 0;
    Simulation::Figures figures;
};
using SimulateSeed = std::function<Outcome(std::uint64_t seed)>;

struct SeedPlan {
    char const* program;    // name of this test executable
    char const* test_case;  // as -tc= takes it
    std::uint64_t seeds;
    std::uint64_t seeds_soak;  // with FLORIN_SOAK=1
};

// Fails the running doctest case at the first seed that breaks a promise. A seed that stops the
// process (a broken check, a sanitizer) is named as well.
void run_seeds(SeedPlan const& plan, SimulateSeed const& simulate);
// The same seeds twice: they must do the same.
void check_determinism(SeedPlan const& plan, SimulateSeed const& simulate);

}  // namespace florin::ledger::sim
