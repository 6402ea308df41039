// The journal as a stream of what happened to accounts, for programs outside: one pass over the
// records, of which one at a time is in memory. Thread rule: one thread.
#pragma once

#include "ledger/effects.h"
#include "ledger/journal.h"

#include <optional>

namespace florin::tools {

// Where an item stands: record and, among the record's items of its kind, number.
struct ItemPlace {
    ledger::Sequence sequence = 0;
    std::uint32_t index = 0;
};

struct ExportEnd {
    ledger::Position last;  // the last record that was read
    std::uint64_t time = 0;
    std::uint64_t accounts = 0;
    std::uint64_t transfers = 0;
    std::uint64_t expiries = 0;
};

class ExportWriter {
public:
    ExportWriter() = default;
    ExportWriter(ExportWriter const&) = delete;
    ExportWriter& operator=(ExportWriter const&) = delete;
    virtual ~ExportWriter() = default;

    virtual Result<void> account(ItemPlace place, ledger::Account const& account) = 0;
    // `resolved` says what a post or a void does to its pending transfer; null for the others.
    virtual Result<void> transfer(
        ItemPlace place, ledger::Transfer const& transfer, ledger::PendingResolved const* resolved
    ) = 0;
    virtual Result<void> expiry(ItemPlace place, ledger::PendingExpired const& expired) = 0;
    virtual Result<void> end(ExportEnd const& end) = 0;
};

// Reads records 1 to `to`, each checked against the one before, and hands over their items: a
// record's accounts first, then its transfers and expiries in the order they happened.
Result<void> export_items(
    ledger::Journal const& journal, ledger::Sequence to, ExportWriter& writer
);

}  // namespace florin::tools
