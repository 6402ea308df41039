#include "tools/florin/export_items.h"

#include "ledger/record.h"

#include <unordered_map>
#include <vector>

namespace florin::tools {
namespace {

// What a record's effects say about accounts.
struct Effects {
    std::vector<ledger::Account> accounts;
    std::unordered_map<std::uint32_t, ledger::PendingResolved> resolved;  // by transfer
    std::vector<ledger::PendingExpired> expired;
};

Result<Effects> read_effects(ByteView bytes) {
    Effects effects;
    ledger::EffectReader reader{bytes};
    while (!reader.at_end()) {
        FLORIN_TRY(ledger::Effect const effect, reader.next());
        if (auto const* created = std::get_if<ledger::AccountCreated>(&effect)) {
            effects.accounts.push_back(created->account);
        } else if (auto const* resolved = std::get_if<ledger::PendingResolved>(&effect)) {
            effects.resolved.emplace(resolved->index, *resolved);
        } else if (auto const* expired = std::get_if<ledger::PendingExpired>(&effect)) {
            effects.expired.push_back(*expired);
        }
    }
    return effects;
}

Result<void> export_record(
    ledger::CheckedRecord const& record,
    ledger::Journal::StoredRecord const& stored,
    ExportEnd& counts,
    ExportWriter& writer
) {
    ledger::Sequence const sequence = record.position.sequence;
    FLORIN_TRY(Effects const effects, read_effects(stored.effects));
    std::uint32_t account_index = 0;
    for (ledger::Account const& account : effects.accounts) {
        FLORIN_TRY_VOID(writer.account({sequence, account_index++}, account));
    }
    std::uint32_t expiry_index = 0;
    auto const expire_before = [&](std::uint32_t transfer) -> Result<void> {
        while (expiry_index < effects.expired.size() &&
               effects.expired[expiry_index].transfers_before <= transfer) {
            FLORIN_TRY_VOID(writer.expiry({sequence, expiry_index}, effects.expired[expiry_index]));
            ++expiry_index;
        }
        return {};
    };
    for (std::uint32_t i = 0; i < record.header.count; ++i) {
        FLORIN_TRY_VOID(expire_before(i));
        ledger::Transfer const transfer = ledger::transfer_at(stored.transfers, i);
        auto const resolved = effects.resolved.find(i);
        bool const is_resolving = resolved != effects.resolved.end();
        if (is_resolving != transfer.resolves_pending()) {
            return fail(
                Errc::corrupt,
                "record " + std::to_string(sequence) + ": transfer " + std::to_string(i) +
                    " and the record's effects do not agree"
            );
        }
        FLORIN_TRY_VOID(
            writer.transfer({sequence, i}, transfer, is_resolving ? &resolved->second : nullptr)
        );
    }
    FLORIN_TRY_VOID(expire_before(record.header.count));
    counts.accounts += effects.accounts.size();
    counts.transfers += record.header.count;
    counts.expiries += effects.expired.size();
    return {};
}

}  // namespace

Result<void> export_items(
    ledger::Journal const& journal, ledger::Sequence to, ExportWriter& writer
) {
    ExportEnd end{.last = ledger::genesis_position(journal.ledger_id())};
    ledger::Epoch epoch = 0;
    auto const visit = [&](ledger::Journal::StoredRecord const& stored) -> Result<bool> {
        FLORIN_TRY(
            ledger::CheckedRecord const record,
            ledger::check_record(stored, journal.ledger_id(), end.last, epoch)
        );
        FLORIN_TRY_VOID(export_record(record, stored, end, writer));
        end.last = record.position;
        end.time = record.header.time;
        epoch = record.header.epoch;
        return end.last.sequence < to;
    };
    FLORIN_TRY_VOID(journal.read(1, ledger::Journal::Payloads::without, visit));
    if (end.last.sequence != to) {
        return fail(
            Errc::corrupt,
            "reading the journal ends at record " + std::to_string(end.last.sequence) +
                ", before record " + std::to_string(to)
        );
    }
    return writer.end(end);
}

}  // namespace florin::tools
