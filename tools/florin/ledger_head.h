// `florin ledger head` and the pinned head of `florin ledger verify`. Thread rule: one thread.
#pragma once

#include "tools/florin/output.h"
#include "tools/florin/signed_head.h"

#include <filesystem>

namespace florin::tools {

// Prints the head; with a key file, one JSON object signed by that key (signed_head.h).
int ledger_head(
    std::filesystem::path const& data_dir, std::filesystem::path const& key_file, Format format
);

struct PinnedHeadFiles {
    std::filesystem::path head;
    std::filesystem::path public_key;  // empty: whoever signed
};
// The head that these files pin, once its signature, its key and its place in the journal of
// `data_dir` are right. Errc::corrupt tells what is not right; anything else: could not be read.
struct PinnedHeadReport {
    SignedHead pinned;
    ledger::PinnedHeadCheck check;
};
Result<PinnedHeadReport> check_pinned_head_files(
    std::filesystem::path const& data_dir, PinnedHeadFiles const& files
);

}  // namespace florin::tools
