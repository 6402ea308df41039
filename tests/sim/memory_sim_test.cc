// The ledger engine on memory, crashed everywhere.
#include "tests/sim/memory_sim.h"

#include <doctest/doctest.h>

namespace florin::ledger::sim {

TEST_CASE("after every crash the books are those of the last acknowledged record or a later one") {
    run_seeds(
        {.program = "memory_sim_test",
         .test_case = "after every crash*",
         .seeds = FLORIN_SIM_MEMORY_SEEDS,
         .seeds_soak = 1'000'000},
        simulate_in_memory
    );
}

TEST_CASE("a seed does the same each time") {
    check_determinism(
        {.program = "memory_sim_test",
         .test_case = "a seed does the same*",
         .seeds = 50,
         .seeds_soak = 5'000},
        simulate_in_memory
    );
}

}  // namespace florin::ledger::sim
