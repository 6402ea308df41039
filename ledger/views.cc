#include "ledger/views.h"

#include "ledger/base/check.h"
#include "ledger/effects.h"
#include "ledger/record.h"

#include <algorithm>
#include <set>

namespace florin::ledger {
namespace {

// A block of this size holds some 400 changes: small enough to decode for one balance.
constexpr std::size_t kHistoryBlockBytes = 4096;
constexpr char const* kApplied = "applied";

AccountBalance balance_of(Account const& account) {
    return {
        .timestamp = 0,
        .debits_pending = account.debits_pending,
        .debits_posted = account.debits_posted,
        .credits_pending = account.credits_pending,
        .credits_posted = account.credits_posted,
    };
}

template <class Number>
std::string little(Number number) {
    std::string value;
    ByteWriter{value}.little(number);
    return value;
}

std::string expiry_key(std::uint64_t expires_at, std::uint64_t timestamp) {
    return key_of(expires_at) + key_of(timestamp);
}

void add_expiries(RecentBooks const& books, std::vector<Change>& changes) {
    std::set<Expiry> const removed{books.expiries_removed.begin(), books.expiries_removed.end()};
    std::set<Expiry> const added{books.expiries_added.begin(), books.expiries_added.end()};
    for (Expiry const& expiry : added) {
        if (!removed.contains(expiry)) {
            changes.push_back(
                {Table::expiry,
                 expiry_key(expiry.expires_at, expiry.pending_timestamp),
                 encode_location(expiry.location)}
            );
        }
    }
    for (Expiry const& expiry : removed) {
        if (!added.contains(expiry)) {
            changes.push_back(
                {Table::expiry,
                 expiry_key(expiry.expires_at, expiry.pending_timestamp),
                 std::nullopt}
            );
        }
    }
}

}  // namespace

std::vector<Change> build_run(RunContent const& run) {
    std::vector<Change> changes;
    changes.reserve(run.books->ids.size() + run.accounts.size() + run.books->history.size() + 16);
    changes.push_back(
        {Table::run,
         key_of(run.boundary),
         little(run.newest_account_timestamp) + little(run.newest_transfer_timestamp)}
    );
    for (auto const& [id, location] : run.books->ids) {
        if (location.sequence <= run.boundary) {
            changes.push_back({Table::transfer_id, key_of(id), encode_location(location)});
        }
    }
    changes.insert(changes.end(), run.books->history.begin(), run.books->history.end());
    for (Account const& account : run.accounts) {
        changes.push_back(
            {Table::account,
             key_of(account.id),
             std::string{reinterpret_cast<char const*>(&account), sizeof account}}
        );
    }
    for (auto const& [timestamp, id] : run.books->account_times) {
        changes.push_back({Table::account_time, key_of(timestamp), little(id)});
    }
    for (auto const& [timestamp, sequence] : run.books->record_times) {
        changes.push_back({Table::record_time, key_of(timestamp), little(sequence)});
    }
    for (auto const& [timestamp, resolution] : run.books->resolved) {
        if (resolution.second <= run.boundary) {
            changes.push_back(
                {Table::pending,
                 key_of(timestamp),
                 little(static_cast<std::uint8_t>(resolution.first))}
            );
        }
    }
    add_expiries(*run.books, changes);
    std::ranges::sort(changes, [](Change const& a, Change const& b) {
        return a.table != b.table ? a.table < b.table : a.key < b.key;
    });
    return changes;
}

Result<void> Views::load() {
    auto const last_run = [&](ByteView key, ByteView value) -> Result<bool> {
        run_applied_ = u64_from_key(key);
        ByteReader in{value, "state: run"};
        FLORIN_TRY(newest_account_timestamp_, in.little<std::uint64_t>());
        FLORIN_TRY(newest_transfer_timestamp_, in.little<std::uint64_t>());
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
    books_.set_stored(run_applied_);
    auto const total = [&](ByteView, ByteView value) -> Result<bool> {
        if (value.size() != sizeof(Account)) {
            return fail(Errc::corrupt, "state: an account of another size");
        }
        Account account;
        std::memcpy(static_cast<void*>(&account), value.data(), sizeof account);
        Totals& totals = totals_[account.ledger];
        totals.debits_pending += account.debits_pending;
        totals.debits_posted += account.debits_posted;
        totals.credits_pending += account.credits_pending;
        totals.credits_posted += account.credits_posted;
        return true;
    };
    FLORIN_TRY_VOID(store_.scan({.table = Table::account, .from = {}, .to = {}}, total));
    return books_.load({newest_account_timestamp_, newest_transfer_timestamp_});
}

Result<void> Views::apply(Record const& record, bool replay) {
    FLORIN_CHECK(record.sequence == applied_ + 1, "records are applied in order");
    if (record.sequence > run_applied_) {
        FLORIN_TRY_VOID(apply_run(record, replay));
        run_transfers_ += record.transfers.size() / sizeof(Transfer);
        run_bytes_ += record.transfers.size() + record.effects.size();
        check_totals();
    }
    if (record.sequence > live_applied_) {
        FLORIN_TRY_VOID(apply_live(record));
    }
    applied_ = record.sequence;
    return {};
}

Result<void> Views::decode(Record const& record, Decoded& decoded) const {
    EffectReader reader{record.effects};
    while (!reader.at_end()) {
        FLORIN_TRY(Effect effect, reader.next());
        if (auto* account = std::get_if<AccountCreated>(&effect)) {
            decoded.accounts.push_back(*account);
        } else if (auto* used = std::get_if<TransferIdsUsed>(&effect)) {
            decoded.used_ids.insert(decoded.used_ids.end(), used->ids.begin(), used->ids.end());
        } else if (auto* resolved = std::get_if<PendingResolved>(&effect)) {
            decoded.resolved.push_back(*resolved);
        } else if (auto* expired = std::get_if<PendingExpired>(&effect)) {
            decoded.expired.push_back(*expired);
        }
    }
    return {};
}

Result<void> Views::apply_run(Record const& record, bool replay) {
    Decoded decoded;
    FLORIN_TRY_VOID(decode(record, decoded));
    RecentBooks& recent = books_.recent();
    if (replay) {
        books_.begin_record(record.sequence);
    }
    for (AccountCreated const& created : decoded.accounts) {
        if (replay) {
            books_.create_account(created.account);
        }
        FLORIN_TRY(AccountSlot* const slot, touched(created.account.id));
        slot->applied = created.account;
        books_.account_is_applied(*slot);
        recent.account_times.emplace_back(created.account.timestamp, created.account.id);
        newest_account_timestamp_ = std::max(newest_account_timestamp_, created.account.timestamp);
    }
    if (replay) {
        for (u128 const id : decoded.used_ids) {
            books_.use_up_id(id, record.sequence);
        }
    }
    std::size_t const count = record.transfers.size() / sizeof(Transfer);
    auto resolved = decoded.resolved.begin();
    auto expired = decoded.expired.begin();
    for (std::size_t i = 0; i <= count; ++i) {
        for (; expired != decoded.expired.end() && expired->transfers_before == i; ++expired) {
            FLORIN_TRY_VOID(apply_expiry(*expired, record.sequence, replay));
        }
        if (i == count) {
            break;
        }
        Transfer const transfer = transfer_at(record.transfers, i);
        PendingResolved const* own = nullptr;
        if (resolved != decoded.resolved.end() && resolved->index == i) {
            own = &*resolved++;
        }
        Location const location{record.sequence, static_cast<std::uint32_t>(i)};
        FLORIN_TRY_VOID(apply_transfer(transfer, location, own, replay));
        if (i == 0) {
            recent.record_times.emplace_back(transfer.timestamp, record.sequence);
        }
        newest_transfer_timestamp_ = std::max(newest_transfer_timestamp_, transfer.timestamp);
    }
    if (resolved != decoded.resolved.end() || expired != decoded.expired.end()) {
        return fail(
            Errc::corrupt,
            "record " + std::to_string(record.sequence) + ": an effect names a missing transfer"
        );
    }
    return {};
}

Result<AccountSlot*> Views::touched(u128 account_id) {
    FLORIN_TRY(AccountSlot* const slot, books_.account(account_id));
    if (slot == nullptr) {
        return fail(Errc::corrupt, "a record names account " + to_string(account_id) + ", unknown");
    }
    if (!slot->is_dirty) {
        slot->is_dirty = true;
        dirty_.push_back(slot);
    }
    return slot;
}

void Views::change(AccountSlot& slot, Account const& now, BalanceChange const& change) {
    slot.block.add(balance_of(slot.applied), change);
    if (slot.block.bytes() >= kHistoryBlockBytes) {
        books_.recent().history.push_back(
            {Table::history, slot.block.key(now.id, next_block_++), slot.block.value()}
        );
        slot.block.clear();
    }
    Totals& totals = totals_[now.ledger];
    totals.debits_pending += now.debits_pending - slot.applied.debits_pending;
    totals.debits_posted += now.debits_posted - slot.applied.debits_posted;
    totals.credits_pending += now.credits_pending - slot.applied.credits_pending;
    totals.credits_posted += now.credits_posted - slot.applied.credits_posted;
    slot.applied = now;
}

Result<void> Views::apply_transfer(
    Transfer const& transfer, Location location, PendingResolved const* resolved, bool replay
) {
    FLORIN_TRY(AccountSlot* const debit, touched(transfer.debit_account_id));
    FLORIN_TRY(AccountSlot* const credit, touched(transfer.credit_account_id));
    Account debit_now = debit->applied;
    Account credit_now = credit->applied;
    BalanceChange entry{
        .timestamp = transfer.timestamp,
        .kind = ChangeKind::posted,
        .credit = false,
        .sequence = location.sequence,
        .index = location.index,
        .amount = transfer.amount,
        .released = 0,
    };
    if (transfer.resolves_pending()) {
        if (resolved == nullptr) {
            return fail(
                Errc::corrupt,
                "record " + std::to_string(location.sequence) + ": transfer " +
                    std::to_string(location.index) + " resolves nothing"
            );
        }
        bool const voids = resolved->state == PendingState::voided;
        entry.kind = voids ? ChangeKind::void_pending : ChangeKind::post_pending;
        entry.released = resolved->pending_amount;
        entry.amount = voids ? 0 : transfer.amount;
        release_pending(
            debit_now, credit_now, resolved->pending_amount, resolved->pending_flags, voids
        );
        if (!voids) {
            debit_now.debits_posted += transfer.amount;
            credit_now.credits_posted += transfer.amount;
        }
        if (replay) {
            books_.resolve_pending(resolved->pending_timestamp, resolved->state, location.sequence);
        }
        forget_expiry(resolved->expires_at, resolved->pending_timestamp, replay);
    } else if (transfer.has(transfer_pending)) {
        entry.kind = ChangeKind::reserved;
        debit_now.debits_pending += transfer.amount;
        credit_now.credits_pending += transfer.amount;
        if (transfer.has(closing_debit)) {
            debit_now.flags |= account_closed;
        }
        if (transfer.has(closing_credit)) {
            credit_now.flags |= account_closed;
        }
        if (transfer.timeout != 0) {
            Expiry const expiry{expires_at(transfer), transfer.timestamp, location};
            books_.recent().expiries_added.push_back(expiry);
            if (replay) {
                books_.add_expiry(expiry);
            }
        }
    } else {
        debit_now.debits_posted += transfer.amount;
        credit_now.credits_posted += transfer.amount;
    }
    if (replay) {
        books_.add_transfer(transfer, location);
    }
    change(*debit, debit_now, entry);
    entry.credit = true;
    change(*credit, credit_now, entry);
    return {};
}

Result<void> Views::apply_expiry(PendingExpired const& expired, Sequence sequence, bool replay) {
    FLORIN_TRY(AccountSlot* const debit, touched(expired.debit_account_id));
    FLORIN_TRY(AccountSlot* const credit, touched(expired.credit_account_id));
    Account debit_now = debit->applied;
    Account credit_now = credit->applied;
    release_pending(debit_now, credit_now, expired.amount, expired.pending_flags, true);
    BalanceChange entry{
        .timestamp = expired.timestamp,
        .kind = ChangeKind::expired,
        .credit = false,
        .sequence = sequence,
        .index = 0,
        .amount = 0,
        .released = expired.amount,
    };
    if (replay) {
        books_.resolve_pending(expired.pending_timestamp, PendingState::expired, sequence);
    }
    forget_expiry(expired.expires_at, expired.pending_timestamp, replay);
    change(*debit, debit_now, entry);
    entry.credit = true;
    change(*credit, credit_now, entry);
    return {};
}

void Views::forget_expiry(std::uint64_t expires_at, std::uint64_t timestamp, bool replay) {
    if (expires_at == 0) {
        return;
    }
    Expiry const expiry{expires_at, timestamp, {}};
    books_.recent().expiries_removed.push_back(expiry);
    if (replay) {
        books_.remove_expiry(expiry);
    }
}

void Views::check_totals() const {
    for (auto const& [ledger, totals] : totals_) {
        FLORIN_CHECK(totals.balanced(), "debits equal credits in every ledger");
    }
}

Result<void> Views::apply_live(Record const& record) {
    EffectReader reader{record.effects};
    std::uint32_t events = 0;
    while (!reader.at_end()) {
        FLORIN_TRY(Effect const effect, reader.next());
        auto changes = live_changes(effect, record.sequence, events, record.payload);
        if (std::holds_alternative<EventRecorded>(effect)) {
            ++events;
        }
        std::ranges::move(changes, std::back_inserter(unpublished_));
    }
    return {};
}

Result<void> Views::publish() {
    if (applied_ <= live_applied_) {
        return {};
    }
    unpublished_.push_back({Table::meta, kApplied, little(applied_)});
    FLORIN_TRY_VOID(store_.write(unpublished_));
    unpublished_.clear();
    live_applied_ = applied_;
    return {};
}

RunContent Views::rotate() {
    RunContent run;
    run.boundary = applied_;
    run.newest_account_timestamp = newest_account_timestamp_;
    run.newest_transfer_timestamp = newest_transfer_timestamp_;
    for (AccountSlot* const slot : dirty_) {
        run.accounts.push_back(slot->applied);
        slot->is_dirty = false;
        if (!slot->block.empty()) {
            books_.recent().history.push_back(
                {Table::history,
                 slot->block.key(slot->applied.id, next_block_++),
                 slot->block.value()}
            );
            slot->block.clear();
        }
    }
    dirty_.clear();
    next_block_ = 0;
    run_transfers_ = 0;
    run_bytes_ = 0;
    run.books = books_.rotate(applied_);
    return run;
}

void Views::run_is_stored(Sequence boundary) {
    run_applied_ = boundary;
    books_.set_stored(boundary);
}

}  // namespace florin::ledger
