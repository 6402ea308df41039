// One seed: an engine driven at random over storage that fails at random, and crashed, reopened and
// compared after every crash.
//
// The storage is a Backend: memory (memory_sim.cc) or RocksDB on a faulty file system
// (storage_sim.cc). After a reopen the ledger must stand at the last acknowledged record, or after
// the one group that was in flight; its whole state must be the oracle's there; and every answer
// that was given must still be true. Thread rule: one thread.
#pragma once

#include "ledger/engine.h"
#include "tests/sim/oracle.h"
#include "tests/sim/promises.h"
#include "tests/sim/random.h"
#include "tests/sim/workload.h"

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace florin::ledger::sim {

inline constexpr std::array<unsigned char, 16> kSimulatedLedger{0x51, 0x30};

class Backend {
public:
    Backend() = default;
    Backend(Backend const&) = delete;
    Backend& operator=(Backend const&) = delete;
    virtual ~Backend() = default;

    // Makes journal and store ready for a new process. An Error is a fault that was injected while
    // opening; `healthy`: inject none, so that every Error is the ledger's fault.
    virtual Result<void> open(bool healthy) = 0;
    virtual Journal& journal() = 0;
    virtual StateStore& store() = 0;
    // Ready to run: from here on faults may come.
    virtual void arm() = 0;
    // No faults until arm().
    virtual void heal() = 0;
    // Called before each append.
    virtual void before_append() {}
    // Lets the completion of the append in flight arrive, if it can.
    virtual void deliver() = 0;
    // Something that may happen by itself at this moment.
    virtual void something_happens() {}
    // The machine has lost its power: nothing after this moment counts.
    virtual bool is_dead() const { return false; }
    // A read has failed because of an injected fault since arm().
    virtual bool had_read_error() { return false; }
    // The process is gone; the engine has been destroyed before.
    virtual void crash() = 0;
    // What the trace should know of the storage.
    virtual std::uint64_t fingerprint() const { return 0; }
};

struct SimulationShape {
    unsigned crashes = 3;
    unsigned steps_max = 40;  // between two crashes
    bool manual_clock = false;
    bool background_is_held = false;  // run building waits, and may never come
    std::uint64_t run_transfers = 8;
    std::uint64_t run_bytes = 1U << 20U;
    WorkloadShape workload;
};

class Simulation {
public:
    Simulation(SimulationShape const& shape, Backend& backend, Random& random);
    ~Simulation();

    // Throws Broken where the ledger breaks a promise.
    void run();
    std::uint64_t trace() const { return trace_.hash(); }
    // For the curious: what this seed went through.
    struct Figures {
        std::uint64_t requests = 0;
        std::uint64_t records = 0;
        std::uint64_t crashes = 0;
        std::uint64_t recovered_unanswered =
            0;                       // groups found after a crash that nobody was told of
        std::uint64_t lost = 0;      // groups in flight that were not
        std::uint64_t failures = 0;  // engines that stopped by themselves
        std::uint64_t refused_opens = 0;
    };
    Figures const& figures() const { return figures_; }

private:
    class Ask;

    void open_until_it_works();
    Result<void> open(bool healthy);
    void live();
    void step();
    void submit();
    void pulse();
    void send();
    void deliver();
    void committed();
    void run_job();
    void tell_run();
    void settle();
    void crash();
    void find_out_what_survived();
    void check_lost(DecidedGroup const& group) const;
    void check_answers(DecidedGroup const& group, bool is_recovered);
    void compare();
    std::shared_ptr<Decided> note(Decided::Kind kind, DecidedGroup& group);
    void must_stand(Position const& acknowledged) const;

    SimulationShape shape_;
    Backend& backend_;
    Random& random_;
    SimulatedTime time_;
    Workload workload_;
    Trace trace_;
    Promises promises_;
    std::unique_ptr<Oracle> oracle_;
    std::unique_ptr<Engine> engine_;
    DecidedGroup current_;    // decided, not sent
    DecidedGroup in_flight_;  // sent, and nobody knows
    Position acknowledged_;   // the last record of which anybody was told
    std::optional<std::pair<AppendOutcome, std::string>> arrived_;
    std::deque<std::function<void()>> jobs_;
    std::optional<Engine::RunOutcome> run_ready_;
    Figures figures_;
};

}  // namespace florin::ledger::sim
