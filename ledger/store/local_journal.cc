#include "ledger/store/local_journal.h"

#include "ledger/base/check.h"
#include "ledger/record.h"
#include "ledger/store/head_witness.h"
#include "ledger/store/rocks.h"

#include <rocksdb/table.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <thread>

namespace florin::ledger {
namespace {

namespace fs = std::filesystem;

constexpr char const* kLedgerId = "ledger_id";
constexpr std::size_t kGroupBytesMax = 16U << 20U;
enum Family : std::size_t { records_family = 0, payload_family = 1, meta_family = 2 };

std::string chunk_key(Sequence sequence, std::uint16_t chunk) {
    std::string key;
    ByteWriter out{key};
    out.big(sequence);
    out.big(chunk);
    return key;
}

std::string payload_key(Sequence sequence, std::uint32_t index) {
    std::string key;
    ByteWriter out{key};
    out.big(sequence);
    out.big(index);
    return key;
}

rocksdb::ColumnFamilyOptions family_options(std::shared_ptr<rocksdb::Cache> const& cache) {
    rocksdb::BlockBasedTableOptions blocks;
    blocks.block_cache = cache;
    blocks.block_size = 16384;
    blocks.format_version = 5;
    rocksdb::ColumnFamilyOptions options;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
    options.compression = rocksdb::CompressionType::kNoCompression;
    options.write_buffer_size = 64U << 20U;
    options.max_write_buffer_number = 3;
    options.target_file_size_base = 64U << 20U;
    options.max_bytes_for_level_base = 256U << 20U;
    return options;
}

// A stored record put together from its chunks.
struct Assembled {
    Sequence sequence = 0;
    std::string head;  // header and effects
    std::string transfers;
    std::vector<std::optional<Payload>> payloads;
};

class RocksLocalJournal final : public LocalJournal {
public:
    explicit RocksLocalJournal(LocalJournalOptions options) : options_{std::move(options)} {}

    ~RocksLocalJournal() override {
        {
            std::lock_guard const lock{mutex_};
            stopping_ = true;
            wake_.notify_one();
        }
        if (writer_.joinable()) {
            writer_.join();
            static_cast<void>(witness_.sync());
        }
    }

    Result<void> open() {
        // The witness first: while another process writes, it may only be behind what is read next.
        FLORIN_TRY_VOID(witness_.open(options_.witness, options_.read_only));
        auto const cache = rocksdb::NewLRUCache(options_.cache_bytes);
        std::vector<rocksdb::ColumnFamilyDescriptor> const families{
            {rocksdb::kDefaultColumnFamilyName, family_options(cache)},
            {"payload", family_options(cache)},
            {"meta", family_options(cache)},
        };
        auto const database = database_options(!options_.read_only);
        std::string const path = options_.directory.string();
        auto const status =
            options_.read_only
                ? rocksdb::DB::OpenForReadOnly(
                      database, path, families, &handle_.families, &handle_.database
                  )
                : rocksdb::DB::Open(database, path, families, &handle_.families, &handle_.database);
        if (!status.ok()) {
            return std::unexpected{rocks_error(status, path + ": cannot open the journal")};
        }
        FLORIN_TRY_VOID(load_ledger_id());
        FLORIN_TRY_VOID(load_head());
        if (!options_.read_only) {
            writer_ = std::thread{[this] { run(); }};
            pthread_setname_np(writer_.native_handle(), "florin-journal");
        }
        return {};
    }

    std::size_t group_bytes_max() const override { return kGroupBytesMax; }
    std::array<unsigned char, 16> ledger_id() const override { return ledger_id_; }
    bool is_new() const override { return is_new_; }

    Result<Lease> acquire(Epoch observed) override {
        std::lock_guard const lock{mutex_};
        if (observed != epoch_) {
            return fail(
                Errc::conflict,
                "the journal is at epoch " + std::to_string(epoch_) + ", not " +
                    std::to_string(observed)
            );
        }
        ++epoch_;
        return Lease{.epoch = epoch_, .leader_id = {}};
    }

    Result<void> release(Lease const&) override { return {}; }

    void append(Lease const& lease, Position expected, Group group, AppendCompletion completion)
        override {
        std::unique_lock lock{mutex_};
        FLORIN_CHECK(!job_, "one group is in flight at a time");
        if (stopping_ || options_.read_only) {
            lock.unlock();
            completion(AppendOutcome::not_sent, "the journal is closed for writing");
            return;
        }
        job_ = Job{lease, expected, std::move(group), std::move(completion)};
        wake_.notify_one();
    }

    Result<Head> head() const override {
        std::lock_guard const lock{mutex_};
        return Head{.last = head_, .epoch = epoch_};
    }

    Result<void> read(Sequence from, Payloads payloads, Visitor const& visit) const override {
        rocksdb::ReadOptions options;
        options.verify_checksums = true;
        std::unique_ptr<rocksdb::Iterator> const chunks{
            handle_.database->NewIterator(options, family(records_family))
        };
        std::unique_ptr<rocksdb::Iterator> bodies;
        if (payloads == Payloads::with) {
            bodies.reset(handle_.database->NewIterator(options, family(payload_family)));
            bodies->Seek(payload_key(from, 0));
        }
        Assembled record;
        Sequence last = 0;
        {
            std::lock_guard const lock{mutex_};
            last = head_.sequence;
        }
        chunks->Seek(chunk_key(from, 0));
        for (Sequence sequence = std::max<Sequence>(from, 1); sequence <= last; ++sequence) {
            FLORIN_TRY_VOID(assemble(*chunks, sequence, record));
            if (bodies) {
                FLORIN_TRY_VOID(collect_payloads(*bodies, record));
            }
            StoredRecord const stored{
                .header = ByteView{record.head}.substr(0, sizeof(RecordHeader)),
                .transfers = record.transfers,
                .effects = ByteView{record.head}.substr(sizeof(RecordHeader)),
                .payloads = std::move(record.payloads),
            };
            FLORIN_TRY(bool const go_on, visit(stored));
            if (!go_on) {
                break;
            }
        }
        return {};
    }

    Result<Transfer> transfer(Sequence sequence, std::uint32_t index) const override {
        auto const chunk = static_cast<std::uint16_t>(index / kTransfersPerChunk + 1);
        rocksdb::PinnableSlice value;
        auto const status = handle_.database->Get(
            rocksdb::ReadOptions{}, family(records_family), chunk_key(sequence, chunk), &value
        );
        std::size_t const at = index % kTransfersPerChunk;
        if (status.IsNotFound() || (status.ok() && value.size() < (at + 1) * sizeof(Transfer))) {
            return fail(
                Errc::corrupt,
                name(sequence) + ": transfer " + std::to_string(index) + " is missing"
            );
        }
        if (!status.ok()) {
            return std::unexpected{rocks_error(status, name(sequence))};
        }
        return transfer_at(bytes_of(value), at);
    }

    Result<std::optional<Payload>> payload(Sequence sequence, std::uint32_t index) const override {
        std::string value;
        auto const status = handle_.database->Get(
            rocksdb::ReadOptions{}, family(payload_family), payload_key(sequence, index), &value
        );
        if (status.IsNotFound()) {
            return std::nullopt;
        }
        if (!status.ok()) {
            return std::unexpected{rocks_error(status, name(sequence) + ": payload")};
        }
        return value;
    }

    Result<void> drop_payload(Sequence sequence, std::uint32_t index) override {
        auto const status = handle_.database->Delete(
            rocksdb::WriteOptions{}, family(payload_family), payload_key(sequence, index)
        );
        if (!status.ok()) {
            return std::unexpected{rocks_error(status, name(sequence) + ": dropping a payload")};
        }
        return {};
    }

    Result<void> verify_files() const override {
        return verify_table_files(*handle_.database, options_.directory);
    }

private:
    struct Job {
        Lease lease;
        Position expected;
        Group group;
        AppendCompletion completion;
    };

    rocksdb::ColumnFamilyHandle* family(Family which) const { return handle_.families[which]; }
    std::string name(Sequence sequence) const {
        return options_.directory.string() + ": record " + std::to_string(sequence);
    }

    Result<void> load_ledger_id() {
        std::string value;
        auto status =
            handle_.database->Get(rocksdb::ReadOptions{}, family(meta_family), kLedgerId, &value);
        std::string const path = options_.directory.string();
        if (status.IsNotFound()) {
            std::unique_ptr<rocksdb::Iterator> const any{
                handle_.database->NewIterator(rocksdb::ReadOptions{}, family(records_family))
            };
            any->SeekToFirst();
            if (any->Valid() || options_.read_only) {
                return fail(Errc::corrupt, path + ": the journal has no ledger id");
            }
            rocksdb::WriteOptions sync;
            sync.sync = true;
            value = view(options_.new_ledger_id);
            status = handle_.database->Put(sync, family(meta_family), kLedgerId, value);
            is_new_ = true;
        }
        if (!status.ok()) {
            return std::unexpected{rocks_error(status, path + ": ledger id")};
        }
        if (value.size() != ledger_id_.size()) {
            return fail(Errc::corrupt, path + ": ledger id of another length");
        }
        std::memcpy(ledger_id_.data(), value.data(), ledger_id_.size());
        return {};
    }

    // The newest record, whole and sound, against the witness.
    Result<void> load_head() {
        head_ = genesis_position(ledger_id_);
        std::unique_ptr<rocksdb::Iterator> const it{
            handle_.database->NewIterator(rocksdb::ReadOptions{}, family(records_family))
        };
        it->SeekToLast();
        if (!it->status().ok()) {
            return std::unexpected{rocks_error(it->status(), options_.directory.string())};
        }
        if (it->Valid()) {
            Sequence const last = *ByteReader(bytes_of(it->key()), "key").big<Sequence>();
            it->Seek(chunk_key(last, 0));
            Assembled record;
            FLORIN_TRY_VOID(assemble(*it, last, record));
            ByteView const head{record.head};
            FLORIN_TRY(
                RecordHeader const header, decode_header(head.substr(0, sizeof(RecordHeader)))
            );
            ByteView const effects = head.substr(sizeof(RecordHeader));
            FLORIN_TRY_VOID(check_body(header, record.transfers, effects));
            head_ = {
                last, record_hash(head.substr(0, sizeof(RecordHeader)), record.transfers, effects)
            };
            epoch_ = header.epoch;
        }
        return compare_with_witness();
    }

    Result<void> compare_with_witness() const {
        auto const& known = witness_.known();
        std::string const path = options_.directory.string();
        if (!known) {
            if (head_.sequence > 1) {
                return fail(
                    Errc::corrupt,
                    options_.witness.string() + ": the witness of " +
                        std::to_string(head_.sequence) + " records is gone"
                );
            }
            return {};
        }
        if (known->sequence > head_.sequence) {
            return fail(
                Errc::corrupt,
                path + ": the journal ends at record " + std::to_string(head_.sequence) +
                    ", but record " + std::to_string(known->sequence) + " was written and synced"
            );
        }
        if (known->sequence == head_.sequence && known->hash != head_.hash) {
            return fail(
                Errc::corrupt,
                name(head_.sequence) + ": differs from what " + options_.witness.string() +
                    " has seen"
            );
        }
        return {};
    }

    // Expects the iterator at chunk 0 of `sequence` and leaves it after the record.
    Result<void> assemble(rocksdb::Iterator& it, Sequence sequence, Assembled& record) const {
        record.sequence = sequence;
        record.head.clear();
        record.transfers.clear();
        record.payloads.clear();
        for (std::uint16_t chunk = 0; it.Valid(); it.Next(), ++chunk) {
            ByteReader key{bytes_of(it.key()), "journal key"};
            FLORIN_TRY(auto const at, key.big<Sequence>());
            FLORIN_TRY(auto const number, key.big<std::uint16_t>());
            if (at != sequence && chunk > 0) {
                break;
            }
            if (at != sequence || number != chunk || !key.at_end()) {
                return fail(
                    Errc::corrupt,
                    name(sequence) + ": chunk " + std::to_string(chunk) + " is missing"
                );
            }
            (chunk == 0 ? record.head : record.transfers).append(bytes_of(it.value()));
        }
        if (!it.status().ok()) {
            return std::unexpected{rocks_error(it.status(), name(sequence))};
        }
        if (record.head.size() < sizeof(RecordHeader)) {
            return fail(Errc::corrupt, name(sequence) + ": is missing");
        }
        return {};
    }

    Result<void> collect_payloads(rocksdb::Iterator& it, Assembled& record) const {
        for (; it.Valid(); it.Next()) {
            ByteReader key{bytes_of(it.key()), "payload key"};
            FLORIN_TRY(auto const at, key.big<Sequence>());
            FLORIN_TRY(auto const index, key.big<std::uint32_t>());
            if (at > record.sequence) {
                break;
            }
            if (at < record.sequence) {
                continue;
            }
            if (index >= kRecordBytesMax) {
                return fail(Errc::corrupt, name(record.sequence) + ": number of a payload");
            }
            record.payloads.resize(std::size_t{index} + 1);
            record.payloads[index] = std::string{bytes_of(it.value())};
        }
        if (!it.status().ok()) {
            return std::unexpected{rocks_error(it.status(), name(record.sequence) + ": payloads")};
        }
        return {};
    }

    // ---- the journal thread
    // ----------------------------------------------------------------------

    void run() {
        std::unique_lock lock{mutex_};
        for (;;) {
            wake_.wait(lock, [this] { return stopping_ || job_; });
            if (!job_) {
                return;
            }
            Job job = std::move(*job_);
            Position const head = head_;
            Epoch const epoch = epoch_;
            lock.unlock();
            auto [outcome, why] = write(job, head, epoch);
            lock.lock();
            if (outcome == AppendOutcome::committed) {
                if (job.group.back()->position.sequence > head_.sequence) {
                    head_ = job.group.back()->position;
                }
            }
            job_.reset();
            lock.unlock();
            job.completion(outcome, std::move(why));
            lock.lock();
        }
    }

    std::pair<AppendOutcome, std::string> write(Job const& job, Position const& head, Epoch epoch) {
        if (poisoned_) {
            return {AppendOutcome::not_sent, *poisoned_};
        }
        if (job.lease.epoch != epoch) {
            return {AppendOutcome::fenced, "the journal is at epoch " + std::to_string(epoch)};
        }
        if (job.expected != head) {
            return compare_with_stored(job, head);
        }
        std::size_t bytes = 0;
        rocksdb::WriteBatch batch;
        for (auto const& record : job.group) {
            bytes += record->bytes();
            put(batch, *record);
        }
        if (bytes > kGroupBytesMax) {
            return {AppendOutcome::not_sent, "a group of " + std::to_string(bytes) + " bytes"};
        }
        rocksdb::WriteOptions sync;
        sync.sync = true;
        if (auto const status = handle_.database->Write(sync, &batch); !status.ok()) {
            poisoned_ = rocks_error(status, options_.directory.string() + ": append").context;
            return {AppendOutcome::unknown, *poisoned_};
        }
        if (auto const seen = witness_.write(job.group.back()->position); !seen) {
            poisoned_ = seen.error().context;
            return {AppendOutcome::unknown, *poisoned_};
        }
        return {AppendOutcome::committed, {}};
    }

    void put(rocksdb::WriteBatch& batch, EncodedRecord const& record) const {
        Sequence const sequence = record.position.sequence;
        std::string const head = record.header + record.effects;
        batch.Put(family(records_family), chunk_key(sequence, 0), head);
        constexpr std::size_t kChunkBytes = kTransfersPerChunk * sizeof(Transfer);
        std::uint16_t chunk = 1;
        for (std::size_t at = 0; at < record.transfers.size(); at += kChunkBytes, ++chunk) {
            batch.Put(
                family(records_family),
                chunk_key(sequence, chunk),
                slice(ByteView{record.transfers}.substr(at, kChunkBytes))
            );
        }
        for (std::uint32_t index = 0; index < record.payloads.size(); ++index) {
            batch.Put(family(payload_family), payload_key(sequence, index), record.payloads[index]);
        }
    }

    // A repeated append finds its own record; anything else is somebody else's.
    std::pair<AppendOutcome, std::string> compare_with_stored(Job const& job, Position const& head)
        const {
        Position const& wanted = job.group.back()->position;
        if (wanted == head) {
            return {AppendOutcome::committed, {}};
        }
        return {
            AppendOutcome::conflict,
            "the journal's head is record " + std::to_string(head.sequence) + ", not " +
                std::to_string(job.expected.sequence)
        };
    }

    LocalJournalOptions options_;
    RocksHandle handle_;
    HeadWitness witness_;
    std::array<unsigned char, 16> ledger_id_{};
    bool is_new_ = false;
    std::optional<std::string> poisoned_;  // journal thread only

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::optional<Job> job_;
    Position head_;
    Epoch epoch_ = 0;
    bool stopping_ = false;
    std::thread writer_;
};

}  // namespace

Result<std::unique_ptr<LocalJournal>> LocalJournal::open(LocalJournalOptions const& options) {
    if (options.read_only && !fs::exists(options.directory / "CURRENT")) {
        return fail(Errc::not_found, options.directory.string() + ": no journal there");
    }
    auto journal = std::make_unique<RocksLocalJournal>(options);
    FLORIN_TRY_VOID(journal->open());
    return journal;
}

}  // namespace florin::ledger
