// `florin ledger …`: the kernel on standard input, proofs, and reports on balances.
// Thread rule: one thread.
#pragma once

#include "tools/florin/ledger_head.h"
#include "tools/florin/output.h"

#include <filesystem>
#include <string>

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
// `at`: a moment as time_argument.h reads it; empty: now. Accounts that came later are left out.
int ledger_balances(std::filesystem::path const& data_dir, std::string const& at, Format format);
int ledger_trial_balance(
    std::filesystem::path const& data_dir, std::string const& at, Format format
);
struct StatementOptions {
    std::string account;
    std::string from;  // empty: from the beginning
    std::string to;    // empty: up to now
    Format format = Format::table;
};
int ledger_statement(std::filesystem::path const& data_dir, StatementOptions const& options);

}  // namespace florin::tools
