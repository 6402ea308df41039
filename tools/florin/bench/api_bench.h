// `florin bench api`: how fast the merchant API is here, over TLS and with everything durable,
// beside what its HTTP layer can do without an application.
#pragma once

#include "tools/florin/output.h"

#include <cstdint>
#include <string>

namespace florin::tools {

struct ApiBenchOptions {
    std::string workload = "all";
    std::string url, ca_file;  // of a daemon that runs; empty: one of its own
    std::string data_dir;      // of its own daemon; empty: under the current directory, removed
    std::uint64_t connections = 64;
    double seconds = 10;  // of each workload
    std::uint64_t idle_connections = 2'000;
    Format format = Format::table;
};

std::string api_workload_names();

// Measures one workload or all of them and prints a line for each. With `url` the secret key comes
// from FLORIN_API_KEY. kCouldNotRun where something failed.
int bench_api(ApiBenchOptions const& options);

}  // namespace florin::tools
