#include "ledger/replay.h"

namespace florin::ledger {

Views::Record ReplayedRecord::for_views() const {
    auto const* const payloads = &stored.payloads;
    return {
        .sequence = checked.position.sequence,
        .transfers = stored.transfers,
        .effects = stored.effects,
        .payload = [payloads](std::uint32_t index) -> Payload const* {
            bool const is_there = index < payloads->size() && (*payloads)[index];
            return is_there ? &*(*payloads)[index] : nullptr;
        },
    };
}

Result<ReplayEnd> replay_journal(
    Journal const& journal,
    Sequence from,
    Journal::Payloads payloads,
    std::function<Result<void>(ReplayedRecord const& record)> const& visit
) {
    ReplayEnd end{.last = genesis_position(journal.ledger_id())};
    bool is_before = from > 1;
    auto const check = [&](Journal::StoredRecord const& stored) -> Result<bool> {
        if (is_before) {
            // Vouched for by whoever applied it; its successor's prev_hash is checked against it.
            is_before = false;
            FLORIN_TRY(RecordHeader const header, decode_header(stored.header));
            FLORIN_TRY_VOID(check_body(header, stored.transfers, stored.effects));
            end.last = {
                header.sequence, record_hash(stored.header, stored.transfers, stored.effects)
            };
            end.epoch = header.epoch;
            end.time = header.time;
            return true;
        }
        FLORIN_TRY(
            CheckedRecord const checked,
            check_record(stored, journal.ledger_id(), end.last, end.epoch)
        );
        end = {checked.position, checked.header.epoch, checked.header.time};
        FLORIN_TRY_VOID(visit({checked, stored}));
        return true;
    };
    FLORIN_TRY_VOID(journal.read(is_before ? from - 1 : 1, payloads, check));
    return end;
}

Result<LedgerKind> ledger_kind(Journal const& journal) {
    LedgerKind kind = LedgerKind::full;
    auto const first = [&](Journal::StoredRecord const& stored) -> Result<bool> {
        EffectReader reader{stored.effects};
        FLORIN_TRY(Effect const effect, reader.next());
        auto const* genesis = std::get_if<Genesis>(&effect);
        if (genesis == nullptr) {
            return fail(Errc::corrupt, "record 1 does not begin the ledger");
        }
        kind = genesis->kind;
        return false;
    };
    FLORIN_TRY_VOID(journal.read(1, Journal::Payloads::without, first));
    return kind;
}

}  // namespace florin::ledger
