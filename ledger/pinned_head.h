// A head that somebody outside wrote down once: is it still in this journal's history?
//
// Records are chained by hash, so whoever keeps one head can tell later whether anything up to it
// was changed or taken away. Thread rule: one thread.
#pragma once

#include "ledger/journal.h"

#include <array>
#include <cstdint>

namespace florin::ledger {

struct PinnedHead {
    std::array<unsigned char, 16> ledger_id{};
    Position position;       // of a record: the sequence is at least 1
    std::uint64_t time = 0;  // of that record, nanoseconds since 1970 UTC
};

enum class PinnedHeadVerdict : std::uint8_t {
    is_head,         // nothing was written since
    is_ancestor,     // it stands in the chain that leads to the head
    other_ledger,    // says nothing about this journal
    journal_is_cut,  // the journal ends before it
    is_rewritten,    // another record stands in its place
    time_differs,    // the record is the one, but is of another time
};

struct PinnedHeadCheck {
    PinnedHeadVerdict verdict = PinnedHeadVerdict::is_head;
    std::array<unsigned char, 16> ledger_id{};  // of the journal
    Position head;                              // of the journal
    Position found;                             // the record in the pinned one's place, if any
    std::uint64_t time = 0;                     // of that record
};

// Reads the record in its place, recomputes its hash, and compares the next record's prev_hash with
// it. What lies between there and the head is the chain's own business: verify_ledger recomputes
// it. Errc::corrupt where these two records contradict each other or themselves.
Result<PinnedHeadCheck> check_pinned_head(Journal const& journal, PinnedHead const& pinned);

// The journal's head as something to pin. Errc::not_found where it has no record.
Result<PinnedHead> current_head(Journal const& journal);

}  // namespace florin::ledger
