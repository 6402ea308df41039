#include "ledger/store/append_limit.h"

#include "ledger/base/bytes.h"
#include "ledger/store/rocks.h"

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace florin::ledger {
namespace {

using Steady = std::chrono::steady_clock;

double seconds_since(Steady::time_point start) {
    return std::chrono::duration<double>(Steady::now() - start).count();
}

// Bytes that neither RocksDB nor the disk can shorten.
std::string incompressible(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint64_t x = 0x9e3779b97f4a7c15ULL;
    for (char& byte : bytes) {
        x ^= x << 13U;
        x ^= x >> 7U;
        x ^= x << 17U;
        byte = static_cast<char>(static_cast<unsigned char>(x & 0xff));
    }
    return bytes;
}

}  // namespace

Result<AppendLimit> measure_append_limit(AppendLimitOptions const& options) {
    auto database = database_options(StoreAccess::write, nullptr);
    rocksdb::ColumnFamilyOptions family;
    family.write_buffer_size = 64U << 20U;
    family.compression = rocksdb::CompressionType::kNoCompression;
    RocksHandle handle;
    FLORIN_TRY_VOID(handle.open(
        options.directory,
        StoreAccess::write,
        database,
        {{rocksdb::kDefaultColumnFamilyName, family}}
    ));
    std::string const value = incompressible(options.value_bytes);
    rocksdb::WriteOptions write;
    write.sync = options.sync;
    AppendLimit limit;
    auto const start = Steady::now();
    for (std::uint64_t written = 0; written < options.bytes; written += value.size()) {
        std::string key;
        ByteWriter{key}.big(++limit.appends);
        auto const status = handle.database->Put(write, handle.families[0], key, value);
        if (!status.ok()) {
            return std::unexpected{rocks_error(status, options.directory.string() + ": append")};
        }
    }
    limit.appends_per_second = static_cast<double>(limit.appends) / seconds_since(start);
    return limit;
}

Result<double> measure_fdatasync_us(std::filesystem::path const& directory) {
    constexpr int kRounds = 200;
    std::string const path = (directory / "fdatasync").string();
    int const file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0) {
        return fail(Errc::io, path + ": " + std::generic_category().message(errno));
    }
    std::string const block = incompressible(4096);
    std::vector<double> took;
    bool sound = true;
    for (int round = 0; round < kRounds && sound; ++round) {
        sound = ::write(file, block.data(), block.size()) == static_cast<ssize_t>(block.size());
        auto const start = Steady::now();
        sound = sound && ::fdatasync(file) == 0;
        took.push_back(seconds_since(start) * 1e6);
    }
    int const reason = errno;
    ::close(file);
    ::unlink(path.c_str());
    if (!sound) {
        return fail(Errc::io, path + ": " + std::generic_category().message(reason));
    }
    std::ranges::nth_element(took, took.begin() + kRounds / 2);
    return took[kRounds / 2];
}

}  // namespace florin::ledger
