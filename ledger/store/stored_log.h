// The journal's records as they lie in RocksDB: keys, values, and putting them together again.
//
//   default family   sequence u64, chunk u16, big-endian
//                    chunk 0: header (128 bytes) and effects; chunk n: transfers 32(n-1) to 32n-1
//   family payload   sequence u64, index u32, big-endian
//                    the bodies from that index on, each as u32 length and bytes, where the length
//                    0xffffffff alone stands for one that was dropped
//   family meta      "ledger_id": 16 bytes, written when the journal is created
//
// What this does not do: decide whether a record may be written, or keep the chain (LocalJournal).
// Thread rule: open by one thread; then any thread, writing by one at a time per record.
#pragma once

#include "ledger/journal.h"

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rocksdb {
class Env;
class Iterator;
}  // namespace rocksdb

namespace florin::ledger {

class RocksHandle;
enum class StoreAccess : bool;

class StoredLog {
public:
    StoredLog();
    StoredLog(StoredLog const&) = delete;
    StoredLog& operator=(StoredLog const&) = delete;
    ~StoredLog();

    Result<void> open(
        std::filesystem::path const& directory,
        StoreAccess access,
        std::size_t cache_bytes,
        rocksdb::Env* env
    );

    // False where the creation of the log that lies there was cut short: then nothing was ever
    // written into it.
    static Result<bool> is_complete(std::filesystem::path const& directory, rocksdb::Env* env);

    // nullopt: none was ever written.
    Result<std::optional<std::array<unsigned char, 16>>> ledger_id() const;
    Result<void> write_ledger_id(std::array<unsigned char, 16> const& id);

    // 0: there is no record.
    Result<Sequence> last_sequence() const;

    // As Journal::read, up to `last`, which must be there.
    Result<void> read(
        Sequence from, Sequence last, Journal::Payloads payloads, Journal::Visitor const& visit
    ) const;
    Result<Transfer> transfer(Sequence sequence, std::uint32_t index) const;
    Result<std::optional<Payload>> payload(Sequence sequence, std::uint32_t index) const;
    Result<void> drop_payloads(std::vector<PayloadPlace> const& places);

    // All or nothing, durable on return with `sync`. After an Error nobody knows what is on the
    // disk.
    Result<void> write(Group const& group, bool sync);

    Result<void> verify_files() const;
    Result<void> compact();
    // "…/log: record 12", for messages.
    std::string name(Sequence sequence) const;

private:
    struct Assembled {
        Sequence sequence = 0;
        std::string head;  // header and effects
        std::string transfers;
        std::vector<std::optional<Payload>> payloads;
    };
    Result<void> assemble(rocksdb::Iterator& chunks, Assembled& record) const;
    Result<void> collect_payloads(rocksdb::Iterator& bodies, Assembled& record) const;
    using Bodies = std::vector<std::optional<ByteView>>;
    // Those of a row; they are in `value`.
    Result<Bodies> split_row(Sequence sequence, std::uint32_t first, ByteView value) const;
    struct Row {
        std::uint32_t first = 0;  // index of its first body
        std::string value;
    };
    // The row that would have this payload; nullopt: there is none of this record.
    Result<std::optional<Row>> payload_row(Sequence sequence, std::uint32_t index) const;

    std::filesystem::path directory_;
    std::unique_ptr<RocksHandle> handle_;
};

}  // namespace florin::ledger
