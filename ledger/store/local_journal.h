// The journal on RocksDB: the embedded default.
//
//   default family   sequence u64 big-endian, chunk u16 big-endian
//                    chunk 0: header (128 bytes) and effects; chunk n: transfers 32(n-1) to 32n-1
//   family payload   sequence u64, index u32, big-endian
//   family meta      "ledger_id": 16 bytes, written when the journal is created
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

namespace florin::ledger {

struct LocalJournalOptions {
    std::filesystem::path directory;  // of the log
    std::filesystem::path witness;    // the HEAD file
    // Identity of a journal that is created now.
    std::array<unsigned char, 16> new_ledger_id{};
    bool read_only = false;  // changes nothing on disk; append answers not_sent
    std::size_t cache_bytes = 32U << 20U;
};

class LocalJournal : public Journal {
public:
    // Errc::corrupt where the log is damaged or ends before its witness; the text says where.
    static Result<std::unique_ptr<LocalJournal>> open(LocalJournalOptions const& options);

    // Every table file of the log against its checksum.
    virtual Result<void> verify_files() const = 0;
    // True while this process created it and it holds nothing yet.
    virtual bool is_new() const = 0;
};

}  // namespace florin::ledger
