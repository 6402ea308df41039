#include "ledger/store/table_file.h"

#include "ledger/base/bytes.h"

#include <rocksdb/env.h>

#include <memory>
#include <string>
#include <vector>

namespace florin::ledger {
namespace {

// The end of a table file: type of checksums 1, handles of two blocks 40, version 4, magic 8.
constexpr std::uint64_t kFooterBytes = 53;
constexpr std::uint64_t kHandlesAt = 1;
constexpr std::uint64_t kMagicAt = 45;
constexpr std::uint64_t kMagic = 0x88e241b785f4cff7;  // a table of blocks
constexpr std::uint64_t kBlockBytesMax = 1U << 20U;   // of an index of a handful of blocks
constexpr ByteView kProperties = "rocksdb.properties";

// Where a block begins and how long it is, without its trailer.
struct Handle {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

class TableFile {
public:
    Result<void> open(std::string const& path, rocksdb::Env& env) {
        auto const status = env.NewRandomAccessFile(path, &file_, rocksdb::EnvOptions{});
        if (!status.ok() || !env.GetFileSize(path, &size_).ok()) {
            return fail(Errc::io, path + ": cannot be opened");
        }
        return {};
    }
    std::uint64_t size() const { return size_; }
    Result<std::string> read(std::uint64_t offset, std::uint64_t size) const {
        if (size > kBlockBytesMax || offset > size_ || size > size_ - offset) {
            return fail(Errc::malformed, "outside of the file");
        }
        std::string bytes(size, '\0');
        rocksdb::Slice read;
        auto const status = file_->Read(offset, size, &read, bytes.data());
        if (!status.ok() || read.size() != size) {
            return fail(Errc::io, "cannot be read");
        }
        return read.ToString();  // which need not stand in `bytes`
    }

private:
    std::unique_ptr<rocksdb::RandomAccessFile> file_;
    std::uint64_t size_ = 0;
};

Result<Handle> read_handle(ByteReader& reader) {
    Handle handle;
    FLORIN_TRY(handle.offset, reader.varint64());
    FLORIN_TRY(handle.size, reader.varint64());
    return handle;
}

// The block that lists the others by name.
Result<Handle> metaindex_of(TableFile const& file) {
    if (file.size() < kFooterBytes) {
        return fail(Errc::malformed, "shorter than a footer");
    }
    FLORIN_TRY(std::string const footer, file.read(file.size() - kFooterBytes, kFooterBytes));
    ByteReader magic{ByteView{footer}.substr(kMagicAt), "magic"};
    FLORIN_TRY(auto const number, magic.little<std::uint64_t>());
    if (number != kMagic) {
        return fail(Errc::malformed, "not a table of blocks");
    }
    ByteReader handles{ByteView{footer}.substr(kHandlesAt, kMagicAt - kHandlesAt), "handles"};
    return read_handle(handles);
}

// Its entries are {bytes shared with the name before, further bytes, bytes of the handle}, the
// further bytes of the name, the handle; nothing is shared in this block.
Result<Handle> properties_of(TableFile const& file) {
    FLORIN_TRY(Handle const metaindex, metaindex_of(file));
    FLORIN_TRY(std::string const block, file.read(metaindex.offset, metaindex.size));
    ByteReader entries{block, "metaindex"};
    while (!entries.at_end()) {
        FLORIN_TRY(std::uint64_t const shared, entries.varint64());
        FLORIN_TRY(std::uint64_t const name_size, entries.varint64());
        FLORIN_TRY(std::uint64_t const handle_size, entries.varint64());
        FLORIN_TRY(ByteView const name, entries.take(name_size));
        FLORIN_TRY(ByteView const handle, entries.take(handle_size));
        if (shared == 0 && name == kProperties) {
            ByteReader reader{handle, "handle of the properties"};
            return read_handle(reader);
        }
    }
    return fail(Errc::not_found, "no properties");
}

Result<bool> has_flipped_kind(TableFile const& file) {
    FLORIN_TRY(Handle const properties, properties_of(file));
    if (properties.size == 0) {
        return false;
    }
    FLORIN_TRY(std::string const last, file.read(properties.offset + properties.size - 1, 1));
    return (static_cast<unsigned char>(last[0]) & 0x80U) != 0;
}

}  // namespace

Result<void> check_table_files(std::filesystem::path const& directory, rocksdb::Env& env) {
    std::vector<std::string> names;
    if (!env.GetChildren(directory.string(), &names).ok()) {
        return {};
    }
    for (std::string const& name : names) {
        if (!name.ends_with(".sst")) {
            continue;
        }
        std::string const path = (directory / name).string();
        TableFile file;
        if (!file.open(path, env)) {
            continue;
        }
        auto const flipped = has_flipped_kind(file);
        if (flipped && *flipped) {
            return fail(
                Errc::corrupt, path + ": damaged: its properties, or where the file says they are"
            );
        }
    }
    return {};
}

}  // namespace florin::ledger
