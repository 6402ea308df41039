// Forgets what need not be kept: bodies of documents that a newer version replaced or that are
// gone, and of events that nobody may ask for any more.
//
// The journal stays whole: its chain, every posting and every balance can still be verified; only
// the bodies beside its records go (docs/data-directory.md). Three passes walk the journal, each
// with a cursor of its own: one soon, over documents; one late, over documents again and over
// events; and one that goes round, for documents that are replaced when both have gone by. A round
// is over all that is as old as events become, and the next begins as long after it began: what is
// replaced is kept no longer than that and a round. It takes one bounded step at each look that
// leaves the others nothing to do, so a large journal makes a round longer, and no look heavier.
// A cursor follows what was dropped, so a crash repeats a little and forgets nothing too early.
// Thread rule: start and stop on one thread; the work is done on a thread of its own
// ("florin-keep").
#pragma once

#include "ledger/base/clock.h"
#include "ledger/ledger.h"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace florin::retention {

struct Options {
    std::uint64_t replaced_s = 26ULL * 3600;     // bodies of replaced and removed documents
    std::uint64_t events_s = 30ULL * 24 * 3600;  // bodies of events
    std::uint64_t interval_ms = 60'000;          // between looks at the journal
};

// One look: drops what is due and moves the cursors. For the thread below, and for tests.
class Sweeper {
public:
    // Both outlive this.
    Sweeper(ledger::Ledger& ledger, Options options) : ledger_{ledger}, options_{options} {}

    struct Swept {
        std::uint64_t dropped = 0;  // bodies; one that both first passes came by counts twice
        bool is_done = false;       // nothing else is due now; a round may be under way
    };
    // At most some thousands of records. Errors are those of reading and writing the journal.
    Result<Swept> sweep(std::uint64_t now_ns);

private:
    struct Pass {
        char const* name;
        std::uint64_t keep_s;
        bool events;
        bool again;  // begins again, keep_s after it last did; else goes on for ever
    };
    Result<Swept> sweep(Pass const& pass, std::uint64_t now_ns);
    Result<bool> is_replaced(ledger::DocumentWritten const& written) const;
    // What one step found, and how much it looked at.
    struct Step {
        std::vector<ledger::PayloadPlace> places;
        std::size_t records = 0;
        std::size_t documents = 0;
    };
    Result<void> collect(Pass const& pass, ledger::Sequence sequence, ByteView effects, Step& step)
        const;

    ledger::Ledger& ledger_;
    Options options_;
};

class Retention {
public:
    Retention(ledger::Ledger& ledger, Clock const& clock, Options options);
    Retention(Retention const&) = delete;
    Retention& operator=(Retention const&) = delete;
    ~Retention() { stop(); }

    void start();
    // Before the ledger stops. Idempotent.
    void stop();
    // Bodies dropped since the start; any thread.
    std::uint64_t dropped() const { return dropped_; }

private:
    void run();

    Sweeper sweeper_;
    Clock const& clock_;
    std::chrono::milliseconds interval_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::atomic<std::uint64_t> dropped_ = 0;
    std::thread thread_;
};

}  // namespace florin::retention
