// `florin keys …`: API keys of merchants and of operators, through a running daemon.
//
// The one thing that works without: `keys create --admin` with the vault's key file makes the first
// admin key in a data directory that no daemon holds. Who can read both files could do anything
// anyway, so that no key is asked for.
// Thread rule: one thread.
#pragma once

#include "tools/florin/admin_client.h"
#include "tools/florin/output.h"

#include <cstdint>
#include <string>
#include <vector>

namespace florin::tools {

// What the command line said; -1: nothing.
struct KeyOptions {
    bool is_admin = false;
    std::string kind;  // secret, restricted, publishable; empty: by the rights
    std::string merchant, mode, name;
    std::vector<std::string> rights;  // "payment_intents=read"
    std::int64_t expires_in_s = -1;
    std::int64_t requests_per_second = -1, burst_requests = -1, in_flight_max = -1;
    std::string vault_key_file;
};

// The key's text is printed once and never again.
int keys_create(DaemonOptions const& daemon, KeyOptions const& options, Format format);
int keys_list(DaemonOptions const& daemon, bool all, Format format);
struct RollOptions {
    std::string id;
    std::int64_t overlap_s = -1;
    std::int64_t expires_in_s = -1;
};
int keys_roll(DaemonOptions const& daemon, RollOptions const& options, Format format);
int keys_revoke(DaemonOptions const& daemon, std::string const& id, Format format);

}  // namespace florin::tools
