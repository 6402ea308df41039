#include "ledger/store/rocks.h"

#include "ledger/store/data_dir.h"
#include "ledger/store/sparing_env.h"
#include "ledger/store/table_file.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/status.h>

#include <algorithm>
#include <cstdarg>
#include <memory>
#include <system_error>
#include <utility>

namespace florin::ledger {
namespace {

namespace fs = std::filesystem;

// RocksDB begins an information log even where it only reads, and moves the old one away; and where
// the disk is full, Debian's build of it stops the process over an assertion in that log. What
// matters comes as a Status.
class SilentLogger final : public rocksdb::Logger {
public:
    using rocksdb::Logger::Logv;
    void Logv(char const*, va_list) override {}
};

// RocksDB blames the manifest for a table file that it cannot open: the first damaged one, if any.
std::string damaged_table_file(fs::path const& directory) {
    std::error_code error;
    fs::directory_iterator entry{directory, error};
    for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
        if (entry->path().extension() != ".sst") {
            continue;
        }
        rocksdb::SstFileReader reader{rocksdb::Options{}};
        auto status = reader.Open(entry->path().string());
        if (status.ok()) {
            status = reader.VerifyChecksum();
        }
        if (!status.ok()) {
            return entry->path().string();
        }
    }
    return {};
}

}  // namespace

rocksdb::DBOptions database_options(StoreAccess access, rocksdb::Env* env) {
    bool const writes = access == StoreAccess::write;
    rocksdb::DBOptions options;
    options.env = env != nullptr ? env : sparing_env();
    if (env != nullptr) {
        options.max_file_opening_threads = 1;  // a simulated disk is asked one thing at a time
    }
    options.create_if_missing = writes;
    options.create_missing_column_families = writes;
    options.paranoid_checks = true;
    // Refuses a damaged log instead of cutting it; an ordinary torn tail is cut, and the HEAD
    // witness tells whether anything acknowledged was in it.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    options.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
    options.max_open_files = 512;
    options.max_background_jobs = 2;
    options.bytes_per_sync = 1U << 20U;
    // A family that is hardly written must not keep old logs, and so a long recovery.
    options.max_total_wal_size = 256U << 20U;
    options.info_log = std::make_shared<SilentLogger>();
    return options;
}

Error rocks_error(rocksdb::Status const& status, std::string const& doing) {
    if (status.IsNoSpace()) {
        return {Errc::io, doing + ": the disk is full (" + status.ToString() + ")"};
    }
    Errc const code = status.IsCorruption() ? Errc::corrupt : Errc::io;
    return {code, doing + ": " + status.ToString()};
}

Result<bool> has_families(
    fs::path const& directory,
    rocksdb::DBOptions const& options,
    std::vector<rocksdb::ColumnFamilyDescriptor> const& families
) {
    std::vector<std::string> names;
    std::string const path = directory.string();
    auto const status = rocksdb::DB::ListColumnFamilies(options, path, &names);
    if (!status.ok()) {
        return std::unexpected{rocks_error(status, path + ": cannot list its families")};
    }
    return std::ranges::all_of(families, [&](rocksdb::ColumnFamilyDescriptor const& family) {
        return std::ranges::count(names, family.name) == 1;
    });
}

Result<void> RocksHandle::open(
    fs::path const& directory,
    StoreAccess access,
    rocksdb::DBOptions const& options,
    std::vector<rocksdb::ColumnFamilyDescriptor> const& descriptors
) {
    directory_ = directory;
    std::string const path = directory.string();
    std::error_code error;
    rocksdb::Status status;
    FLORIN_TRY_VOID(check_table_files(directory, *options.env));
    if (access == StoreAccess::read_only) {
        if (!fs::exists(directory / "CURRENT", error)) {
            if (error) {
                return fail(Errc::io, path + ": " + error.message());
            }
            return fail(Errc::not_found, path + ": no store there");
        }
        status = rocksdb::DB::OpenForReadOnly(options, path, descriptors, &families, &database);
    } else {
        if (fs::create_directories(directory, error)) {
            FLORIN_TRY_VOID(sync_directory(directory.parent_path()));
        }
        if (error) {
            return fail(Errc::io, path + ": " + error.message());
        }
        status = rocksdb::DB::Open(options, path, descriptors, &families, &database);
    }
    if (!status.ok()) {
        Error refusal = rocks_error(status, path + ": cannot open");
        if (refusal.code == Errc::corrupt) {
            if (std::string const file = damaged_table_file(directory); !file.empty()) {
                refusal.context += "; damaged: " + file;
            }
        }
        return std::unexpected{std::move(refusal)};
    }
    return {};
}

Result<void> RocksHandle::verify_files() const {
    auto const status = database->VerifyFileChecksums(rocksdb::ReadOptions{});
    if (!status.ok()) {
        return std::unexpected{rocks_error(status, directory_.string() + ": checksum of a file")};
    }
    return {};
}

Result<void> RocksHandle::compact() const {
    for (auto* const family : families) {
        auto const status =
            database->CompactRange(rocksdb::CompactRangeOptions{}, family, nullptr, nullptr);
        if (!status.ok()) {
            return std::unexpected{rocks_error(status, directory_.string() + ": compaction")};
        }
    }
    return {};
}

RocksHandle::~RocksHandle() {
    if (database == nullptr) {
        return;
    }
    for (auto* const family : families) {
        static_cast<void>(database->DestroyColumnFamilyHandle(family));
    }
    // What closing could not flush is in the log, or is applied again from the journal.
    static_cast<void>(database->Close());
    delete database;
}

}  // namespace florin::ledger
