#include "ledger/pinned_head.h"

#include "ledger/record.h"

#include <optional>

namespace florin::ledger {
namespace {

struct Found {
    Position position;
    std::uint64_t time = 0;
};

// One record with its recomputed hash, checked against the next one where there is one.
Result<Found> record_at(Journal const& journal, Sequence sequence) {
    std::optional<Found> found;
    auto const visit = [&](Journal::StoredRecord const& stored) -> Result<bool> {
        FLORIN_TRY(RecordHeader const header, decode_header(stored.header));
        if (!found) {
            FLORIN_TRY_VOID(check_body(header, stored.transfers, stored.effects));
            found = Found{
                {header.sequence, record_hash(stored.header, stored.transfers, stored.effects)},
                header.time,
            };
            return true;
        }
        if (header.prev_hash != found->position.hash) {
            return fail(
                Errc::corrupt,
                "record " + std::to_string(header.sequence) + ": does not continue the chain of " +
                    "record " + std::to_string(sequence)
            );
        }
        return false;
    };
    FLORIN_TRY_VOID(journal.read(sequence, Journal::Payloads::without, visit));
    if (!found || found->position.sequence != sequence) {
        return fail(Errc::corrupt, "record " + std::to_string(sequence) + ": is missing");
    }
    return *found;
}

}  // namespace

Result<PinnedHeadCheck> check_pinned_head(Journal const& journal, PinnedHead const& pinned) {
    FLORIN_TRY(Head const head, journal.head());
    PinnedHeadCheck check{
        .ledger_id = journal.ledger_id(), .head = head.last, .found = {}, .time = 0
    };
    if (pinned.ledger_id != check.ledger_id) {
        check.verdict = PinnedHeadVerdict::other_ledger;
        return check;
    }
    if (pinned.position.sequence > head.last.sequence) {
        check.verdict = PinnedHeadVerdict::journal_is_cut;
        return check;
    }
    FLORIN_TRY(Found const found, record_at(journal, pinned.position.sequence));
    check.found = found.position;
    check.time = found.time;
    if (found.position != pinned.position) {
        check.verdict = PinnedHeadVerdict::is_rewritten;
    } else if (found.time != pinned.time) {
        check.verdict = PinnedHeadVerdict::time_differs;
    } else if (found.position != head.last) {
        check.verdict = PinnedHeadVerdict::is_ancestor;
    }
    return check;
}

Result<PinnedHead> current_head(Journal const& journal) {
    FLORIN_TRY(Head const head, journal.head());
    if (head.last.sequence == 0) {
        return fail(Errc::not_found, "the journal has no record yet");
    }
    FLORIN_TRY(Found const found, record_at(journal, head.last.sequence));
    if (found.position != head.last) {
        return fail(
            Errc::corrupt,
            "record " + std::to_string(head.last.sequence) + ": its hash is not that of the head"
        );
    }
    return PinnedHead{.ledger_id = journal.ledger_id(), .position = head.last, .time = found.time};
}

}  // namespace florin::ledger
