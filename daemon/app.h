// florind put together: opens everything in order, serves, and takes it down in the reverse order.
//
// Thread rule: run() on the main thread; it returns when the process should end.
#pragma once

#include "daemon/config/config.h"
#include "ledger/base/result.h"

namespace florin {

// What `--dev` asks for.
struct DevOptions {
    std::string data_dir;
    config::Listen listen;
    std::string iso8583;  // HOST:PORT of a bank, or empty
};

// Exit codes: 0 stopped as asked, 1 stopped because something failed, 2 could not start.
int run_dev(DevOptions const& options);
int run_production(config::Config const& config);

}  // namespace florin
