// What both RocksDB instances share: options, errors, and the checks of their files.
// Included by ledger/store/*.cc only.
#pragma once

#include "ledger/base/result.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include <filesystem>
#include <memory>
#include <string>

namespace florin::ledger {

// Options of a database: safe recovery, checksums on every file, a small and bounded info log.
rocksdb::DBOptions database_options(bool create);

// Errc::corrupt for corruption, Errc::io otherwise; the text names what was being done and where.
Error rocks_error(rocksdb::Status const& status, std::string const& doing);

inline rocksdb::Slice slice(std::string_view bytes) {
    return {bytes.data(), bytes.size()};
}
inline std::string_view bytes_of(rocksdb::Slice const& slice) {
    return {slice.data(), slice.size()};
}

// Checks every table file against the checksum the manifest holds for it.
Result<void> verify_table_files(rocksdb::DB& database, std::filesystem::path const& directory);

// A database with its column families, closed in the right order.
class RocksHandle {
public:
    RocksHandle() = default;
    RocksHandle(RocksHandle const&) = delete;
    RocksHandle& operator=(RocksHandle const&) = delete;
    ~RocksHandle();

    rocksdb::DB* database = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> families;
};

}  // namespace florin::ledger
