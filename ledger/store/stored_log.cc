#include "ledger/store/stored_log.h"

#include "ledger/record.h"
#include "ledger/store/rocks.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/iterator.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>

namespace florin::ledger {
namespace {

constexpr char const* kLedgerId = "ledger_id";
// What may be in the write-ahead log alone, and is read back from there when it is opened.
constexpr std::size_t kRecordsBufferBytes = 32U << 20U;
constexpr std::size_t kChunkBytes = kTransfersPerChunk * sizeof(Transfer);
constexpr std::size_t kTransfersMax = kRecordBytesMax / sizeof(Transfer);
static_assert(kTransfersMax / kTransfersPerChunk < UINT16_MAX, "a chunk's number fits");

enum Family : std::size_t { records_family = 0, payload_family = 1, meta_family = 2 };
constexpr std::uint32_t kDropped = 0xffffffff;  // in place of a length
// An entry costs more than the bytes of a body; whoever wants one body reads the others of its row.
constexpr std::size_t kRowBytes = 8192;

std::string chunk_key(Sequence sequence, std::size_t chunk) {
    std::string key;
    ByteWriter out{key};
    out.big(sequence);
    out.big(static_cast<std::uint16_t>(chunk));
    return key;
}

// The same without a string of its own, for many in a row.
using ChunkKey = std::array<char, 10>;
ChunkKey packed_chunk_key(Sequence sequence, std::size_t chunk) {
    ChunkKey key;
    for (unsigned i = 0; i < 8; ++i) {
        key[i] = static_cast<char>(static_cast<unsigned char>((sequence >> (56 - 8 * i)) & 0xff));
    }
    key[8] = static_cast<char>(static_cast<unsigned char>((chunk >> 8U) & 0xff));
    key[9] = static_cast<char>(static_cast<unsigned char>(chunk & 0xff));
    return key;
}

void append_body(std::string& row, std::optional<ByteView> const& body) {
    ByteWriter out{row};
    if (body) {
        out.sized(*body);
    } else {
        out.little(kDropped);
    }
}

std::string payload_key(Sequence sequence, std::uint32_t index) {
    std::string key;
    ByteWriter out{key};
    out.big(sequence);
    out.big(index);
    return key;
}

rocksdb::ColumnFamilyOptions family_options(
    std::shared_ptr<rocksdb::Cache> const& cache, std::size_t write_buffer_bytes
) {
    rocksdb::BlockBasedTableOptions blocks;
    blocks.block_cache = cache;
    blocks.block_size = 16384;
    blocks.format_version = 5;
    blocks.cache_index_and_filter_blocks = true;  // counted in the cache, so bounded
    rocksdb::ColumnFamilyOptions options;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
    // Owners and ids come again and again: half of a payment's bytes, at a price that a ledger at
    // full load does not notice. It is done when a table file is written, on a thread of its own.
    options.compression = rocksdb::CompressionType::kLZ4Compression;
    options.write_buffer_size = write_buffer_bytes;
    options.max_write_buffer_number = 4;
    options.target_file_size_base = 64U << 20U;
    options.max_bytes_for_level_base = 256U << 20U;
    return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> log_families(std::size_t cache_bytes) {
    auto const cache = rocksdb::NewLRUCache(cache_bytes);
    return {
        {rocksdb::kDefaultColumnFamilyName, family_options(cache, kRecordsBufferBytes)},
        {"payload", family_options(cache, 64U << 20U)},
        {"meta", family_options(cache, 1U << 20U)},
    };
}

rocksdb::WriteOptions synced() {
    rocksdb::WriteOptions options;
    options.sync = true;
    return options;
}

// Sequence and number of a key; nullopt for a key of another shape.
template <class Number>
std::optional<std::pair<Sequence, Number>> split_key(rocksdb::Slice const& key) {
    ByteReader in{key.ToStringView(), "key"};
    auto const sequence = in.big<Sequence>();
    auto const number = in.big<Number>();
    if (!sequence || !number || !in.at_end()) {
        return std::nullopt;
    }
    return std::pair{*sequence, *number};
}

}  // namespace

StoredLog::StoredLog() : handle_{std::make_unique<RocksHandle>()} {}
StoredLog::~StoredLog() = default;

Result<void> StoredLog::verify_files() const {
    return handle_->verify_files();
}

Result<void> StoredLog::compact() {
    return handle_->compact();
}

std::string StoredLog::name(Sequence sequence) const {
    return directory_.string() + ": record " + std::to_string(sequence);
}

Result<void> StoredLog::open(
    std::filesystem::path const& directory,
    StoreAccess access,
    std::size_t cache_bytes,
    rocksdb::Env* env
) {
    directory_ = directory;
    return handle_->open(
        directory, access, database_options(access, env), log_families(cache_bytes)
    );
}

Result<bool> StoredLog::is_complete(std::filesystem::path const& directory, rocksdb::Env* env) {
    return has_families(
        directory, database_options(StoreAccess::read_only, env), log_families(1U << 20U)
    );
}

Result<std::optional<std::array<unsigned char, 16>>> StoredLog::ledger_id() const {
    std::string value;
    auto const status = handle_->database->Get(
        rocksdb::ReadOptions{}, handle_->families[meta_family], kLedgerId, &value
    );
    if (status.IsNotFound()) {
        return std::nullopt;
    }
    if (!status.ok()) {
        return std::unexpected{rocks_error(status, directory_.string() + ": ledger id")};
    }
    std::array<unsigned char, 16> id{};
    if (value.size() != id.size()) {
        return fail(Errc::corrupt, directory_.string() + ": ledger id of another length");
    }
    std::memcpy(id.data(), value.data(), id.size());
    return id;
}

Result<void> StoredLog::write_ledger_id(std::array<unsigned char, 16> const& id) {
    auto const status =
        handle_->database->Put(synced(), handle_->families[meta_family], kLedgerId, view(id));
    if (!status.ok()) {
        return std::unexpected{rocks_error(status, directory_.string() + ": ledger id")};
    }
    return {};
}

Result<Sequence> StoredLog::last_sequence() const {
    std::unique_ptr<rocksdb::Iterator> const chunks{
        handle_->database->NewIterator(rocksdb::ReadOptions{}, handle_->families[records_family])
    };
    chunks->SeekToLast();
    if (!chunks->status().ok()) {
        return std::unexpected{rocks_error(chunks->status(), directory_.string() + ": last record")
        };
    }
    if (!chunks->Valid()) {
        return 0;
    }
    auto const key = split_key<std::uint16_t>(chunks->key());
    if (!key || key->first == 0) {
        return fail(Errc::corrupt, directory_.string() + ": the last key is no record's");
    }
    return key->first;
}

Result<void> StoredLog::read(
    Sequence from, Sequence last, Journal::Payloads payloads, Journal::Visitor const& visit
) const {
    from = std::max<Sequence>(from, 1);
    rocksdb::ReadOptions options;
    options.fill_cache = false;  // a long read must not push out what transfer() needs
    std::unique_ptr<rocksdb::Iterator> const chunks{
        handle_->database->NewIterator(options, handle_->families[records_family])
    };
    chunks->Seek(chunk_key(from, 0));
    std::unique_ptr<rocksdb::Iterator> bodies;
    if (payloads == Journal::Payloads::with) {
        bodies.reset(handle_->database->NewIterator(options, handle_->families[payload_family]));
        bodies->Seek(payload_key(from, 0));
    }
    Assembled record;
    for (record.sequence = from; record.sequence <= last; ++record.sequence) {
        FLORIN_TRY_VOID(assemble(*chunks, record));
        if (bodies) {
            FLORIN_TRY_VOID(collect_payloads(*bodies, record));
        }
        Journal::StoredRecord const stored{
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

// Expects the iterator at chunk 0 and leaves it after the record.
Result<void> StoredLog::assemble(rocksdb::Iterator& chunks, Assembled& record) const {
    record.head.clear();
    record.transfers.clear();
    std::size_t next = 0;
    for (; chunks.Valid(); chunks.Next(), ++next) {
        auto const key = split_key<std::uint16_t>(chunks.key());
        if (key && key->first > record.sequence) {
            break;
        }
        if (!key || key->first != record.sequence || key->second != next) {
            return fail(
                Errc::corrupt,
                name(record.sequence) + ": chunk " + std::to_string(next) + " is missing"
            );
        }
        (next == 0 ? record.head : record.transfers).append(chunks.value().ToStringView());
    }
    if (!chunks.status().ok()) {
        return std::unexpected{rocks_error(chunks.status(), name(record.sequence))};
    }
    if (next == 0) {
        return fail(Errc::corrupt, name(record.sequence) + ": is missing");
    }
    if (record.head.size() < sizeof(RecordHeader)) {
        return fail(Errc::corrupt, name(record.sequence) + ": chunk 0 is too short");
    }
    return {};
}

// Expects the iterator at the record's first payload or after, and leaves it after the last.
Result<void> StoredLog::collect_payloads(rocksdb::Iterator& bodies, Assembled& record) const {
    record.payloads.clear();
    for (; bodies.Valid(); bodies.Next()) {
        auto const key = split_key<std::uint32_t>(bodies.key());
        if (key && key->first > record.sequence) {
            break;
        }
        if (!key || key->first != record.sequence || key->second != record.payloads.size()) {
            return fail(
                Errc::corrupt,
                name(record.sequence) + ": payload " + std::to_string(record.payloads.size()) +
                    " is missing"
            );
        }
        FLORIN_TRY(
            auto const row, split_row(record.sequence, key->second, bodies.value().ToStringView())
        );
        record.payloads.insert(record.payloads.end(), row.begin(), row.end());
    }
    if (!bodies.status().ok()) {
        return std::unexpected{rocks_error(bodies.status(), name(record.sequence) + ": payloads")};
    }
    return {};
}

Result<Transfer> StoredLog::transfer(Sequence sequence, std::uint32_t index) const {
    std::size_t const at = index % kTransfersPerChunk;
    rocksdb::PinnableSlice value;
    bool is_there = index < kTransfersMax;
    if (is_there) {
        auto const status = handle_->database->Get(
            rocksdb::ReadOptions{},
            handle_->families[records_family],
            chunk_key(sequence, index / kTransfersPerChunk + 1),
            &value
        );
        if (!status.ok() && !status.IsNotFound()) {
            return std::unexpected{rocks_error(status, name(sequence))};
        }
        is_there = status.ok() && value.size() >= (at + 1) * sizeof(Transfer);
    }
    if (!is_there) {
        return fail(
            Errc::corrupt, name(sequence) + ": transfer " + std::to_string(index) + " is missing"
        );
    }
    return transfer_at(value.ToStringView(), at);
}

Result<StoredLog::Bodies> StoredLog::split_row(
    Sequence sequence, std::uint32_t first, ByteView value
) const {
    auto const damaged = [&] {
        return fail(
            Errc::corrupt, name(sequence) + ": payload " + std::to_string(first) + " is damaged"
        );
    };
    Bodies bodies;
    ByteReader in{value, "payloads"};
    while (!in.at_end()) {
        auto const length = in.little<std::uint32_t>();
        if (length && *length == kDropped) {
            bodies.emplace_back(std::nullopt);
            continue;
        }
        auto const body = length ? in.take(*length) : Result<ByteView>{fail(Errc::corrupt, "")};
        if (!body) {
            return damaged();
        }
        bodies.emplace_back(*body);
    }
    if (bodies.empty()) {
        return damaged();
    }
    return bodies;
}

Result<std::optional<StoredLog::Row>> StoredLog::payload_row(Sequence sequence, std::uint32_t index)
    const {
    std::string const lower_key = payload_key(sequence, 0);
    rocksdb::Slice const lower = lower_key;
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower;
    std::unique_ptr<rocksdb::Iterator> const rows{
        handle_->database->NewIterator(options, handle_->families[payload_family])
    };
    rows->SeekForPrev(payload_key(sequence, index));
    if (!rows->status().ok()) {
        return std::unexpected{rocks_error(rows->status(), name(sequence) + ": payload")};
    }
    auto const key = rows->Valid() ? split_key<std::uint32_t>(rows->key()) : std::nullopt;
    if (!key || key->first != sequence) {
        return std::nullopt;
    }
    return Row{.first = key->second, .value = rows->value().ToString()};
}

Result<std::optional<Payload>> StoredLog::payload(Sequence sequence, std::uint32_t index) const {
    FLORIN_TRY(auto const row, payload_row(sequence, index));
    if (!row) {
        return std::nullopt;
    }
    FLORIN_TRY(auto const bodies, split_row(sequence, row->first, row->value));
    std::size_t const at = index - row->first;
    if (at >= bodies.size() || !bodies[at]) {
        return std::nullopt;
    }
    return std::string{*bodies[at]};
}

Result<void> StoredLog::drop_payloads(std::vector<PayloadPlace> const& places) {
    // As they will be, by their first payload.
    std::map<std::pair<Sequence, std::uint32_t>, std::string> rows;
    for (PayloadPlace const& place : places) {
        FLORIN_TRY(auto found, payload_row(place.sequence, place.index));
        if (!found) {
            continue;
        }
        std::pair const first{place.sequence, found->first};
        if (auto const known = rows.find(first); known != rows.end()) {
            found->value = known->second;
        }
        FLORIN_TRY(auto bodies, split_row(place.sequence, found->first, found->value));
        std::size_t const at = place.index - found->first;
        if (at >= bodies.size() || !bodies[at]) {
            continue;
        }
        // A mark stays, so that a dropped payload is never mistaken for a lost one.
        bodies[at] = std::nullopt;
        std::string value;
        for (auto const& body : bodies) {
            append_body(value, body);
        }
        rows.insert_or_assign(first, std::move(value));
    }
    rocksdb::WriteBatch batch;
    for (auto const& [first, value] : rows) {
        auto const status = batch.Put(
            handle_->families[payload_family], payload_key(first.first, first.second), value
        );
        if (!status.ok()) {
            return std::unexpected{rocks_error(status, name(first.first) + ": payload")};
        }
    }
    if (batch.Count() == 0) {
        return {};
    }
    auto const status = handle_->database->Write(synced(), &batch);
    if (!status.ok()) {
        return std::unexpected{rocks_error(status, directory_.string() + ": dropping payloads")};
    }
    return {};
}

Result<void> StoredLog::write(Group const& group, bool sync) {
    auto* const records = handle_->families[records_family];
    auto* const bodies = handle_->families[payload_family];
    std::size_t const bytes = group_bytes(group);
    rocksdb::WriteBatch batch{bytes + bytes / 64 + 4096};
    rocksdb::Status status;
    std::string row;
    auto const put =
        [&](rocksdb::ColumnFamilyHandle* family, ByteView key, ByteView first, ByteView second) {
            if (status.ok()) {
                rocksdb::Slice const keys[] = {rocksdb::Slice{key}};
                rocksdb::Slice const values[] = {first, second};
                status =
                    batch.Put(family, rocksdb::SliceParts{keys, 1}, rocksdb::SliceParts{values, 2});
            }
        };
    for (auto const& record : group) {
        Sequence const sequence = record->position.sequence;
        put(records, chunk_key(sequence, 0), record->header, record->effects);
        ByteView const transfers = record->transfers;
        for (std::size_t at = 0; at < transfers.size(); at += kChunkBytes) {
            std::size_t const chunk = at / kChunkBytes + 1;
            ChunkKey const key = packed_chunk_key(sequence, chunk);
            put(records, {key.data(), key.size()}, transfers.substr(at, kChunkBytes), {});
        }
        std::uint32_t first = 0;
        row.clear();
        for (std::uint32_t index = 0; index < record->payloads.size(); ++index) {
            append_body(row, record->payloads[index]);
            if (row.size() >= kRowBytes || index + 1 == record->payloads.size()) {
                put(bodies, payload_key(sequence, first), row, {});
                first = index + 1;
                row.clear();
            }
        }
    }
    if (status.ok()) {
        rocksdb::WriteOptions options;
        options.sync = sync;
        status = handle_->database->Write(options, &batch);
    }
    if (!status.ok()) {
        return std::unexpected{rocks_error(status, directory_.string() + ": append")};
    }
    return {};
}

}  // namespace florin::ledger
