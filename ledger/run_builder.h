// The stored tables of a run.
//
//   key of table run          := sequence of the run's last record, u64 big-endian
//   value                     := newest account timestamp, newest transfer timestamp, ledger count,
//                                (ledger u32, debits pending, debits posted, credits pending,
//                                credits posted){count}: the sums over all accounts; LEB128 but for
//                                the ledger
//   key of table transfer_id  := id u128 big-endian; value: sequence, index as LEB128, index
//                                0xffffffff where the id was used up by a refusal
//   key of table account      := id u128 big-endian; value: Account
//   key of table account_time := timestamp u64 big-endian; value: account id u128
//   key of table record_time  := timestamp of a record's first transfer, u64 big-endian
//   value                     := sequence u64, bit set of its ledgers u64, of its codes u64 (run.h)
//   key of table pending      := timestamp of the pending transfer; value: PendingState u8
//   key of table expiry       := expires_at u64, timestamp u64, big-endian; value: as transfer_id
//   key of transfer_index     := field u8, value u128, timestamp u64, big-endian; value: as
//                                transfer_id; only where the field is not zero
//   key of account_index      := the same; value: account id u128
//   table history             := history.h
//   table id_hash             := id_filter.h
//
// Thread rule: pure; build on any thread.
#pragma once

#include "ledger/id_filter.h"
#include "ledger/run.h"
#include "ledger/state_store.h"

#include <map>
#include <memory>

namespace florin::ledger {

// Balances of all accounts of a ledger together. In a sound ledger debits equal credits.
using LedgerTotals = std::map<std::uint32_t, Balances>;
inline bool is_balanced(Balances const& sums) {
    return sums.debits_pending == sums.credits_pending && sums.debits_posted == sums.credits_posted;
}

// What the run table says of the newest run.
struct RunDescription {
    std::uint64_t newest_account_timestamp = 0;
    std::uint64_t newest_transfer_timestamp = 0;
    LedgerTotals totals;
};
std::string encode_run_description(RunDescription const& description);
Result<RunDescription> decode_run_description(ByteView value);

std::string index_store_key(IndexedField field, u128 value, std::uint64_t timestamp);

// Everything the run changes. `before`: the sums before the run; after() has those after it. The
// books of every ledger balance before and after, or the process stops. The run outlives it.
class RunBuilder final : public RunSource {
public:
    RunBuilder(Run const& run, LedgerTotals before);
    RunBuilder(RunBuilder const&) = delete;
    RunBuilder& operator=(RunBuilder const&) = delete;
    ~RunBuilder() override;
    void entries(Table table, Sink& sink) const override;
    LedgerTotals const& after() const { return after_; }
    // How many ids the run uses, and each of their hashes into the filter.
    std::size_t ids() const { return ids_.size(); }
    void add_ids(IdFilter& filter) const;

private:
    // An account of the run with what happened to it, in order.
    struct Line {
        std::uint32_t touched;
        std::uint32_t first;  // in order_
        std::uint32_t count;
    };
    void sort_changes();
    void close_accounts();
    // A transfer's id, or one that a refusal used up.
    struct Id {
        u128 id;
        Location location;
    };
    void collect_ids();
    void put_ids(Sink& sink) const;
    void put_id_hashes(Sink& sink) const;
    void put_history(Sink& sink) const;
    void put_accounts(Sink& sink) const;
    void put_times(Table table, Sink& sink) const;
    void put_pending(Sink& sink) const;
    void put_expiries(Sink& sink) const;
    void put_transfer_index(Sink& sink) const;
    void put_account_index(Sink& sink) const;

    Run const& run_;
    LedgerTotals after_;
    LargeMemory scratch_;             // for the two beneath, of the run's own memory
    std::span<Id> ids_;               // ascending
    std::span<std::uint32_t> order_;  // places of entries, account by account
    std::vector<std::uint32_t> touched_of_slot_;
    std::vector<Line> lines_;       // by account id
    std::vector<Account> closing_;  // of each touched account
};

}  // namespace florin::ledger
