#include "tests/sim/memory_sim.h"

#include "tests/sim/failure.h"
#include "tests/sim/faulty_store.h"
#include "tests/sim/simulation.h"

namespace florin::ledger::sim {
namespace {

class MemoryBackend final : public Backend {
public:
    MemoryBackend(Random& random, bool has_faults)
        : random_{random},
          has_faults_{has_faults},
          journal_{kSimulatedLedger},
          store_{memory_, random} {
        store_.flush_one_in(random.one_in(2) ? 0 : random.between(1, 10));
    }

    Result<void> open(bool healthy) override {
        // The first record is waited for inside of opening.
        journal_.hold_completions(false);
        if (!healthy) {
            arm_store();
            if (random_.one_in(3)) {
                journal_.script(any_trouble());
            }
        }
        return {};
    }
    Journal& journal() override { return journal_; }
    StateStore& store() override { return store_; }

    void arm() override {
        journal_.hold_completions(true);
        is_armed_ = true;
        read_errors_before_ = store_.read_errors();
        if (has_faults_ && random_.one_in(2)) {
            arm_store();
        }
    }
    void heal() override {
        is_armed_ = false;
        journal_.clear_script();
        journal_.hold_completions(true);
        store_.heal();
    }
    void before_append() override {
        if (is_armed_ && has_faults_ && random_.one_in(4)) {
            journal_.script(any_trouble());
        }
    }
    void deliver() override {
        if (random_.one_in(4)) {
            journal_.commit_late();
        }
        journal_.pump();
    }
    void something_happens() override {
        if (random_.one_in(10)) {
            journal_.fence();
        } else {
            journal_.commit_late();
        }
    }
    bool had_read_error() override { return store_.read_errors() != read_errors_before_; }
    void crash() override {
        auto const late = static_cast<MemoryJournal::Late>(random_.below(3));
        auto const tail =
            random_.one_in(2) ? MemoryJournal::Tail::torn : MemoryJournal::Tail::whole;
        journal_.crash(late, tail);
        store_.heal();
        memory_.crash();
    }

private:
    void arm_store() {
        std::uint64_t const k = random_.between(1, 20);
        if (random_.one_in(4)) {
            store_.arm_read(k * 4);
        } else {
            store_.arm(k, static_cast<FaultyStore::Fault>(random_.below(4)));
        }
    }
    MemoryJournal::Script any_trouble() {
        using Script = MemoryJournal::Script;
        // Mostly not knowing; the definitive ones end the process.
        static constexpr Script kTroubles[] = {
            Script::unknown_written,
            Script::unknown_not_written,
            Script::unknown_late,
            Script::unknown_written,
            Script::unknown_not_written,
            Script::unknown_late,
            Script::not_sent,
            Script::conflict,
            Script::fenced,
        };
        return kTroubles[random_.below(std::size(kTroubles))];
    }

    Random& random_;
    bool has_faults_;
    bool is_armed_ = false;
    MemoryJournal journal_;
    MemoryStateStore memory_;
    FaultyStore store_;
    std::uint64_t read_errors_before_ = 0;
};

SimulationShape shape_of(Random& random) {
    SimulationShape shape;
    shape.crashes = static_cast<unsigned>(random.between(1, 4));
    shape.steps_max = static_cast<unsigned>(random.one_in(10) ? 150 : random.between(5, 50));
    shape.manual_clock = random.one_in(2);
    shape.background_is_held = random.one_in(2);
    shape.run_transfers = random.one_in(3) ? 2'000 : random.between(1, 20);
    shape.run_bytes = random.one_in(3) ? random.between(200, 4'000) : 1U << 20U;
    shape.workload.accounts = random.between(3, 10);
    shape.workload.manual_clock = shape.manual_clock;
    shape.workload.has_big_bodies = random.one_in(400);
    return shape;
}

}  // namespace

Outcome simulate_in_memory(std::uint64_t seed) {
    Random random{seed};
    SimulationShape const shape = shape_of(random);
    bool const has_faults = !random.one_in(5);
    MemoryBackend backend{random, has_faults};
    Simulation simulation{shape, backend, random};
    simulation.run();
    return {.trace = simulation.trace(), .figures = simulation.figures()};
}

}  // namespace florin::ledger::sim
