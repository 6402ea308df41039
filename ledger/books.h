// The books: accounts, transfer ids and pending transfers as the ledger thread sees them.
//
// Two moments live side by side. *Decided* is the front: every rule is checked against it and every
// decision moves it at once, so the next batch can be decided while the last one is being synced.
// *Applied* is what is durable: reads, history and the stored views come from it. Decided runs
// ahead of applied only by what is in flight; it is never written anywhere before it is committed,
// and a process that loses its lease or its journal throws it away with itself.
//
// What is newer than the stored runs is in memory (run.h); the rest is read from the run tables and
// the journal. Thread rule: the ledger thread only.
#pragma once

#include "ledger/account_cache.h"
#include "ledger/expiries.h"
#include "ledger/id_filter.h"
#include "ledger/memory_limits.h"
#include "ledger/run.h"
#include "ledger/state_store.h"

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace florin::ledger {

// Values of table transfer_id: sequence and index as LEB128; index kUsedUp for a used-up id.
void encode_location(std::string& out, Location location);
Result<Location> decode_location(ByteView value);

struct BooksOptions {
    std::size_t run_transfers = 500'000;  // expected in a run
    MemoryLimits memory = {};
};

// What a transfer or an expiry does to the pending amounts it finds.
struct Resolution {
    PendingState state = PendingState::posted;
    std::uint16_t pending_flags = 0;
    std::uint64_t pending_timestamp = 0;
    std::uint64_t expires_at = 0;  // 0: had no timeout
    u128 pending_amount = 0;
};

class Books {
public:
    Books(Journal const& journal, StateStore const& store, BooksOptions const& options);

    // ---- lookups at the decided front -----------------------------------------------------------
    // Ask for the memory that deciding this transfer will need, in two steps.
    void prefetch_early(Transfer const& transfer);
    void prefetch(Transfer const& transfer);
    // nullptr: no such account. Valid until the next trim().
    Result<AccountSlot*> account(u128 id);
    // nullopt: the id was never used.
    Result<std::optional<Location>> find_transfer(u128 id) const;
    Result<Transfer> transfer(Location location) const;
    // Of the pending transfer that is there and has this timestamp.
    Result<PendingState> pending_state(Location pending, std::uint64_t timestamp) const;
    Result<bool> account_exists_at(std::uint64_t timestamp) const;
    Result<bool> transfer_exists_at(std::uint64_t timestamp) const;
    Expiries& expiries() { return expiries_; }
    Expiries const& expiries() const { return expiries_; }
    std::uint64_t newest_account_timestamp() const { return newest_account_timestamp_; }
    std::uint64_t newest_transfer_timestamp() const { return newest_transfer_timestamp_; }

    // ---- decisions, undone as a whole when a chain breaks ---------------------------------------
    // Inside a scope every change is remembered; keep ends it, undo takes it back.
    void open_scope();
    void keep_scope();
    void undo_scope();

    // Records are decided one after the other; everything below goes into the newest one.
    void begin_record(Sequence sequence);
    // Makes room for so many transfers at once.
    void expect_transfers(std::size_t count);
    // The newest record turned out to hold nothing and will not be written.
    void drop_empty_record(Sequence sequence);

    void create_account(Account const& account);
    // Both accounts of the transfer. `resolution` for a post or a void.
    void add_transfer(
        Transfer const& transfer,
        AccountSlot& debit,
        AccountSlot& credit,
        Resolution const* resolution = nullptr
    );
    // A pending transfer runs out of time at `timestamp`.
    void expire(
        std::uint64_t timestamp,
        AccountSlot& debit,
        AccountSlot& credit,
        Resolution const& resolution
    );
    // Never inside a scope: a used-up id outlives the chain that used it.
    void use_up_id(u128 id);

    // ---- records that are not applied yet, and the newest that are ------------------------------
    std::uint32_t transfers_in(Sequence sequence) const;
    // Hands over the transfers of a record that is decided; keep_encoded gives them back.
    std::string take_transfers(Sequence sequence);
    void keep_encoded(std::shared_ptr<EncodedRecord const> record);

    // ---- applying -------------------------------------------------------------------------------
    // The oldest record that is not applied: from here on readers see it.
    void apply(Sequence sequence);
    // Memory that is not needed any more. Ends the life of account pointers.
    void trim();

    struct Newest {
        std::uint64_t account_timestamp = 0;
        std::uint64_t transfer_timestamp = 0;
    };
    // After the stored runs are known: reads what must be in memory.
    Result<void> load(Sequence stored, Newest const& newest);

    // The run that is being filled, and the one that is being stored (or nullptr).
    Run const& run() const { return *run_; }
    Run const* storing() const { return storing_.get(); }
    std::size_t applied_transfers() const { return run_->applied; }
    std::size_t touched_accounts() const { return run_->touched.size(); }
    // Cuts the run at the last applied record; what is decided after it moves along.
    std::shared_ptr<Run const> cut_run();
    // That run is in the store now.
    void run_is_stored(std::shared_ptr<IdFilter> filter);
    std::shared_ptr<IdFilter> const& id_filter() const { return filter_; }
    // How large a filter of the stored ids may be; 0: none is needed. Ids that increase with time
    // never are: until others have been searched in vain, a filter would be work for nothing.
    std::size_t id_filter_bytes_wanted() const {
        constexpr std::uint64_t kPatience = 1'000;
        return searched_in_vain_ > kPatience ? options_.memory.id_filter_bytes_max : 0;
    }
    BooksOptions const& options() const { return options_; }
    // Runs up to here are read from the store; what is newer is in memory, even where the store has
    // it already.
    Sequence stored() const { return stored_; }

    Sequence applied() const { return applied_; }

    // ---- for queries ----------------------------------------------------------------------------
    // The last applied record that begins at or before this time; nullopt: none.
    Result<std::optional<Sequence>> record_at(std::uint64_t timestamp) const;
    // The same among stored records, by its time; 0: none.
    Result<std::uint64_t> stored_record_time(std::uint64_t timestamp) const;
    // The account as far as it is durable, without making room for it in memory.
    Result<std::optional<Account>> durable_account(u128 id);
    // Every transfer of one applied record.
    Result<std::vector<Transfer>> transfers_of(Sequence sequence) const;
    StateStore const& store() const { return store_; }
    Journal const& journal() const { return journal_; }
    AccountCache& accounts() { return accounts_; }

private:
    struct RecentRecord {
        Sequence sequence = 0;
        std::string deciding;                          // transfers, until they are encoded
        std::shared_ptr<EncodedRecord const> encoded;  // afterwards
        std::uint64_t entries_end = 0;                 // counted from the first of this process
        std::vector<std::uint32_t> created;            // slots
        std::vector<std::uint64_t> resolved;           // timestamps of pending transfers
        std::vector<u128> used_ids;
        std::vector<Expiry> expiries_added;
        std::vector<Expiry> expiries_removed;
        std::uint64_t first_timestamp = 0;  // of its transfers
        RecordSummary summary;

        ByteView transfers() const { return encoded ? ByteView{encoded->transfers} : deciding; }
        std::size_t bytes() const { return encoded ? encoded->bytes() : deciding.size(); }
        std::size_t count() const { return transfers().size() / sizeof(Transfer); }
    };
    // Sizes to go back to when a chain breaks.
    struct Scope {
        std::size_t entries = 0;
        std::size_t wide = 0;
        std::size_t indexed = 0;
        std::size_t created = 0;
        std::size_t resolved = 0;
        std::size_t expiries_added = 0;
        std::size_t expiries_removed = 0;
        std::uint64_t first_timestamp = 0;
        RecordSummary summary;
        std::uint64_t newest_account = 0;
        std::uint64_t newest_transfer = 0;
    };

    RecentRecord const& record(Sequence sequence) const;
    RecentRecord& record(Sequence sequence) {
        return const_cast<RecentRecord&>(std::as_const(*this).record(sequence));
    }
    // What an entry does to its accounts, at the decided front.
    struct Movement {
        ChangeKind kind = ChangeKind::posted;
        u128 amount = 0;
        u128 released = 0;
        std::uint16_t closing = 0;  // closing_debit, closing_credit: closed, or reopened on release
    };
    void push_entry(RunEntry entry, Movement const& moved, AccountSlot& debit, AccountSlot& credit);
    void take_back_entry();
    void resolve(Resolution const& resolution);
    void index_user_data(Transfer const& transfer, Location location);
    void move_to_next_run(Run& next);
    void apply_entry(std::size_t place);
    void touch(AccountSlot& slot, bool is_created);
    Result<AccountSlot*> read_account(u128 id);
    Result<std::optional<Location>> read_location(u128 id) const;
    Result<void> last_stored_record(std::uint64_t timestamp, StateStore::Visitor const& take) const;
    bool is_resolved_recently(std::uint64_t pending_timestamp) const;

    Journal const& journal_;
    StateStore const& store_;
    BooksOptions options_;
    AccountCache accounts_;
    Expiries expiries_;
    std::shared_ptr<RunMemory> memory_;
    std::unique_ptr<Run> run_;
    std::shared_ptr<Run const> storing_;
    std::uint64_t run_first_entry_ = 0;  // of run_, counted as in RecentRecord
    Sequence stored_ = 0;
    Sequence applied_ = 0;
    u128 stored_id_max_ = 0;                      // no stored id is above
    std::shared_ptr<IdFilter> filter_;            // of the stored ids; nullptr: not made yet
    mutable std::uint64_t searched_in_vain_ = 0;  // ids, in the store
    std::deque<RecentRecord> records_;            // consecutive sequences
    std::size_t records_bytes_ = 0;               // of the applied ones
    std::size_t trim_accounts_at_ = 0;  // how many make it worth to look for some that may leave
    std::set<std::uint64_t> unapplied_account_times_;
    std::uint64_t newest_account_timestamp_ = 0;
    std::uint64_t newest_transfer_timestamp_ = 0;

    bool in_scope_ = false;
    Scope scope_;
};

}  // namespace florin::ledger
