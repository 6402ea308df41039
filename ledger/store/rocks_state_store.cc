#include "ledger/store/rocks_state_store.h"

#include "ledger/base/check.h"
#include "ledger/store/rocks.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/iterator.h>
#include <rocksdb/options.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <system_error>

namespace florin::ledger {
namespace {

namespace fs = std::filesystem;

// Compaction shares the disk with the journal's write-ahead log: in pieces at a pace, not in bursts
// that an answer would wait behind. A ledger at full load needs a third of it.
constexpr std::int64_t kCompactionBytesPerSecond = 96LL << 20U;
constexpr std::int64_t kUnlimitedBytesPerSecond = 4096LL << 20U;
constexpr std::int64_t kRefillMicros = 10'000;

rocksdb::ColumnFamilyOptions table_options(
    Table table, std::shared_ptr<rocksdb::Cache> const& cache
) {
    rocksdb::BlockBasedTableOptions blocks;
    blocks.block_cache = cache;
    blocks.block_size = 8192;
    blocks.format_version = 5;
    blocks.cache_index_and_filter_blocks = true;            // counted in the cache, so bounded
    blocks.pin_l0_filter_and_index_blocks_in_cache = true;  // every look-up of a new key asks them
    bool const is_looked_up = table == Table::transfer_id || table == Table::account ||
                              table == Table::document || table == Table::pending;
    if (is_looked_up) {
        blocks.filter_policy.reset(rocksdb::NewBloomFilterPolicy(12));
        blocks.optimize_filters_for_memory = true;
    }
    if (table == Table::transfer_id) {
        // The one table whose filters outgrow any cache: they are read in pieces.
        blocks.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
        blocks.partition_filters = true;
        blocks.pin_top_level_index_and_filter = true;
    }
    rocksdb::ColumnFamilyOptions options;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
    options.compression = rocksdb::CompressionType::kNoCompression;
    options.write_buffer_size = 32U << 20U;
    options.target_file_size_base = 64U << 20U;
    if (table == Table::document) {
        // What is asked for by its key is mostly not there yet: ten bits for each.
        options.memtable_whole_key_filtering = true;
        options.memtable_prefix_bloom_size_ratio = 0.01;
    }
    if (table == Table::document || table == Table::event) {
        // New entries of a kind stand behind one another: where the last one is, the next belongs.
        constexpr std::size_t kKindBytes = 2;
        options.memtable_insert_with_hint_prefix_extractor.reset(
            rocksdb::NewFixedPrefixTransform(kKindBytes)
        );
    }
    if (is_run_table(table)) {
        options.level0_file_num_compaction_trigger = 16;
        options.level0_slowdown_writes_trigger = 60;
        options.level0_stop_writes_trigger = 80;
    }
    return options;
}

// Neighbours after one another: the place of the next entry is near that of the last, where the
// memtable begins to look. Of several changes of one key the last alone, by their places in
// `changes`.
std::vector<Change const*> in_key_order(std::vector<Change> const& changes) {
    std::vector<Change const*> ordered;
    ordered.reserve(changes.size());
    for (Change const& change : changes) {
        ordered.push_back(&change);
    }
    std::ranges::sort(ordered, [](Change const* a, Change const* b) {
        if (a->table != b->table) {
            return a->table < b->table;
        }
        int const by_key = a->key.compare(b->key);
        return by_key != 0 ? by_key < 0 : a < b;
    });
    auto const is_same_key = [](Change const* a, Change const* b) {
        return a->table == b->table && a->key == b->key;
    };
    std::size_t kept = 0;
    for (std::size_t i = 0; i < ordered.size(); ++i) {
        if (i + 1 == ordered.size() || !is_same_key(ordered[i], ordered[i + 1])) {
            ordered[kept++] = ordered[i];
        }
    }
    ordered.resize(kept);
    return ordered;
}

// "default" must exist in every RocksDB; the first table lives there.
std::string family_name(Table table) {
    return table == Table::meta ? rocksdb::kDefaultColumnFamilyName
                                : std::string{table_name(table)};
}

class RocksStateStore final : public StateStore {
public:
    explicit RocksStateStore(RocksStateOptions const& options)
        : directory_{options.directory}, read_only_{options.read_only} {}

    Result<void> open(RocksStateOptions const& options) {
        cache_ = rocksdb::NewLRUCache(options.cache_bytes);
        std::vector<rocksdb::ColumnFamilyDescriptor> families;
        for (std::size_t i = 0; i < kTableCount; ++i) {
            auto const table = static_cast<Table>(i);
            families.emplace_back(family_name(table), table_options(table, cache_));
        }
        StoreAccess const access = options.read_only ? StoreAccess::read_only : StoreAccess::write;
        auto database = database_options(access, options.env);
        database.atomic_flush = true;
        database.db_write_buffer_size = 64U << 20U;  // all live tables together
        database.compaction_readahead_size = 2U << 20U;
        limiter_.reset(rocksdb::NewGenericRateLimiter(kCompactionBytesPerSecond, kRefillMicros));
        database.rate_limiter = limiter_;
        FLORIN_TRY_VOID(handle_.open(directory_, access, database, families));
        return options.read_only ? Result<void>{} : clear_ingest_directory();
    }

    Result<std::optional<std::string>> get(Table table, ByteView key) const override {
        rocksdb::PinnableSlice value;
        auto const status = handle_.database->Get(
            rocksdb::ReadOptions{}, family(table), rocksdb::Slice{key}, &value
        );
        if (status.IsNotFound()) {
            return std::nullopt;
        }
        if (!status.ok()) {
            return std::unexpected{rocks_error(status, reading(table))};
        }
        return value.ToString();
    }

    Result<void> scan(Range const& range, Visitor const& visit) const override {
        rocksdb::ReadOptions options;
        rocksdb::Slice const upper = range.to;
        rocksdb::Slice const lower = range.from;
        if (!range.to.empty()) {
            options.iterate_upper_bound = &upper;
        }
        options.iterate_lower_bound = &lower;
        std::unique_ptr<rocksdb::Iterator> const it{
            handle_.database->NewIterator(options, family(range.table))
        };
        if (range.reverse) {
            it->SeekToLast();
        } else {
            it->Seek(lower);
        }
        while (it->Valid()) {
            FLORIN_TRY(
                bool const go_on, visit(it->key().ToStringView(), it->value().ToStringView())
            );
            if (!go_on) {
                return {};
            }
            range.reverse ? it->Prev() : it->Next();
        }
        if (!it->status().ok()) {
            return std::unexpected{rocks_error(it->status(), reading(range.table))};
        }
        return {};
    }

    Result<void> write(std::vector<Change> const& changes) override {
        FLORIN_TRY_VOID(must_write());
        rocksdb::WriteBatch batch;
        for (Change const* const change : in_key_order(changes)) {
            FLORIN_CHECK(!is_run_table(change->table), "write is for live tables");
            auto const status = change->value
                                    ? batch.Put(family(change->table), change->key, *change->value)
                                    : batch.Delete(family(change->table), change->key);
            if (!status.ok()) {
                return std::unexpected{rocks_error(status, directory_.string() + ": write")};
            }
        }
        rocksdb::WriteOptions options;
        options.disableWAL = true;
        if (auto const status = handle_.database->Write(options, &batch); !status.ok()) {
            return std::unexpected{rocks_error(status, directory_.string() + ": write")};
        }
        return {};
    }

    Result<void> ingest(RunSource const& run) override {
        FLORIN_TRY_VOID(must_write());
        auto stored = ingest_files(run);
        if (!stored) {
            // Half a run must not fill the disk further; what stays is removed on the next open.
            static_cast<void>(clear_ingest_directory());
        }
        return stored;
    }

    Result<void> flush() override {
        FLORIN_TRY_VOID(must_write());
        auto const status = handle_.database->Flush(rocksdb::FlushOptions{}, handle_.families);
        if (!status.ok()) {
            return std::unexpected{rocks_error(status, directory_.string() + ": flush")};
        }
        return {};
    }

    Result<void> compact() override {
        FLORIN_TRY_VOID(must_write());
        limiter_->SetBytesPerSecond(kUnlimitedBytesPerSecond);  // nobody waits
        auto compacted = handle_.compact();
        limiter_->SetBytesPerSecond(kCompactionBytesPerSecond);
        return compacted;
    }

    Result<void> verify_files() const override { return handle_.verify_files(); }

private:
    // RocksDB itself aborts on some of these.
    Result<void> must_write() const {
        if (read_only_) {
            return fail(Errc::unsupported, directory_.string() + ": is open for reading only");
        }
        return {};
    }

    Result<void> ingest_files(RunSource const& run) {
        std::vector<rocksdb::IngestExternalFileArg> files;
        for (std::size_t i = 0; i < kTableCount; ++i) {
            auto const table = static_cast<Table>(i);
            if (is_run_table(table)) {
                FLORIN_TRY_VOID(build_file(table, run, files));
            }
        }
        if (files.empty()) {
            return {};
        }
        if (auto const status = handle_.database->IngestExternalFiles(files); !status.ok()) {
            return std::unexpected{rocks_error(status, directory_.string() + ": ingest")};
        }
        return {};
    }

    fs::path ingest_directory() const { return directory_ / "ingest"; }
    // A run that was being built when the process died is built again from the journal.
    Result<void> clear_ingest_directory() const {
        std::error_code error;
        fs::remove_all(ingest_directory(), error);
        if (!error) {
            fs::create_directory(ingest_directory(), error);
        }
        if (error) {
            return fail(Errc::io, ingest_directory().string() + ": " + error.message());
        }
        return {};
    }
    rocksdb::ColumnFamilyHandle* family(Table table) const {
        return handle_.families[static_cast<std::size_t>(table)];
    }
    std::string reading(Table table) const {
        return directory_.string() + ": reading table " + std::string{table_name(table)};
    }

    // A file is made for the first entry.
    class FileSink final : public RunSource::Sink {
    public:
        FileSink(rocksdb::SstFileWriter& writer, std::string const& path)
            : writer_{writer}, path_{path} {}
        void put(ByteView key, ByteView value) override {
            if (is_open()) {
                status_ = writer_.Put(rocksdb::Slice{key}, rocksdb::Slice{value});
            }
        }
        void remove(ByteView key) override {
            if (is_open()) {
                status_ = writer_.Delete(rocksdb::Slice{key});
            }
        }
        bool has_entries() const { return opened_; }
        rocksdb::Status const& status() const { return status_; }

    private:
        bool is_open() {
            if (!opened_) {
                opened_ = true;
                status_ = writer_.Open(path_);
            }
            return status_.ok();
        }
        rocksdb::SstFileWriter& writer_;
        std::string const& path_;
        rocksdb::Status status_;
        bool opened_ = false;
    };

    Result<void> build_file(
        Table table, RunSource const& run, std::vector<rocksdb::IngestExternalFileArg>& files
    ) {
        std::string const path = (ingest_directory() / (std::string{table_name(table)} + "." +
                                                        std::to_string(next_file_++) + ".sst"))
                                     .string();
        rocksdb::Options const options{
            handle_.database->GetDBOptions(), handle_.database->GetOptions(family(table))
        };
        rocksdb::SstFileWriter writer{rocksdb::EnvOptions{options}, options, family(table)};
        FileSink sink{writer, path};
        run.entries(table, sink);
        if (!sink.has_entries()) {
            return {};
        }
        rocksdb::Status status = sink.status();
        rocksdb::ExternalSstFileInfo info;
        if (status.ok()) {
            status = writer.Finish(&info);
        }
        if (!status.ok()) {
            return std::unexpected{rocks_error(status, path + ": building")};
        }
        rocksdb::IngestExternalFileArg file;
        file.column_family = family(table);
        file.external_files = {path};
        file.options.move_files = true;
        file.options.write_global_seqno = false;
        // The writer's own checksum goes to the manifest as it is; the file is not read for it.
        file.options.verify_file_checksum = false;
        file.files_checksums = {info.file_checksum};
        file.files_checksum_func_names = {info.file_checksum_func_name};
        files.push_back(std::move(file));
        return {};
    }

    fs::path directory_;
    bool read_only_;
    std::shared_ptr<rocksdb::Cache> cache_;
    std::shared_ptr<rocksdb::RateLimiter> limiter_;
    RocksHandle handle_;
    std::uint64_t next_file_ = 1;
};

}  // namespace

Result<std::unique_ptr<StateStore>> open_rocks_state(RocksStateOptions const& options) {
    auto store = std::make_unique<RocksStateStore>(options);
    FLORIN_TRY_VOID(store->open(options));
    return store;
}

}  // namespace florin::ledger
