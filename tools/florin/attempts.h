// `florin attempts …`: what was tried at banks, by which identity, and what is known of it; and
// what two persons decide where no bank can tell.
//
// attempts.cc reads a data directory by itself, attempts_daemon.cc asks a running daemon.
// Thread rule: one thread.
#pragma once

#include "tools/florin/admin_client.h"
#include "tools/florin/output.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace florin::tools {

enum class WhichAttempts : std::uint8_t {
    all,
    not_final,  // nobody knows yet what became of them
    owed_back,  // approved after all, and nothing was told to the bank yet: docs/unknowns.md
};

// Of not_final and owed_back exit code 1 where there are any.
int attempts_list(std::filesystem::path const& data_dir, WhichAttempts which, Format format);
int attempts_show(
    std::filesystem::path const& data_dir, std::string const& attempt_id, Format format
);

// The same from a daemon.
int attempts_list(DaemonOptions const& daemon, WhichAttempts which, Format format);
int attempts_show(DaemonOptions const& daemon, std::string const& attempt_id, Format format);

// Proposes an outcome, or confirms what another person has proposed: whose the admin key is.
int attempts_resolve(
    DaemonOptions const& daemon,
    std::string const& attempt_id,
    std::string const& outcome,
    std::string const& reason,
    Format format
);
struct Decision {
    std::string attempt, resolution;
    std::string verb;    // "confirm" or "withdraw"
    std::string reason;  // empty: none is given
};
int attempts_decide(DaemonOptions const& daemon, Decision const& decision, Format format);

}  // namespace florin::tools
