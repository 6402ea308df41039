// The ledger as it must be: an engine on memory that never fails and never restarts, given exactly
// what the ledger under test has made durable, in the same order and the same groups.
//
// Thread rule: one thread.
#pragma once

#include "ledger/engine.h"
#include "ledger/memory_journal.h"
#include "ledger/memory_state_store.h"
#include "tests/sim/workload.h"

#include <memory>
#include <optional>
#include <vector>

namespace florin::ledger::sim {

class SimulatedTime final : public Clock {
public:
    std::uint64_t wall_ns() const override { return now; }
    std::uint64_t steady_ns() const override { return now; }
    std::uint64_t now = 0;
};

// Something that moved the decided front, in order.
struct Decided {
    enum class Kind {
        request,
        pulse,
        sent_nothing,  // start_append found only refusals that leave no trace, and answered them
    };
    Kind kind = Kind::request;
    std::uint64_t wall_ns = 0;
    Request request;
    std::optional<Result<Answer>> answer;  // as the ledger under test gave it
    unsigned answers = 0;
};
using DecidedGroup = std::vector<std::shared_ptr<Decided>>;

class Oracle {
public:
    // `wall_ns`: when the ledger under test writes its first record.
    Oracle(
        std::array<unsigned char, 16> const& ledger_id, bool manual_clock, std::uint64_t wall_ns
    );

    // Decides a group and makes it durable; the answers, in order (a pulse's is nullopt).
    std::vector<std::optional<Result<Answer>>> commit(DecidedGroup const& group);
    // A read, at once.
    Result<Answer> read(Request const& request);

    Sequence head() const { return engine_->head().sequence; }
    Engine const& engine() const { return *engine_; }
    Journal const& journal() const { return journal_; }
    StateStore const& store() const { return store_; }

private:
    bool send();

    SimulatedTime time_;
    MemoryJournal journal_;
    MemoryStateStore store_;
    std::unique_ptr<Engine> engine_;
};

// Records `from` to the end, byte for byte; throws Broken.
void compare_journals(Journal const& tested, Journal const& expected, Sequence from);
// Everything that can be asked of the two; throws Broken. Nothing may be under way.
void compare_states(
    Engine& tested, StateStore const& tested_store, Oracle& oracle, Workload const& workload
);
// What a read of an engine answers when nothing is under way.
Result<Answer> ask(Engine& engine, Request const& request);

}  // namespace florin::ledger::sim
