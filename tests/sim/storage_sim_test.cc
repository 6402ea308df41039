// The ledger on RocksDB, with the power gone at any moment.
#include "tests/sim/storage_sim.h"

#include <doctest/doctest.h>

namespace florin::ledger::sim {

TEST_CASE(
    "after every power loss the books are those of the last acknowledged record or a later one"
) {
    run_seeds(
        {.program = "storage_sim_test",
         .test_case = "after every power loss*",
         .seeds = FLORIN_SIM_STORAGE_SEEDS,
         .seeds_soak = 20'000},
        simulate_on_disk
    );
}

TEST_CASE("a seed does the same each time") {
    check_determinism(
        {.program = "storage_sim_test",
         .test_case = "a seed does the same*",
         .seeds = 5,
         .seeds_soak = 200},
        simulate_on_disk
    );
}

}  // namespace florin::ledger::sim
