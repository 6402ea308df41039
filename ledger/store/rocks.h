// What both RocksDB instances share: options, errors, and the checks of their files.
//
// RocksDB's own headers are included by ledger/store/*.cc only; here its types have names.
// Thread rule: functions from any thread; a RocksHandle belongs to the store that holds it.
#pragma once

#include "ledger/base/result.h"

#include <filesystem>
#include <string>
#include <vector>

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
class Status;
struct ColumnFamilyDescriptor;
struct DBOptions;
}  // namespace rocksdb

namespace florin::ledger {

enum class StoreAccess : bool { read_only, write };

// Safe recovery, checksums on every file, bounded memory and files. Read only, nothing on disk
// changes. There is no information log. `env`: the files and the background threads; nullptr: the
// operating system's.
rocksdb::DBOptions database_options(StoreAccess access, rocksdb::Env* env);

// Errc::corrupt for corruption, Errc::io otherwise; the text names what was being done and where,
// and says in plain words when the disk is full.
Error rocks_error(rocksdb::Status const& status, std::string const& doing);

// Whether a database has all of these column families; one whose creation was cut short has not.
Result<bool> has_families(
    std::filesystem::path const& directory,
    rocksdb::DBOptions const& options,
    std::vector<rocksdb::ColumnFamilyDescriptor> const& families
);

// A database with its column families, closed in the right order.
class RocksHandle {
public:
    RocksHandle() = default;
    RocksHandle(RocksHandle const&) = delete;
    RocksHandle& operator=(RocksHandle const&) = delete;
    ~RocksHandle();

    // Where it may write, the directory is created, and its entry is durable before anything is
    // inside. Read only, Errc::not_found where there is no database.
    Result<void> open(
        std::filesystem::path const& directory,
        StoreAccess access,
        rocksdb::DBOptions const& options,
        std::vector<rocksdb::ColumnFamilyDescriptor> const& families
    );
    // Checks every table file against the checksum that the manifest holds for it.
    Result<void> verify_files() const;
    // Flushes and compacts every family.
    Result<void> compact() const;

    rocksdb::DB* database = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> families;

private:
    std::filesystem::path directory_;
};

}  // namespace florin::ledger
