#include "ledger/views.h"

#include "ledger/base/check.h"
#include "ledger/effects.h"
#include "ledger/record.h"

#include <algorithm>
#include <iterator>

namespace florin::ledger {
namespace {

constexpr char const* kApplied = "applied";

std::string encode_sequence(Sequence sequence) {
    std::string value;
    ByteWriter{value}.little(sequence);
    return value;
}

}  // namespace

Result<StoredRun> RunToStore::store(StateStore& store) const {
    RunBuilder const builder{*run, before};
    FLORIN_TRY_VOID(store.ingest(builder));
    StoredRun stored{.after = builder.after(), .filter = nullptr};
    if (filter) {
        builder.add_ids(*filter);
        FLORIN_TRY(stored.filter, IdFilter::grown(filter, store, builder.ids()));
    } else if (filter_bytes_max > 0) {
        FLORIN_TRY(stored.filter, IdFilter::build(store, filter_bytes_max));
    }
    return stored;
}

Result<void> Views::load() {
    RunDescription newest;
    auto const last_run = [&](ByteView key, ByteView value) -> Result<bool> {
        run_applied_ = u64_from_key(key);
        FLORIN_TRY(newest, decode_run_description(value));
        return false;
    };
    FLORIN_TRY_VOID(
        store_.scan({.table = Table::run, .from = {}, .to = {}, .reverse = true}, last_run)
    );
    FLORIN_TRY(auto const live, store_.get(Table::meta, kApplied));
    if (live) {
        FLORIN_TRY(live_applied_, ByteReader(*live, "state: applied").little<Sequence>());
    }
    applied_ = std::min(run_applied_, live_applied_);
    totals_ = std::move(newest.totals);
    return books_.load(
        run_applied_,
        {.account_timestamp = newest.newest_account_timestamp,
         .transfer_timestamp = newest.newest_transfer_timestamp}
    );
}

// ---- applying -----------------------------------------------------------------------------------

void Views::apply(Sequence sequence, std::size_t bytes, std::vector<Change> live) {
    FLORIN_CHECK(sequence == applied_ + 1, "records are applied in order");
    books_.apply(sequence);
    run_bytes_ += bytes;
    std::ranges::move(live, std::back_inserter(unpublished_));
    applied_ = sequence;
}

Result<void> Views::replay(Record const& record) {
    FLORIN_CHECK(record.sequence == applied_ + 1, "records are applied in order");
    if (record.sequence > run_applied_) {
        FLORIN_TRY_VOID(replay_run(record));
        books_.apply(record.sequence);
        run_bytes_ += record.transfers.size() + record.effects.size();
    }
    if (record.sequence > live_applied_) {
        FLORIN_TRY_VOID(replay_live(record));
    }
    applied_ = record.sequence;
    return {};
}

Result<Views::Kernel> Views::kernel_effects(Record const& record) {
    Kernel kernel;
    EffectReader reader{record.effects};
    while (!reader.at_end()) {
        FLORIN_TRY(Effect effect, reader.next());
        if (auto* account = std::get_if<AccountCreated>(&effect)) {
            kernel.accounts.push_back(*account);
        } else if (auto* used = std::get_if<TransferIdsUsed>(&effect)) {
            kernel.used_ids.insert(kernel.used_ids.end(), used->ids.begin(), used->ids.end());
        } else if (auto* resolved = std::get_if<PendingResolved>(&effect)) {
            kernel.resolved.push_back(*resolved);
        } else if (auto* expired = std::get_if<PendingExpired>(&effect)) {
            kernel.expired.push_back(*expired);
        }
    }
    return kernel;
}

Result<void> Views::replay_run(Record const& record) {
    FLORIN_TRY(Kernel const kernel, kernel_effects(record));
    books_.begin_record(record.sequence);
    for (AccountCreated const& created : kernel.accounts) {
        books_.create_account(created.account);
    }
    for (u128 const id : kernel.used_ids) {
        books_.use_up_id(id);
    }
    std::size_t const count = record.transfers.size() / sizeof(Transfer);
    auto resolved = kernel.resolved.begin();
    auto expired = kernel.expired.begin();
    for (std::size_t i = 0; i <= count; ++i) {
        for (; expired != kernel.expired.end() && expired->transfers_before == i; ++expired) {
            FLORIN_TRY_VOID(replay_expiry(*expired));
        }
        if (i == count) {
            break;
        }
        PendingResolved const* own = nullptr;
        if (resolved != kernel.resolved.end() && resolved->index == i) {
            own = &*resolved++;
        }
        FLORIN_TRY_VOID(replay_transfer(transfer_at(record.transfers, i), own));
    }
    if (resolved != kernel.resolved.end() || expired != kernel.expired.end()) {
        return fail(
            Errc::corrupt,
            "record " + std::to_string(record.sequence) + ": an effect names a missing transfer"
        );
    }
    return {};
}

Result<AccountSlot*> Views::account(u128 id) {
    FLORIN_TRY(AccountSlot* const slot, books_.account(id));
    if (slot == nullptr) {
        return fail(Errc::corrupt, "a record names account " + to_string(id) + ", unknown");
    }
    return slot;
}

Result<void> Views::replay_transfer(Transfer const& transfer, PendingResolved const* resolved) {
    FLORIN_TRY(AccountSlot* const debit, account(transfer.debit_account_id));
    FLORIN_TRY(AccountSlot* const credit, account(transfer.credit_account_id));
    if (transfer.resolves_pending() != (resolved != nullptr)) {
        return fail(
            Errc::corrupt, "transfer " + to_string(transfer.id) + ": what it resolves is missing"
        );
    }
    if (debit->decided.ledger != credit->decided.ledger) {
        return fail(
            Errc::corrupt, "transfer " + to_string(transfer.id) + ": accounts of two ledgers"
        );
    }
    if (resolved == nullptr) {
        books_.add_transfer(transfer, *debit, *credit);
        return {};
    }
    Resolution const resolution{
        .state = resolved->state,
        .pending_flags = resolved->pending_flags,
        .pending_timestamp = resolved->pending_timestamp,
        .expires_at = resolved->expires_at,
        .pending_amount = resolved->pending_amount,
    };
    books_.add_transfer(transfer, *debit, *credit, &resolution);
    return {};
}

Result<void> Views::replay_expiry(PendingExpired const& expired) {
    FLORIN_TRY(AccountSlot* const debit, account(expired.debit_account_id));
    FLORIN_TRY(AccountSlot* const credit, account(expired.credit_account_id));
    Resolution const resolution{
        .state = PendingState::expired,
        .pending_flags = expired.pending_flags,
        .pending_timestamp = expired.pending_timestamp,
        .expires_at = expired.expires_at,
        .pending_amount = expired.amount,
    };
    books_.expire(expired.timestamp, *debit, *credit, resolution);
    return {};
}

Result<void> Views::replay_live(Record const& record) {
    EffectReader reader{record.effects};
    std::uint32_t events = 0;
    while (!reader.at_end()) {
        FLORIN_TRY(Effect const effect, reader.next());
        auto changes = live_changes(effect, record.sequence, events, record.payload);
        if (std::holds_alternative<EventRecorded>(effect) ||
            std::holds_alternative<DocumentEventRecorded>(effect)) {
            ++events;
        }
        std::ranges::move(changes, std::back_inserter(unpublished_));
    }
    return {};
}

Result<void> Views::publish(Publish what) {
    bool const is_due = what == Publish::position_too || !unpublished_.empty();
    if (applied_ <= live_applied_ || !is_due) {
        return {};
    }
    unpublished_.push_back({Table::meta, kApplied, encode_sequence(applied_)});
    FLORIN_TRY_VOID(store_.write(unpublished_));
    unpublished_.clear();
    live_applied_ = applied_;
    return {};
}

// ---- runs ---------------------------------------------------------------------------------------

bool Views::is_run_full(RunLimits const& limits) const {
    return books_.applied_transfers() >= limits.transfers ||
           books_.touched_accounts() >= limits.transfers || run_bytes_ >= limits.bytes;
}

RunToStore Views::cut_run() {
    run_bytes_ = 0;
    return {
        .run = books_.cut_run(),
        .before = totals_,
        .filter = books_.id_filter(),
        .filter_bytes_max = books_.id_filter_bytes_wanted(),
    };
}

void Views::run_is_stored(StoredRun stored) {
    totals_ = std::move(stored.after);
    books_.run_is_stored(std::move(stored.filter));
    run_applied_ = books_.stored();
}

}  // namespace florin::ledger
