// `florin route …`: which connectors new payments go through, in which order.
// Thread rule: one thread.
#pragma once

#include "tools/florin/admin_client.h"
#include "tools/florin/output.h"

#include <cstdint>
#include <optional>
#include <string>

namespace florin::tools {

struct RouteChange {
    std::string connector;
    bool enable = false;
    bool disable = false;
    std::optional<std::int64_t> priority;
    std::string reason;
};

int route_list(DaemonOptions const& daemon, Format format);
int route_set(DaemonOptions const& daemon, RouteChange const& change, Format format);

}  // namespace florin::tools
