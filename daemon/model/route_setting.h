// What operators changed about a connector while the daemon runs: it stays after a restart.
//
// Times are seconds since 1970 UTC. Thread rule: values.
#pragma once

#include "daemon/model/documents.h"

#include <cstdint>
#include <string>

namespace florin::model {

// Owner: the platform; id: the connector's name.
struct RouteSetting {
    static constexpr Kind kKind = Kind::route;
    bool disabled = false;      // new payments do not go through it
    bool has_priority = false;  // else the configuration's counts
    std::int64_t priority = 0;  // lower is tried first; below 0: only where a payment names it
    std::string reason;         // of the last change
    std::string changed_by;     // a person's name
    std::string changed_key;    // the id of the key that was used
    std::int64_t changed = 0;
};

}  // namespace florin::model
