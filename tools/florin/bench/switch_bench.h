// `florin bench switch`: how many payments go through to a bank, and how much longer they take than
// the bank does, over TLS and ISO 8583 and with everything durable.
#pragma once

#include "tools/florin/output.h"

#include <cstdint>
#include <string>

namespace florin::tools {

struct SwitchBenchOptions {
    std::string url, ca_file;  // of a daemon that runs; empty: one of its own, and a bank
    std::string data_dir;      // of its own programs; empty: under the current directory, removed
    std::uint64_t connections = 64;
    std::uint64_t links = 1;           // between its own daemon and bank
    double seconds = 10;               // of each loop
    double rate = 500;                 // payments that are due each second of the open loop
    std::uint64_t bank_delay_ms = 20;  // of each answer of the bank, in the open loop
    Format format = Format::table;
};

// Measures a closed loop and an open one and prints what came out. With `url` the secret key comes
// from FLORIN_API_KEY, and `bank_delay_ms` is what that daemon's bank takes. kCouldNotRun where
// something failed.
int bench_switch(SwitchBenchOptions const& options);

}  // namespace florin::tools
