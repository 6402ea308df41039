// The store of the views: sorted tables that can be dropped and rebuilt from the journal.
//
// Two kinds of tables, after how they are written:
//  - run tables are written by ingest(): a whole run of sorted entries at once, durable on return;
//  - live tables are written by write(): atomic across tables, not durable by itself. After a crash
//    they are as of some earlier write (all of them of the same one), and the journal is applied
//    again from there.
// Each kind carries its own applied sequence inside, so a restart knows where to go on.
#pragma once

#include "ledger/base/bytes.h"
#include "ledger/base/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace florin::ledger {

// Keys are big-endian, so that byte order is numeric order. The grammar of each table stands with
// the view that writes it (run_builder.h, history.h, documents.h). Numbers are stored; never
// renumber.
enum class Table : std::uint8_t {
    // live tables
    meta = 0,      // "applied" -> sequence of the last record in the live tables
    document = 1,  // documents.h
    timer = 2,     // due time | kind | key
    event = 3,     // by record, by owner and place, by owner and id
    counter = 4,   // allocations.h
    // run tables
    run = 5,              // applied sequence of the run -> its description
    transfer_id = 6,      // transfer id -> where it is, or that it is used up
    history = 7,          // account id | first timestamp -> a block of balance changes
    account = 8,          // account id -> Account
    account_time = 9,     // account timestamp -> account id
    record_time = 10,     // timestamp of a record's first transfer -> sequence
    pending = 11,         // timestamp of a pending transfer -> what became of it
    expiry = 12,          // expires_at | timestamp -> where the open pending transfer is
    transfer_index = 13,  // field | value | timestamp -> where the transfer is
    account_index = 14,   // field | value | timestamp -> account id
    id_hash = 15,         // run | piece -> hashes of its ids
};
inline constexpr std::size_t kTableCount = 16;
inline constexpr bool is_run_table(Table table) {
    return table >= Table::run;
}
// "transfer_id", for messages and column family names.
std::string_view table_name(Table table);

// Entries of one or more run tables, made when they are asked for: a run is too large to be copied.
class RunSource {
public:
    RunSource() = default;
    RunSource(RunSource const&) = delete;
    RunSource& operator=(RunSource const&) = delete;
    virtual ~RunSource() = default;

    class Sink {
    public:
        virtual void put(ByteView key, ByteView value) = 0;
        virtual void remove(ByteView key) = 0;

    protected:
        ~Sink() = default;
    };
    // The entries of one table into `sink`, ascending, no key twice. Called once for each table.
    virtual void entries(Table table, Sink& sink) const = 0;
};

// One change: a value, or nullopt to remove the key.
struct Change {
    Table table;
    std::string key;
    std::optional<std::string> value;
};

// What a run changes, as a list: for stores that keep everything in memory anyway.
std::vector<Change> changes_of(RunSource const& run);

// Thread rule: write by one thread, ingest and flush by one (perhaps another, at the same time);
// get and scan by any thread, at any time. A scan sees one moment.
class StateStore {
public:
    StateStore() = default;
    StateStore(StateStore const&) = delete;
    StateStore& operator=(StateStore const&) = delete;
    virtual ~StateStore() = default;

    // nullopt: the key is not there. Not being able to read is an Error, never nullopt.
    virtual Result<std::optional<std::string>> get(Table table, ByteView key) const = 0;

    // Entries with from <= key < to (an empty `to` is the end of the table), ascending or, with
    // `reverse`, descending, until the visitor answers false.
    struct Range {
        Table table;
        std::string from;
        std::string to;
        bool reverse = false;
    };
    using Visitor = std::function<Result<bool>(ByteView key, ByteView value)>;
    virtual Result<void> scan(Range const& range, Visitor const& visit) const = 0;

    // Live tables only. Atomic; readers see all of it or nothing.
    virtual Result<void> write(std::vector<Change> const& changes) = 0;

    // Run tables only. Atomic and durable on return.
    virtual Result<void> ingest(RunSource const& run) = 0;

    // Makes everything written so far durable, all tables together.
    virtual Result<void> flush() = 0;

    // Rewrites the tables to the least they can take. Blocks for as long as that needs.
    virtual Result<void> compact() { return {}; }

    // Every byte of every file against its checksum; Errc::corrupt names file and place.
    virtual Result<void> verify_files() const = 0;
};

}  // namespace florin::ledger
