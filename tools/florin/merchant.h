// `florin merchant …`: who gets paid, through a running daemon.
// Thread rule: one thread.
#pragma once

#include "tools/florin/admin_client.h"
#include "tools/florin/output.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace florin::tools {

// What the command line said; what is not there is not sent, so that the daemon decides.
struct MerchantOptions {
    std::string id;
    std::map<std::string, std::string> texts;     // member of the request to its value
    std::map<std::string, std::int64_t> numbers;  // the same
    std::vector<std::string> modes;               // none: both
};

int merchant_create(DaemonOptions const& daemon, MerchantOptions const& options, Format format);
int merchant_list(DaemonOptions const& daemon, Format format);
int merchant_show(DaemonOptions const& daemon, std::string const& id, Format format);
// Changes what is named.
int merchant_update(DaemonOptions const& daemon, MerchantOptions const& options, Format format);

}  // namespace florin::tools
