// Two stores of views side by side: the first thing in which they differ, in words that name the
// object and its field.
//
// Reads both in pieces, so that memory stays bounded whatever their size. Thread rule: one thread.
#pragma once

#include "ledger/state_store.h"

#include <cstdint>
#include <functional>

namespace florin::ledger {

// Answers how many entries agree; Errc::corrupt names table, key and field of the first difference.
// `compared` is told now and then how many there were.
Result<std::uint64_t> compare_table(
    Table table,
    StateStore const& stored,
    StateStore const& expected,
    std::function<void(std::uint64_t compared)> const& compared
);

}  // namespace florin::ledger
