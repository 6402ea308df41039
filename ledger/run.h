// A run: what has happened since the last one was stored, in the order of the journal.
//
// The ledger thread fills it: entries as they are decided, then what becomes of them as they are
// applied. When it is full it is cut at the last applied record, and from there on nobody changes
// it: a thread of its own builds the stored tables from it (run_builder.h) while lookups still read
// it here. Thread rule: one thread while it is being filled; any thread after that.
#pragma once

#include "ledger/history.h"
#include "ledger/journal.h"
#include "ledger/run_entries.h"
#include "ledger/types.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
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

// Ids of a run's transfers, to their places among its entries.
class IdTable {
public:
    IdTable(std::size_t expected, std::shared_ptr<RunMemory> memory);
    IdTable(IdTable const&) = delete;
    IdTable& operator=(IdTable const&) = delete;
    ~IdTable() { memory_->give_back({}, std::move(block_)); }

    // The place of an entry with this id; nullopt: none. Entries from entries.size() on have been
    // cut off, their ids do not count.
    std::optional<std::uint32_t> find(u128 id, RunEntries const& entries) const {
        std::uint64_t const hash = U128Hash{}(id);
        for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
            Cell const cell = cells_[at];
            if (cell.place == 0) {
                return std::nullopt;
            }
            bool const is_it = cell.tag == tag_of(hash) && cell.place <= entries.size() &&
                               entries[cell.place - 1].id == id;
            if (is_it) {
                return cell.place - 1;
            }
        }
    }
    // Asks for the memory that find() will need.
    void prefetch(u128 id) const { __builtin_prefetch(&cells_[U128Hash{}(id)&mask_]); }
    void insert(RunEntries const& entries, std::uint32_t place);
    void remove(RunEntries const& entries, std::uint32_t place);

private:
    struct Cell {
        std::uint32_t tag = 0;
        std::uint32_t place = 0;  // counted from 1
    };
    static std::uint32_t tag_of(std::uint64_t hash) {
        return static_cast<std::uint32_t>(hash >> 32U);
    }
    void put(std::uint64_t hash, std::uint32_t place);

    void use(LargeMemory block);

    std::shared_ptr<RunMemory> memory_;
    LargeMemory block_;
    std::span<Cell> cells_;
    std::size_t mask_ = 0;
    std::size_t used_ = 0;
};

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

// Which records a query may leave out: bit sets of hashed ledgers and codes.
struct RecordSummary {
    std::uint64_t ledgers = 0;
    std::uint64_t codes = 0;
    void add(std::uint32_t ledger, std::uint16_t code) {
        ledgers |= bit_of(ledger);
        codes |= bit_of(code);
    }
    // False: certainly no transfer of this ledger and code (0: of any).
    bool may_hold(std::uint32_t ledger, std::uint16_t code) const {
        return (ledger == 0 || (ledgers & bit_of(ledger)) != 0) &&
               (code == 0 || (codes & bit_of(code)) != 0);
    }

private:
    static std::uint64_t bit_of(std::uint32_t number) {
        return std::uint64_t{1} << ((number * 0x9e3779b1U) >> 26U);
    }
};

// The fields of user data that have an index. Stored; never renumber.
enum class IndexedField : std::uint8_t { user_data_128 = 1, user_data_64 = 2, user_data_32 = 3 };

struct Run {
    Run(std::uint64_t run_number,
        Sequence first,
        std::size_t transfers_expected,
        std::shared_ptr<RunMemory> const& memory)
        : number{run_number},
          first_sequence{first},
          entries{memory},
          ids{transfers_expected, memory} {}

    std::uint64_t number;     // counts the runs of this process from 1
    Sequence first_sequence;  // of its first record
    Sequence boundary = 0;    // its last record; set when it is cut

    // ---- as decided -----------------------------------------------------------------------------
    RunEntries entries;
    std::vector<std::pair<u128, u128>> wide;  // amount and released beyond 64 bits
    IdTable ids;
    boost::unordered_flat_map<u128, Sequence, U128Hash> used_ids;  // by refusals
    boost::unordered_flat_map<std::uint64_t, std::pair<PendingState, Sequence>> resolved;
    struct Indexed {
        IndexedField field;
        u128 value;
        std::uint64_t timestamp;
        Location location;
    };
    std::vector<Indexed> indexed;
    u128 id_max = 0;  // no id of this run is above

    // ---- as applied -----------------------------------------------------------------------------
    std::size_t applied = 0;  // entries
    struct Touched {
        std::uint32_t slot;
        bool is_created;
        Account opening;  // before the run's first change
    };
    std::vector<Touched> touched;
    std::vector<std::pair<std::uint64_t, u128>> account_times;  // ascending
    struct RecordTime {
        std::uint64_t timestamp;  // of the record's first transfer
        Sequence sequence;
        RecordSummary summary;
    };
    std::vector<RecordTime> record_times;  // ascending
    std::vector<Expiry> expiries_added;
    std::vector<Expiry> expiries_removed;
    std::uint64_t newest_account_timestamp = 0;
    std::uint64_t newest_transfer_timestamp = 0;

    Location location_of(RunEntry const& entry) const {
        return {first_sequence + entry.record, entry.index};
    }
    u128 amount_of(RunEntry const& entry) const {
        return entry.is_wide ? wide[entry.amount].first : entry.amount;
    }
    u128 released_of(RunEntry const& entry) const {
        return entry.is_wide ? wide[entry.amount].second : entry.released;
    }
    // As one side's history has it.
    BalanceChange change_of(RunEntry const& entry, bool credit) const;
};

}  // namespace florin::ledger
