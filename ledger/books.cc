#include "ledger/books.h"

#include "ledger/base/check.h"

#include <algorithm>

namespace florin::ledger {
namespace {

// Transfers kept in memory behind the applied front, so that a post finds its fresh pending
// transfer without reading the journal.
constexpr std::size_t kRecentTransfersMax = 262'144;

Result<Account> decode_account(ByteView value) {
    if (value.size() != sizeof(Account)) {
        return fail(
            Errc::corrupt, "state: an account of " + std::to_string(value.size()) + " bytes"
        );
    }
    Account account;
    std::memcpy(static_cast<void*>(&account), value.data(), sizeof account);
    return account;
}

}  // namespace

std::string encode_location(Location location) {
    std::string value;
    ByteWriter out{value};
    out.little(location.sequence);
    out.little(location.index);
    return value;
}

Result<Location> decode_location(ByteView value) {
    ByteReader in{value, "state: location of a transfer"};
    Location location;
    FLORIN_TRY(location.sequence, in.little<Sequence>());
    FLORIN_TRY(location.index, in.little<std::uint32_t>());
    if (!in.at_end()) {
        return fail(Errc::corrupt, "state: location of a transfer has trailing bytes");
    }
    return location;
}

Result<AccountSlot*> Books::account(u128 id) {
    if (auto const found = slot_of_.find(id); found != slot_of_.end()) {
        return found->second;
    }
    FLORIN_TRY(auto const stored, store_.get(Table::account, key_of(id)));
    if (!stored) {
        return nullptr;
    }
    FLORIN_TRY(Account const account, decode_account(*stored));
    AccountSlot& slot = slots_.emplace_back();
    slot.decided = slot.applied = account;
    slot.is_applied = true;
    slot_of_.emplace(id, &slot);
    return &slot;
}

Result<std::optional<Location>> Books::find_transfer(u128 id) const {
    if (auto const found = current_->ids.find(id); found != current_->ids.end()) {
        return found->second;
    }
    if (ingesting_) {
        if (auto const found = ingesting_->ids.find(id); found != ingesting_->ids.end()) {
            return found->second;
        }
    }
    FLORIN_TRY(auto const stored, store_.get(Table::transfer_id, key_of(id)));
    if (!stored) {
        return std::nullopt;
    }
    FLORIN_TRY(Location const location, decode_location(*stored));
    return location;
}

Result<Transfer> Books::transfer(Location location) const {
    FLORIN_CHECK(!location.is_used_up(), "a used-up id has no transfer");
    if (!records_.empty() && location.sequence >= records_.front().sequence &&
        location.sequence <= records_.back().sequence) {
        auto const& transfers = record_transfers(location.sequence);
        FLORIN_CHECK(location.index < transfers.size(), "an index names a transfer that exists");
        return transfers[location.index];
    }
    return journal_.transfer(location.sequence, location.index);
}

Result<PendingState> Books::pending_state(std::uint64_t pending_timestamp) const {
    if (auto const found = current_->resolved.find(pending_timestamp);
        found != current_->resolved.end()) {
        return found->second.first;
    }
    if (ingesting_) {
        if (auto const found = ingesting_->resolved.find(pending_timestamp);
            found != ingesting_->resolved.end()) {
            return found->second.first;
        }
    }
    FLORIN_TRY(auto const stored, store_.get(Table::pending, key_of(pending_timestamp)));
    if (!stored) {
        return PendingState::open;
    }
    if (stored->size() != 1 || static_cast<unsigned char>((*stored)[0]) > 3) {
        return fail(Errc::corrupt, "state: state of a pending transfer");
    }
    return static_cast<PendingState>((*stored)[0]);
}

Result<bool> Books::account_exists_at(std::uint64_t timestamp) const {
    auto const in = [&](RecentBooks const& recent) {
        auto const at = std::ranges::lower_bound(
            recent.account_times, timestamp, {}, &std::pair<std::uint64_t, u128>::first
        );
        return at != recent.account_times.end() && at->first == timestamp;
    };
    if (unapplied_account_times_.contains(timestamp) || in(*current_) ||
        (ingesting_ && in(*ingesting_))) {
        return true;
    }
    FLORIN_TRY(auto const stored, store_.get(Table::account_time, key_of(timestamp)));
    return stored.has_value();
}

Result<std::optional<Sequence>> Books::record_at(std::uint64_t timestamp) const {
    for (RecentBooks const* recent :
         {static_cast<RecentBooks const*>(current_.get()), ingesting_.get()}) {
        if (recent == nullptr || recent->record_times.empty() ||
            recent->record_times.front().first > timestamp) {
            continue;
        }
        auto const after = std::ranges::upper_bound(
            recent->record_times, timestamp, {}, &std::pair<std::uint64_t, Sequence>::first
        );
        return std::prev(after)->second;
    }
    std::optional<Sequence> sequence;
    auto const first = [&](ByteView, ByteView value) -> Result<bool> {
        FLORIN_TRY(sequence, ByteReader(value, "state: record_time").little<Sequence>());
        return false;
    };
    std::string to;
    if (timestamp != ~std::uint64_t{0}) {
        to = key_of(timestamp + 1);
    }
    FLORIN_TRY_VOID(
        store_.scan({.table = Table::record_time, .from = {}, .to = to, .reverse = true}, first)
    );
    return sequence;
}

void Books::open_scope() {
    FLORIN_CHECK(!in_scope_, "scopes do not nest");
    in_scope_ = true;
    scope_newest_account_ = newest_account_timestamp_;
    scope_newest_transfer_ = newest_transfer_timestamp_;
}

void Books::keep_scope() {
    FLORIN_CHECK(in_scope_, "a scope is open");
    in_scope_ = false;
    undo_.clear();
}

void Books::undo_scope() {
    FLORIN_CHECK(in_scope_, "a scope is open");
    in_scope_ = false;
    for (auto entry = undo_.rbegin(); entry != undo_.rend(); ++entry) {
        undo(*entry);
    }
    undo_.clear();
    newest_account_timestamp_ = scope_newest_account_;
    newest_transfer_timestamp_ = scope_newest_transfer_;
}

void Books::remember(Undo undo) {
    if (in_scope_) {
        undo_.push_back(std::move(undo));
    }
}

void Books::undo(Undo const& undo) {
    switch (undo.kind) {
        case Undo::Kind::account_created:
            slot_of_.erase(undo.id);
            FLORIN_CHECK(&slots_.back() == undo.slot, "accounts are undone in reverse order");
            slots_.pop_back();
            unapplied_account_times_.erase(undo.timestamp);
            break;
        case Undo::Kind::account_changed: undo.slot->decided = undo.before; break;
        case Undo::Kind::transfer:
            current_->ids.erase(undo.id);
            records_.back().transfers.pop_back();
            --records_transfers_;
            break;
        case Undo::Kind::resolved: current_->resolved.erase(undo.timestamp); break;
        case Undo::Kind::expiry_added: expiries_.erase(undo.expiry); break;
        case Undo::Kind::expiry_removed: expiries_.insert(undo.expiry); break;
    }
}

void Books::create_account(Account const& account) {
    AccountSlot& slot = slots_.emplace_back();
    slot.decided = account;
    slot_of_.emplace(account.id, &slot);
    unapplied_account_times_.insert(account.timestamp);
    newest_account_timestamp_ = account.timestamp;
    remember(
        {.kind = Undo::Kind::account_created,
         .slot = &slot,
         .before = {},
         .id = account.id,
         .timestamp = account.timestamp,
         .expiry = {}}
    );
}

void Books::change_account(AccountSlot& slot, Account const& now) {
    remember(
        {.kind = Undo::Kind::account_changed, .slot = &slot, .before = slot.decided, .expiry = {}}
    );
    slot.decided = now;
}

void Books::add_transfer(Transfer const& transfer, Location location) {
    FLORIN_CHECK(
        !records_.empty() && records_.back().sequence == location.sequence &&
            records_.back().transfers.size() == location.index,
        "a transfer goes to the end of the newest record"
    );
    records_.back().transfers.push_back(transfer);
    ++records_transfers_;
    current_->ids.emplace(transfer.id, location);
    newest_transfer_timestamp_ = transfer.timestamp;
    remember({.kind = Undo::Kind::transfer, .before = {}, .id = transfer.id, .expiry = {}});
}

void Books::resolve_pending(std::uint64_t timestamp, PendingState state, Sequence sequence) {
    current_->resolved.emplace(timestamp, std::pair{state, sequence});
    remember({.kind = Undo::Kind::resolved, .before = {}, .timestamp = timestamp, .expiry = {}});
}

void Books::add_expiry(Expiry const& expiry) {
    expiries_.insert(expiry);
    remember({.kind = Undo::Kind::expiry_added, .before = {}, .expiry = expiry});
}

void Books::remove_expiry(Expiry const& expiry) {
    auto const found = expiries_.find(expiry);
    FLORIN_CHECK(found != expiries_.end(), "an open pending transfer with a timeout is known");
    Expiry const removed = *found;
    expiries_.erase(found);
    remember({.kind = Undo::Kind::expiry_removed, .before = {}, .expiry = removed});
}

void Books::use_up_id(u128 id, Sequence sequence) {
    FLORIN_CHECK(!in_scope_, "a used-up id outlives its chain");
    current_->ids.emplace(id, Location{.sequence = sequence, .index = Location::kUsedUp});
}

void Books::begin_record(Sequence sequence) {
    FLORIN_CHECK(
        records_.empty() || records_.back().sequence + 1 == sequence, "records are consecutive"
    );
    records_.push_back({.sequence = sequence, .transfers = {}});
}

void Books::drop_empty_record(Sequence sequence) {
    FLORIN_CHECK(
        !records_.empty() && records_.back().sequence == sequence &&
            records_.back().transfers.empty(),
        "only an empty newest record is dropped"
    );
    records_.pop_back();
}

std::vector<Transfer> const& Books::record_transfers(Sequence sequence) const {
    FLORIN_CHECK(
        !records_.empty() && sequence >= records_.front().sequence &&
            sequence <= records_.back().sequence,
        "the record is in memory"
    );
    return records_[sequence - records_.front().sequence].transfers;
}

Result<std::vector<Transfer>> Books::transfers_of(Sequence sequence) const {
    if (!records_.empty() && sequence >= records_.front().sequence &&
        sequence <= records_.back().sequence) {
        return record_transfers(sequence);
    }
    std::vector<Transfer> transfers;
    auto const copy = [&](Journal::StoredRecord const& record) -> Result<bool> {
        transfers.resize(record.transfers.size() / sizeof(Transfer));
        if (!transfers.empty()) {
            std::memcpy(
                static_cast<void*>(transfers.data()),
                record.transfers.data(),
                transfers.size() * sizeof(Transfer)
            );
        }
        return false;
    };
    FLORIN_TRY_VOID(journal_.read(sequence, Journal::Payloads::without, copy));
    return transfers;
}

Result<bool> Books::transfer_exists_at(std::uint64_t timestamp) const {
    auto const in = [&](std::vector<Transfer> const& transfers) {
        auto const at = std::ranges::lower_bound(transfers, timestamp, {}, &Transfer::timestamp);
        return at != transfers.end() && at->timestamp == timestamp;
    };
    if (std::ranges::any_of(records_, in, &RecentRecord::transfers)) {
        return true;
    }
    FLORIN_TRY(auto const sequence, record_at(timestamp));
    if (!sequence) {
        return false;
    }
    FLORIN_TRY(auto const transfers, transfers_of(*sequence));
    return in(transfers);
}

void Books::account_is_applied(AccountSlot& slot) {
    unapplied_account_times_.erase(slot.applied.timestamp);
    slot.is_applied = true;
}

Result<void> Books::load(Loaded const& newest) {
    newest_account_timestamp_ = newest.newest_account_timestamp;
    newest_transfer_timestamp_ = newest.newest_transfer_timestamp;
    auto const add = [&](ByteView key, ByteView value) -> Result<bool> {
        ByteReader in{key, "state: key of table expiry"};
        Expiry expiry;
        FLORIN_TRY(expiry.expires_at, in.big<std::uint64_t>());
        FLORIN_TRY(expiry.pending_timestamp, in.big<std::uint64_t>());
        FLORIN_TRY(expiry.location, decode_location(value));
        expiries_.insert(expiry);
        return true;
    };
    return store_.scan({.table = Table::expiry, .from = {}, .to = {}}, add);
}

void Books::decided_is_applied() {
    for (AccountSlot& slot : slots_) {
        slot.decided = slot.applied;
    }
}

void Books::applied_up_to(Sequence sequence) {
    applied_ = sequence;
    while (!records_.empty() && records_.front().sequence <= sequence &&
           records_transfers_ > kRecentTransfersMax) {
        records_transfers_ -= records_.front().transfers.size();
        records_.pop_front();
    }
}

std::shared_ptr<RecentBooks const> Books::rotate(Sequence boundary) {
    FLORIN_CHECK(!ingesting_, "the run before is still being ingested");
    auto next = std::make_unique<RecentBooks>();
    for (auto const& [id, location] : current_->ids) {
        if (location.sequence > boundary) {
            next->ids.emplace(id, location);
        }
    }
    for (auto const& [timestamp, resolution] : current_->resolved) {
        if (resolution.second > boundary) {
            next->resolved.emplace(timestamp, resolution);
        }
    }
    ingesting_ = std::shared_ptr<RecentBooks const>{std::move(current_)};
    current_ = std::move(next);
    return ingesting_;
}

}  // namespace florin::ledger
