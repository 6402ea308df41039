// Compacting a data directory by hand: for measuring what a ledger takes on the disk in the end.
// The store does the same by itself, in the background. Thread rule: one thread, blocking.
#pragma once

#include "ledger/base/result.h"

#include <filesystem>

namespace florin::ledger {

// Takes the directory's lock. Errc::already_held where a process has it.
Result<void> compact_data_directory(std::filesystem::path const& data_dir);

}  // namespace florin::ledger
