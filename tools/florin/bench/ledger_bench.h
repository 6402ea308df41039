// `florin bench ledger`: how fast the ledger kernel is here, beside what the disk allows.
#pragma once

#include "tools/florin/output.h"

#include <cstdint>
#include <string>

namespace florin::tools {

struct LedgerBenchOptions {
    std::string workload = "all";
    std::uint64_t transfers = 0;  // 0: what the workload asks for
    std::string data_dir;         // empty: a directory of its own under the current one, removed
    std::uint32_t in_flight = 4;  // batches sent and not yet answered
    bool sync = true;
    bool verify = true;
    bool load_for_ever = false;  // for the restarts: the process that gets killed
    Format format = Format::table;
};

// Names of all workloads, for help and checking.
std::string ledger_workload_names();

// Measures one workload or all of them, each in an empty data directory, and prints a line for
// each. kCouldNotRun where a workload is unknown or something failed; kFoundSomething where what
// was written is not what is there.
int bench_ledger(LedgerBenchOptions const& options);

}  // namespace florin::tools
