// Reading the journal from one record on, checking each against the one before: what a restart, a
// reader and verify have in common.
// Thread rule: one thread.
#pragma once

#include "ledger/journal.h"
#include "ledger/record.h"
#include "ledger/views.h"

#include <functional>

namespace florin::ledger {

struct ReplayedRecord {
    CheckedRecord checked;
    Journal::StoredRecord const& stored;

    // As the views take it. Valid inside the visitor.
    Views::Record for_views() const;
};

// Visits every record from `from` on; the one before it is read for its hash. Answers the last
// record's header and position (the genesis position and an empty header where there is none).
struct ReplayEnd {
    Position last;
    Epoch epoch = 0;
    std::uint64_t time = 0;
};
Result<ReplayEnd> replay_journal(
    Journal const& journal,
    Sequence from,
    Journal::Payloads payloads,
    std::function<Result<void>(ReplayedRecord const& record)> const& visit
);

// What record 1 says; Errc::corrupt where it does not begin a ledger.
Result<LedgerKind> ledger_kind(Journal const& journal);

}  // namespace florin::ledger
