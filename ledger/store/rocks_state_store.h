// The state store on RocksDB: one column family a table, no write-ahead log.
//
// Live tables are written to memory and reach the disk together (atomic flush); run tables arrive
// as files, built beside and taken in atomically. Whatever a crash takes away is applied again from
// the journal. Files under ingest/ are on their way; leftovers are removed on open.
#pragma once

#include "ledger/state_store.h"

#include <filesystem>
#include <memory>

namespace rocksdb {
class Env;
}

namespace florin::ledger {

struct RocksStateOptions {
    std::filesystem::path directory;
    // Changes nothing on disk: write, ingest and flush answer Errc::unsupported, and an absent
    // store is Errc::not_found. Only while nobody writes.
    bool read_only = false;
    std::size_t cache_bytes = 64U << 20U;
    // Files and background threads; nullptr: the operating system's. Outlives the store.
    rocksdb::Env* env = nullptr;
};

Result<std::unique_ptr<StateStore>> open_rocks_state(RocksStateOptions const& options);

}  // namespace florin::ledger
