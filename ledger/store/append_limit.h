// What the disk and RocksDB allow at best: the yardstick that benchmarks of the ledger stand
// beside.
//
// Writes nothing that anybody keeps; the directory must be empty or absent and is left for the
// caller to remove. Thread rule: one thread, blocking.
#pragma once

#include "ledger/base/result.h"

#include <cstdint>
#include <filesystem>

namespace florin::ledger {

struct AppendLimitOptions {
    std::filesystem::path directory;
    std::size_t value_bytes = 0;  // of one append, as one value
    std::uint64_t bytes = 0;      // in all, at least
    bool sync = true;
};

struct AppendLimit {
    double appends_per_second = 0;
    std::uint64_t appends = 0;
};

// Appends values to one RocksDB table, each with its own sync: what no ledger on top can beat.
Result<AppendLimit> measure_append_limit(AppendLimitOptions const& options);

// Median time of fdatasync after growing a file by 4 KiB, in microseconds.
Result<double> measure_fdatasync_us(std::filesystem::path const& directory);

}  // namespace florin::ledger
