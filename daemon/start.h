// The ways of starting florind, and waiting for its end.
//
// Thread rule: on the main thread; each returns when the process should end.
#pragma once

#include "daemon/config/config.h"

#include <string>

namespace florin {

// What `--dev` asks for.
struct DevOptions {
    std::string data_dir;
    config::Listen listen;
    std::string iso8583;       // HOST:PORT of a bank, of its links with commas, or empty
    std::uint64_t keep_s = 0;  // what has a time to be kept is kept so long; 0: as in production
};

// Exit codes: 0 stopped as asked, 1 stopped because something failed, 2 could not start.
int run_dev(DevOptions const& options);
// The HTTPS server alone, which answers everything with the same 2 KiB: what its speed allows, for
// comparison.
int run_bare(DevOptions const& options);
int run_production(config::Config const& config);
// Mode ledger; see ledger_app.h.
int run_ledger(config::Config const& config);

}  // namespace florin
