#include "tests/sim/seeds.h"

#include "tests/sim/failure.h"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <unistd.h>

namespace florin::ledger::sim {
namespace {

// What a dying process still says; filled before each seed.
char replay_line[256];

constexpr int kDeadly[] = {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS};
struct sigaction handled_before[std::size(kDeadly)];

// Says how to repeat it, then leaves the signal to whoever had it before.
void on_deadly(int signal) {
    static_cast<void>(!::write(STDERR_FILENO, replay_line, std::strlen(replay_line)));
    for (std::size_t i = 0; i < std::size(kDeadly); ++i) {
        if (kDeadly[i] == signal) {
            ::sigaction(signal, &handled_before[i], nullptr);
        }
    }
}

void remember(SeedPlan const& plan, std::uint64_t seed) {
    std::snprintf(
        replay_line,
        sizeof replay_line,
        "FLORIN_SIM_SEED=%llu ./%s -tc='%s'\n",
        static_cast<unsigned long long>(seed),
        plan.program,
        plan.test_case
    );
}

std::uint64_t number_from(char const* variable, std::uint64_t otherwise) {
    char const* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Range {
    std::uint64_t first;
    std::uint64_t count;
};

Range range_of(SeedPlan const& plan) {
    if (std::getenv("FLORIN_SIM_SEED") != nullptr) {
        return {number_from("FLORIN_SIM_SEED", 0), 1};
    }
    char const* const soak = std::getenv("FLORIN_SOAK");
    bool const is_long = soak != nullptr && std::strcmp(soak, "1") == 0;
    return {
        number_from("FLORIN_SIM_FIRST", 1),
        number_from("FLORIN_SIM_SEEDS", is_long ? plan.seeds_soak : plan.seeds)
    };
}

void add(Simulation::Figures& sum, Simulation::Figures const& figures) {
    sum.requests += figures.requests;
    sum.records += figures.records;
    sum.crashes += figures.crashes;
    sum.recovered_unanswered += figures.recovered_unanswered;
    sum.lost += figures.lost;
    sum.failures += figures.failures;
    sum.refused_opens += figures.refused_opens;
}

Outcome simulate_or_tell(SeedPlan const& plan, SimulateSeed const& simulate, std::uint64_t seed) {
    remember(plan, seed);
    try {
        return simulate(seed);
    } catch (Broken const& broken) {
        FAIL("seed ", seed, ": ", broken.what, "\nrepeat with: ", replay_line);
    }
    return {};
}

class DeadlySignals {
public:
    DeadlySignals() {
        struct sigaction action{};
        action.sa_handler = on_deadly;
        for (std::size_t i = 0; i < std::size(kDeadly); ++i) {
            ::sigaction(kDeadly[i], &action, &handled_before[i]);
        }
    }
    DeadlySignals(DeadlySignals const&) = delete;
    DeadlySignals& operator=(DeadlySignals const&) = delete;
    ~DeadlySignals() {
        for (std::size_t i = 0; i < std::size(kDeadly); ++i) {
            ::sigaction(kDeadly[i], &handled_before[i], nullptr);
        }
    }
};

}  // namespace

void run_seeds(SeedPlan const& plan, SimulateSeed const& simulate) {
    DeadlySignals const handler;
    Range const range = range_of(plan);
    Simulation::Figures sum;
    for (std::uint64_t seed = range.first; seed < range.first + range.count; ++seed) {
        add(sum, simulate_or_tell(plan, simulate, seed).figures);
    }
    MESSAGE(
        range.count,
        " seeds: ",
        sum.requests,
        " requests, ",
        sum.records,
        " records, ",
        sum.crashes,
        " crashes, ",
        sum.failures,
        " engines stopped, ",
        sum.recovered_unanswered,
        " groups recovered that nobody was told of, ",
        sum.lost,
        " lost, ",
        sum.refused_opens,
        " opens failed"
    );
    if (range.count >= 100) {
        // A simulation in which nothing happens proves nothing.
        CHECK(sum.requests > range.count);
        CHECK(sum.crashes >= range.count);
        CHECK(sum.failures > 0);
        CHECK(sum.recovered_unanswered > 0);
        CHECK(sum.lost > 0);
        CHECK(sum.refused_opens > 0);
    }
}

void check_determinism(SeedPlan const& plan, SimulateSeed const& simulate) {
    DeadlySignals const handler;
    Range const range = range_of(plan);
    for (std::uint64_t seed = range.first; seed < range.first + range.count; ++seed) {
        std::uint64_t const once = simulate_or_tell(plan, simulate, seed).trace;
        std::uint64_t const again = simulate_or_tell(plan, simulate, seed).trace;
        REQUIRE_MESSAGE(once == again, "seed ", seed, " does something else each time");
    }
}

}  // namespace florin::ledger::sim
