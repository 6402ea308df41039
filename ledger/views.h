// The views: what a record makes of the books and of the stored tables.
//
// Records are applied in order, once: the live tables at once, the run tables when a run is full. A
// run is built and ingested beside the ledger thread; until it is stored, its content is answered
// from memory. The running ledger applies what it has decided itself; a restart, a reader and
// verify decide nothing and move the same books by what the records say (replay), so the two ways
// meet in the same tables, and verify compares them.
//
//   "applied" in table meta  := sequence u64: the live tables hold everything up to it
//   the run tables           := run_builder.h
//
// Thread rule: the ledger thread only, but for RunToStore::store.
#pragma once

#include "ledger/books.h"
#include "ledger/live.h"
#include "ledger/run_builder.h"

#include <memory>
#include <vector>

namespace florin::ledger {

// What is known once a run is stored.
struct StoredRun {
    LedgerTotals after;                // sums over all accounts
    std::shared_ptr<IdFilter> filter;  // of all stored ids; nullptr where there is none
};

// A run that is full, on its way to the store.
struct RunToStore {
    std::shared_ptr<Run const> run;
    LedgerTotals before;
    std::shared_ptr<IdFilter> filter;  // of the runs before
    std::size_t filter_bytes_max = 0;  // 0: there is to be none

    // Builds its tables and takes them in; durable on return. Any thread.
    Result<StoredRun> store(StateStore& store) const;
};

class Views {
public:
    Views(Books& books, StateStore& store) : books_{books}, store_{store} {}

    // Reads what the stored tables have applied, and what must be in memory.
    Result<void> load();
    Sequence run_applied() const { return run_applied_; }
    Sequence live_applied() const { return live_applied_; }
    Sequence applied() const { return applied_; }

    // The next record was decided here and is durable now. `live`: its changes of live tables.
    void apply(Sequence sequence, std::size_t bytes, std::vector<Change> live);

    struct Record {
        Sequence sequence = 0;
        ByteView transfers;
        ByteView effects;
        PayloadLookup payload;
    };
    // The next record comes from the journal. What a table has applied already is skipped.
    Result<void> replay(Record const& record);

    // Makes the live changes applied since the last call visible to readers, as one write. Where
    // there are none, the store only has to know how far they go before a restart depends on it.
    enum class Publish : bool { changes, position_too };
    Result<void> publish(Publish what);

    struct RunLimits {
        std::uint64_t transfers = 500'000;
        std::uint64_t bytes = 256ULL << 20U;  // of journal
    };
    bool is_run_full(RunLimits const& limits) const;
    // Ends the run at the last applied record.
    RunToStore cut_run();
    // The cut run is stored.
    void run_is_stored(StoredRun stored);

private:
    struct Kernel {
        std::vector<AccountCreated> accounts;
        std::vector<u128> used_ids;
        std::vector<PendingResolved> resolved;
        std::vector<PendingExpired> expired;
    };
    Result<void> replay_run(Record const& record);
    Result<void> replay_live(Record const& record);
    static Result<Kernel> kernel_effects(Record const& record);
    Result<void> replay_transfer(Transfer const& transfer, PendingResolved const* resolved);
    Result<void> replay_expiry(PendingExpired const& expired);
    Result<AccountSlot*> account(u128 id);

    Books& books_;
    StateStore& store_;
    std::vector<Change> unpublished_;
    LedgerTotals totals_;  // after the last stored run
    std::uint64_t run_bytes_ = 0;
    Sequence run_applied_ = 0;
    Sequence live_applied_ = 0;
    Sequence applied_ = 0;
};

}  // namespace florin::ledger
