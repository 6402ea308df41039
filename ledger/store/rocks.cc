#include "ledger/store/rocks.h"

namespace florin::ledger {

rocksdb::DBOptions database_options(bool create) {
    rocksdb::DBOptions options;
    options.create_if_missing = create;
    options.create_missing_column_families = create;
    options.paranoid_checks = true;
    // Refuses a damaged log instead of cutting it; an ordinary torn tail is cut, and the HEAD
    // witness tells whether anything acknowledged was in it.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    options.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
    options.max_open_files = 512;
    options.max_background_jobs = 2;
    options.bytes_per_sync = 1U << 20U;
    options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
    options.max_log_file_size = 1U << 20U;
    options.keep_log_file_num = 2;
    return options;
}

Error rocks_error(rocksdb::Status const& status, std::string const& doing) {
    Errc const code = status.IsCorruption() ? Errc::corrupt : Errc::io;
    return {code, doing + ": " + status.ToString()};
}

Result<void> verify_table_files(rocksdb::DB& database, std::filesystem::path const& directory) {
    if (auto const status = database.VerifyFileChecksums(rocksdb::ReadOptions{}); !status.ok()) {
        return std::unexpected{rocks_error(status, directory.string() + ": checksum of a file")};
    }
    return {};
}

RocksHandle::~RocksHandle() {
    if (database == nullptr) {
        return;
    }
    for (auto* const family : families) {
        database->DestroyColumnFamilyHandle(family);
    }
    database->Close();
    delete database;
}

}  // namespace florin::ledger
