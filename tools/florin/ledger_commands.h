// `florin ledger …`: the kernel on standard input, proofs, and reports on balances.
// Thread rule: one thread.
#pragma once

#include "tools/florin/ledger_head.h"
#include "tools/florin/output.h"

#include <filesystem>

namespace florin::tools {

// One JSON request a line in, one answer a line out, durable before it is written.
int ledger_exec(std::filesystem::path const& data_dir, bool manual_clock);
struct VerifyOptions {
    PinnedHeadFiles pinned;  // no head: not asked for
    bool only_head = false;  // that, and nothing more
};
int ledger_verify(
    std::filesystem::path const& data_dir, VerifyOptions const& options, Format format
);
int ledger_balances(std::filesystem::path const& data_dir, Format format);
int ledger_trial_balance(std::filesystem::path const& data_dir, Format format);

}  // namespace florin::tools
