// The books: accounts, transfer ids and pending transfers as the ledger thread sees them.
//
// Two moments live side by side. *Decided* is the front: every rule is checked against it and every
// decision moves it at once, so the next batch can be decided while the last one is being synced.
// *Applied* is what is durable: reads, history and the stored views come from it. Decided runs
// ahead of applied only by what is in flight; it is never written anywhere before it is committed,
// and a process that loses its lease or its journal throws it away with itself.
//
// What does not fit into memory is read from the run tables and the journal. Thread rule: the
// ledger thread only.
#pragma once

#include "ledger/history.h"
#include "ledger/journal.h"
#include "ledger/state_store.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include <deque>
#include <memory>
#include <set>
#include <vector>

namespace florin::ledger {

// Where a transfer is, or that its id was used up by a refusal.
struct Location {
    static constexpr std::uint32_t kUsedUp = 0xffffffff;
    Sequence sequence = 0;
    std::uint32_t index = 0;

    bool is_used_up() const { return index == kUsedUp; }
    friend bool operator==(Location const&, Location const&) = default;
};
// Values of table transfer_id: sequence u64, index u32, little-endian.
std::string encode_location(Location location);
Result<Location> decode_location(ByteView value);

// An open pending transfer with a timeout.
struct Expiry {
    std::uint64_t expires_at = 0;
    std::uint64_t pending_timestamp = 0;
    Location location;
    friend auto operator<=>(Expiry const& a, Expiry const& b) {
        return std::pair{a.expires_at, a.pending_timestamp} <=>
               std::pair{b.expires_at, b.pending_timestamp};
    }
    friend bool operator==(Expiry const& a, Expiry const& b) { return (a <=> b) == 0; }
};

struct AccountSlot {
    Account decided;
    Account applied;
    bool is_applied = false;  // false between being created and being durable
    bool is_dirty = false;    // changed since the last run
    HistoryBlock block;       // changes since the last finished block of this run
};

// What is newer than the stored runs. The run before is kept while it is being ingested.
struct RecentBooks {
    // Decided.
    boost::unordered_flat_map<u128, Location, U128Hash> ids;
    boost::unordered_flat_map<std::uint64_t, std::pair<PendingState, Sequence>> resolved;
    // Applied.
    std::vector<std::pair<std::uint64_t, u128>> account_times;     // ascending
    std::vector<std::pair<std::uint64_t, Sequence>> record_times;  // ascending
    std::vector<Change> history;                                   // finished blocks
    std::vector<Expiry> expiries_added;
    std::vector<Expiry> expiries_removed;
};

class Books {
public:
    Books(Journal const& journal, StateStore const& store) : journal_{journal}, store_{store} {}

    // ---- lookups at the decided front -----------------------------------------------------------
    // nullptr: no such account. Pointers stay valid for the life of the books.
    Result<AccountSlot*> account(u128 id);
    // nullopt: the id was never used.
    Result<std::optional<Location>> find_transfer(u128 id) const;
    Result<Transfer> transfer(Location location) const;
    Result<PendingState> pending_state(std::uint64_t pending_timestamp) const;
    Result<bool> account_exists_at(std::uint64_t timestamp) const;
    Result<bool> transfer_exists_at(std::uint64_t timestamp) const;
    // The last applied record that begins at or before this time; nullopt: none.
    Result<std::optional<Sequence>> record_at(std::uint64_t timestamp) const;
    // Every transfer of one record.
    Result<std::vector<Transfer>> transfers_of(Sequence sequence) const;
    std::set<Expiry> const& expiries() const { return expiries_; }
    std::uint64_t newest_account_timestamp() const { return newest_account_timestamp_; }
    std::uint64_t newest_transfer_timestamp() const { return newest_transfer_timestamp_; }

    // ---- decisions, undone as a whole when a chain breaks ---------------------------------------
    // Inside a scope every change is remembered; keep() ends it, undo() takes it back.
    void open_scope();
    void keep_scope();
    void undo_scope();

    void create_account(Account const& account);
    void change_account(AccountSlot& slot, Account const& now);
    void add_transfer(Transfer const& transfer, Location location);
    void resolve_pending(std::uint64_t timestamp, PendingState state, Sequence sequence);
    void add_expiry(Expiry const& expiry);
    void remove_expiry(Expiry const& expiry);
    // Never inside a scope: a used-up id outlives the chain that used it.
    void use_up_id(u128 id, Sequence sequence);

    // Transfers of the records from the last applied one on, by sequence: the part of the journal
    // that may not be readable yet.
    void begin_record(Sequence sequence);
    // The newest record turned out to hold nothing and will not be written.
    void drop_empty_record(Sequence sequence);
    std::vector<Transfer> const& record_transfers(Sequence sequence) const;
    void account_is_applied(AccountSlot& slot);

    // ---- loading and dropping, by the views -----------------------------------------------------
    struct Loaded {
        std::uint64_t newest_account_timestamp = 0;
        std::uint64_t newest_transfer_timestamp = 0;
    };
    // Reads what must be in memory: the open expiries.
    Result<void> load(Loaded const& newest);
    // Replay: the applied state is the decided one too.
    void decided_is_applied();
    // Records up to here can be read from the journal: keeps a bounded number of them in memory.
    void applied_up_to(Sequence sequence);
    // What reads may show; what is beyond may still be lost.
    Sequence applied() const { return applied_; }
    // Starts a new run after `boundary`; what is newer moves along.
    std::shared_ptr<RecentBooks const> rotate(Sequence boundary);
    // Runs up to here are read from the store; what is newer is in memory, even where the store has
    // it already.
    void set_stored(Sequence boundary) {
        stored_ = boundary;
        ingesting_.reset();
    }
    Sequence stored() const { return stored_; }

    RecentBooks& recent() { return *current_; }
    RecentBooks const& recent() const { return *current_; }
    RecentBooks const* ingesting() const { return ingesting_.get(); }
    StateStore const& store() const { return store_; }
    Journal const& journal() const { return journal_; }
    // Every account in memory.
    std::deque<AccountSlot>& slots() { return slots_; }
    std::deque<AccountSlot> const& slots() const { return slots_; }

private:
    struct Undo {
        enum class Kind {
            account_created,
            account_changed,
            transfer,
            resolved,
            expiry_added,
            expiry_removed
        };
        Kind kind;
        AccountSlot* slot = nullptr;
        Account before;
        u128 id = 0;
        Sequence sequence = 0;
        std::uint64_t timestamp = 0;
        Expiry expiry;
    };
    struct RecentRecord {
        Sequence sequence;
        std::vector<Transfer> transfers;
    };
    void remember(Undo undo);
    void undo(Undo const& undo);

    Journal const& journal_;
    StateStore const& store_;
    std::deque<AccountSlot> slots_;
    boost::unordered_flat_map<u128, AccountSlot*, U128Hash> slot_of_;
    std::unique_ptr<RecentBooks> current_ = std::make_unique<RecentBooks>();
    std::shared_ptr<RecentBooks const> ingesting_;
    Sequence stored_ = 0;
    Sequence applied_ = 0;
    std::set<Expiry> expiries_;
    std::deque<RecentRecord> records_;  // consecutive sequences
    std::size_t records_transfers_ = 0;
    std::set<std::uint64_t> unapplied_account_times_;
    std::uint64_t newest_account_timestamp_ = 0;
    std::uint64_t newest_transfer_timestamp_ = 0;

    bool in_scope_ = false;
    std::vector<Undo> undo_;
    std::uint64_t scope_newest_account_ = 0;
    std::uint64_t scope_newest_transfer_ = 0;
};

}  // namespace florin::ledger
