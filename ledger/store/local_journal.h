// The journal on RocksDB: the embedded default. Its tables are described in stored_log.h.
//
// A group is one write batch, synced before its completion; a thread of its own ("florin-journal")
// waits for the disk. Exclusive use comes from the data directory's lock; the epoch becomes durable
// with the first record that carries it.
//
// A failed write or sync poisons the journal: that group is unknown, everything after is not sent,
// and the process has to stop. The restart reads what is really there.
#pragma once

#include "ledger/journal.h"

#include <filesystem>
#include <memory>

namespace rocksdb {
class Env;
}

namespace florin::ledger {

struct LocalJournalOptions {
    std::filesystem::path directory;  // of the log
    std::filesystem::path witness;    // the HEAD file
    // Identity of a journal that is created now.
    std::array<unsigned char, 16> new_ledger_id{};
    // Changes nothing on disk: append answers not_sent, acquire and drop_payloads
    // Errc::unsupported, and an absent journal is Errc::not_found. Only while nobody writes.
    bool read_only = false;
    // Every group reaches the disk before its completion. False is for measurements only: what was
    // acknowledged may be lost with the machine.
    bool sync = true;
    std::size_t cache_bytes = 32U << 20U;
    // The log's files and background threads; nullptr: the operating system's. Outlives the
    // journal. The witness is a plain file in any case.
    rocksdb::Env* env = nullptr;
};

class LocalJournal : public Journal {
public:
    // Checks the newest records, and the log's end against its witness. Errc::corrupt where the log
    // is damaged or ends before its witness, or where the witness is gone; the text says where.
    static Result<std::unique_ptr<LocalJournal>> open(LocalJournalOptions const& options);

    // Every table file of the log against its checksum, and the witness. What is still in the
    // write-ahead log is checked by opening, and by reading the records.
    virtual Result<void> verify_files() const = 0;

    // Rewrites the tables to the least they can take. Blocks for as long as that needs.
    virtual Result<void> compact() = 0;
};

}  // namespace florin::ledger
