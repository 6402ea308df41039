// What a ledger workload is, and what measuring one gives. Thread rule: values.
#pragma once

#include "ledger/base/result.h"
#include "tools/florin/bench/ledger_bench.h"
#include "tools/florin/bench/load.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace florin::tools {

// How a workload reaches the ledger.
enum class Reach {
    in_process,  // batches, several in flight
    submitters,  // single transfers, from many submitters
    slices,      // in process, the last part of the work compared with the first
    socket,      // a florind of its own, through the client library and a Unix socket
    restart,     // killed at full load; how long until it serves again
};

struct Workload {
    char const* name;
    char const* about;
    std::uint64_t transfers;
    LoadShape shape;
    Reach reach = Reach::in_process;
};

inline constexpr std::uint32_t kSubmitters = 64;

// One line of the result.
struct Measured {
    std::string name;
    std::uint64_t transfers = 0;
    double per_second = 0;
    double append_limit = 0;  // transfers a second, if appending were all there is
    double fdatasync_us = 0;
    double p50_ms = 0;
    double p99_ms = 0;
    std::uint64_t rss_bytes = 0;
    std::uint64_t disk_bytes = 0;
    std::map<std::string, double> thread_ns;  // processor time a transfer
    std::optional<double> growth;             // last part's rate ÷ first part's
    std::string note;
    double ratio() const { return append_limit > 0 ? per_second / append_limit : 0; }
};

// An own file each; all of them check that what was sent is there. `directory` is empty.
Result<void> run_in_process(
    LedgerBenchOptions const& options,
    Workload const& workload,
    std::filesystem::path const& directory,
    Measured& line
);
Result<void> run_over_socket(
    LedgerBenchOptions const& options,
    Workload const& workload,
    std::filesystem::path const& directory,
    Measured& line
);
Result<void> run_restarts(
    LedgerBenchOptions const& options,
    Workload const& workload,
    std::filesystem::path const& directory,
    Measured& line
);
// Writes to a new ledger as fast as it can until the process is killed: the restarts' other half.
Result<void> load_for_ever(std::filesystem::path const& data_dir);

// Latency is told at this part of the peak: at the peak itself it measures the queue.
inline constexpr double kLatencyLoad = 0.8;
// How many transfers that takes.
std::uint64_t latency_transfers(std::uint64_t transfers);

}  // namespace florin::tools
