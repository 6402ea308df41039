// The views: what a record makes of the applied books and of the stored tables.
//
// Records are applied in order, once: the live tables at once, the run tables when a run is full. A
// run is built and ingested beside the ledger thread; until it is stored, its content is answered
// from memory. The same code serves the running ledger, replay after a restart, and verify.
//
//   key of table run   := sequence of the run's last record u64 big-endian
//   value              := newest account timestamp u64, newest transfer timestamp u64
//   "applied" in meta  := sequence u64: the live tables hold everything up to it
//   key of table account_time := timestamp u64 big-endian; value: account id u128
//   key of table record_time  := timestamp of a record's first transfer; value: sequence u64
//   key of table pending      := timestamp of the pending transfer; value: PendingState u8
//   key of table expiry       := expires_at u64, timestamp u64 big-endian; value: location
//
// Thread rule: the ledger thread only, but for build_run, which is a pure function.
#pragma once

#include "ledger/books.h"
#include "ledger/live.h"

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace florin::ledger {

// Everything a run will store, fixed at its boundary.
struct RunContent {
    Sequence boundary = 0;
    std::uint64_t newest_account_timestamp = 0;
    std::uint64_t newest_transfer_timestamp = 0;
    std::shared_ptr<RecentBooks const> books;
    std::vector<Account> accounts;  // dirty ones, as applied
};

// The run's changes, sorted by (table, key).
std::vector<Change> build_run(RunContent const& run);

class Views {
public:
    Views(Books& books, StateStore& store) : books_{books}, store_{store} {}

    // Reads what the stored tables have applied, and what must be in memory.
    Result<void> load();
    Sequence run_applied() const { return run_applied_; }
    Sequence live_applied() const { return live_applied_; }

    struct Record {
        Sequence sequence = 0;
        ByteView transfers;
        ByteView effects;
        PayloadLookup payload;
    };
    // In order of sequence. What a table has applied already is skipped. With `replay` the decided
    // front moves along.
    Result<void> apply(Record const& record, bool replay);
    // Makes the live changes applied since the last call visible to readers, as one write.
    Result<void> publish();

    // Transfers and journal bytes since the last run.
    std::uint64_t run_transfers() const { return run_transfers_; }
    std::uint64_t run_bytes() const { return run_bytes_; }
    Sequence applied() const { return applied_; }
    // Ends the run at the last applied record.
    RunContent rotate();
    // The rotated run is stored.
    void run_is_stored(Sequence boundary);

    // Σ debits = Σ credits, pending and posted, per ledger; kept up from account changes.
    struct Totals {
        u128 debits_pending = 0;
        u128 debits_posted = 0;
        u128 credits_pending = 0;
        u128 credits_posted = 0;
        bool balanced() const {
            return debits_pending == credits_pending && debits_posted == credits_posted;
        }
    };
    std::unordered_map<std::uint32_t, Totals> const& totals() const { return totals_; }

private:
    struct Decoded {
        std::vector<AccountCreated> accounts;
        std::vector<u128> used_ids;
        std::vector<PendingResolved> resolved;
        std::vector<PendingExpired> expired;
    };
    Result<void> apply_run(Record const& record, bool replay);
    Result<void> apply_live(Record const& record);
    Result<void> decode(Record const& record, Decoded& decoded) const;
    Result<void> apply_transfer(
        Transfer const& transfer, Location location, PendingResolved const* resolved, bool replay
    );
    Result<void> apply_expiry(PendingExpired const& expired, Sequence sequence, bool replay);
    void forget_expiry(std::uint64_t expires_at, std::uint64_t timestamp, bool replay);
    Result<AccountSlot*> touched(u128 account_id);
    void change(AccountSlot& slot, Account const& now, BalanceChange const& change);
    void check_totals() const;

    Books& books_;
    StateStore& store_;
    std::vector<AccountSlot*> dirty_;
    std::vector<Change> unpublished_;
    std::unordered_map<std::uint32_t, Totals> totals_;
    std::uint32_t next_block_ = 0;
    std::uint64_t run_transfers_ = 0;
    std::uint64_t run_bytes_ = 0;
    std::uint64_t newest_account_timestamp_ = 0;
    std::uint64_t newest_transfer_timestamp_ = 0;
    Sequence run_applied_ = 0;
    Sequence live_applied_ = 0;
    Sequence applied_ = 0;
};

}  // namespace florin::ledger
