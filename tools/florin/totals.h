// `florin totals …`: totals of business dates that were compared with banks.
// Thread rule: one thread.
#pragma once

#include "tools/florin/admin_client.h"
#include "tools/florin/output.h"

#include <string>

namespace florin::tools {

// The newest date first; exit code 1 where one of those shown is out of balance. An empty
// connector: all of them.
int totals_list(
    DaemonOptions const& daemon, std::string const& connector, int limit, Format format
);

}  // namespace florin::tools
