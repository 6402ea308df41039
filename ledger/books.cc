#include "ledger/books.h"

#include "ledger/base/check.h"
#include "ledger/record.h"

#include <algorithm>

namespace florin::ledger {
namespace {

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

// Entries between asking for the memory of an account and using it.
constexpr std::size_t kPrefetchAhead = 8;

bool releases(ChangeKind kind) {
    return kind == ChangeKind::void_pending || kind == ChangeKind::expired;
}

// The closed flag after an entry that closes or reopens.
void move_closed_flag(std::uint16_t& flags, ChangeKind kind) {
    flags = static_cast<std::uint16_t>(
        releases(kind) ? flags & ~account_closed : flags | account_closed
    );
}

}  // namespace

void encode_location(std::string& out, Location location) {
    ByteWriter writer{out};
    writer.varint(location.sequence);
    writer.varint(location.index);
}

Result<Location> decode_location(ByteView value) {
    ByteReader in{value, "state: location of a transfer"};
    Location location;
    FLORIN_TRY(location.sequence, in.varint64());
    FLORIN_TRY(auto const index, in.varint64());
    if (!in.at_end() || index > Location::kUsedUp) {
        return fail(Errc::corrupt, "state: location of a transfer");
    }
    location.index = static_cast<std::uint32_t>(index);
    return location;
}

Books::Books(Journal const& journal, StateStore const& store, BooksOptions const& options)
    : journal_{journal},
      store_{store},
      options_{options},
      expiries_{
          store,
          options.memory.expiries_max,
          [this](std::uint64_t timestamp) { return is_resolved_recently(timestamp); }
      },
      memory_{std::make_shared<RunMemory>(options.run_transfers)},
      run_{std::make_unique<Run>(1, 1, options.run_transfers, memory_)},
      trim_accounts_at_{options.memory.accounts_max} {}

Result<void> Books::load(Sequence stored, Newest const& newest) {
    stored_ = applied_ = stored;
    run_->first_sequence = stored + 1;
    newest_account_timestamp_ = newest.account_timestamp;
    newest_transfer_timestamp_ = newest.transfer_timestamp;
    run_->newest_account_timestamp = newest.account_timestamp;
    run_->newest_transfer_timestamp = newest.transfer_timestamp;
    auto const highest = [&](ByteView key, ByteView) -> Result<bool> {
        stored_id_max_ = u128_from_key(key);
        return false;
    };
    FLORIN_TRY_VOID(
        store_.scan({.table = Table::transfer_id, .from = {}, .to = {}, .reverse = true}, highest)
    );
    return expiries_.load();
}

// ---- lookups ------------------------------------------------------------------------------------

Result<AccountSlot*> Books::account(u128 id) {
    if (AccountSlot* const slot = accounts_.find(id)) {
        return slot;
    }
    return read_account(id);
}

void Books::prefetch_early(Transfer const& transfer) {
    accounts_.prefetch_cell(transfer.debit_account_id);
    accounts_.prefetch_cell(transfer.credit_account_id);
}

void Books::prefetch(Transfer const& transfer) {
    run_->ids.prefetch(transfer.id);
    if (storing_) {
        storing_->ids.prefetch(transfer.id);
    }
    if (filter_ && transfer.id <= stored_id_max_) {
        filter_->prefetch(transfer.id);
    }
    accounts_.prefetch_slot(transfer.debit_account_id);
    accounts_.prefetch_slot(transfer.credit_account_id);
}

Result<AccountSlot*> Books::read_account(u128 id) {
    FLORIN_TRY(auto const stored, store_.get(Table::account, key_of(id)));
    if (!stored) {
        return nullptr;
    }
    FLORIN_TRY(Account const account, decode_account(*stored));
    AccountSlot& slot = accounts_.add(account);
    slot.applied = balances_of(account);
    slot.is_applied = true;
    return &slot;
}

Result<std::optional<Location>> Books::find_transfer(u128 id) const {
    for (Run const* const run : {static_cast<Run const*>(run_.get()), storing_.get()}) {
        if (run == nullptr) {
            continue;
        }
        if (auto const place = run->ids.find(id, run->entries)) {
            return run->location_of(run->entries[*place]);
        }
        if (!run->used_ids.empty()) {
            if (auto const used = run->used_ids.find(id); used != run->used_ids.end()) {
                return Location{.sequence = used->second, .index = Location::kUsedUp};
            }
        }
    }
    if (id > stored_id_max_ || (filter_ && !filter_->may_contain(id))) {
        return std::nullopt;
    }
    return read_location(id);
}

Result<std::optional<Location>> Books::read_location(u128 id) const {
    FLORIN_TRY(auto const stored, store_.get(Table::transfer_id, key_of(id)));
    if (!stored) {
        ++searched_in_vain_;
        return std::nullopt;
    }
    FLORIN_TRY(Location const location, decode_location(*stored));
    return location;
}

Books::RecentRecord const& Books::record(Sequence sequence) const {
    FLORIN_CHECK(
        !records_.empty() && sequence >= records_.front().sequence &&
            sequence <= records_.back().sequence,
        "the record is in memory"
    );
    return records_[sequence - records_.front().sequence];
}

Result<Transfer> Books::transfer(Location location) const {
    FLORIN_CHECK(!location.is_used_up(), "a used-up id has no transfer");
    if (records_.empty() || location.sequence < records_.front().sequence) {
        return journal_.transfer(location.sequence, location.index);
    }
    return transfer_at(record(location.sequence).transfers(), location.index);
}

bool Books::is_resolved_recently(std::uint64_t pending_timestamp) const {
    return run_->resolved.contains(pending_timestamp) ||
           (storing_ && storing_->resolved.contains(pending_timestamp));
}

Result<PendingState> Books::pending_state(Location pending, std::uint64_t timestamp) const {
    for (Run const* const run : {static_cast<Run const*>(run_.get()), storing_.get()}) {
        if (run == nullptr) {
            continue;
        }
        if (auto const found = run->resolved.find(timestamp); found != run->resolved.end()) {
            return found->second.first;
        }
    }
    if (pending.sequence > stored_) {
        return PendingState::open;  // what became of it would be in memory, as it is itself
    }
    FLORIN_TRY(auto const stored, store_.get(Table::pending, key_of(timestamp)));
    if (!stored) {
        return PendingState::open;
    }
    if (stored->size() != 1 || static_cast<unsigned char>((*stored)[0]) > 3) {
        return fail(Errc::corrupt, "state: state of a pending transfer");
    }
    return static_cast<PendingState>((*stored)[0]);
}

Result<bool> Books::account_exists_at(std::uint64_t timestamp) const {
    if (timestamp > newest_account_timestamp_) {
        return false;
    }
    auto const in = [&](Run const& run) {
        auto const at = std::ranges::lower_bound(
            run.account_times, timestamp, {}, &std::pair<std::uint64_t, u128>::first
        );
        return at != run.account_times.end() && at->first == timestamp;
    };
    if (unapplied_account_times_.contains(timestamp) || in(*run_) || (storing_ && in(*storing_))) {
        return true;
    }
    FLORIN_TRY(auto const stored, store_.get(Table::account_time, key_of(timestamp)));
    return stored.has_value();
}

Result<bool> Books::transfer_exists_at(std::uint64_t timestamp) const {
    if (timestamp > newest_transfer_timestamp_) {
        return false;
    }
    auto const in = [&](ByteView transfers) {
        std::size_t first = 0;
        for (std::size_t end = transfers.size() / sizeof(Transfer); first < end;) {
            std::size_t const middle = (first + end) / 2;
            std::uint64_t const there = transfer_at(transfers, middle).timestamp;
            if (there == timestamp) {
                return true;
            }
            there < timestamp ? first = middle + 1 : end = middle;
        }
        return false;
    };
    auto const in_record = [&](RecentRecord const& record) { return in(record.transfers()); };
    if (std::ranges::any_of(records_, in_record)) {
        return true;
    }
    FLORIN_TRY(auto const sequence, record_at(timestamp));
    if (!sequence) {
        return false;
    }
    FLORIN_TRY(auto const transfers, transfers_of(*sequence));
    return std::ranges::any_of(transfers, [&](Transfer const& transfer) {
        return transfer.timestamp == timestamp;
    });
}

// ---- scopes -------------------------------------------------------------------------------------

void Books::open_scope() {
    FLORIN_CHECK(!in_scope_, "scopes do not nest");
    RecentRecord const& record = records_.back();
    in_scope_ = true;
    scope_ = {
        .entries = run_->entries.size(),
        .wide = run_->wide.size(),
        .indexed = run_->indexed.size(),
        .created = record.created.size(),
        .resolved = record.resolved.size(),
        .expiries_added = record.expiries_added.size(),
        .expiries_removed = record.expiries_removed.size(),
        .first_timestamp = record.first_timestamp,
        .summary = record.summary,
        .newest_account = newest_account_timestamp_,
        .newest_transfer = newest_transfer_timestamp_,
    };
}

void Books::keep_scope() {
    FLORIN_CHECK(in_scope_, "a scope is open");
    in_scope_ = false;
}

void Books::undo_scope() {
    FLORIN_CHECK(in_scope_, "a scope is open");
    in_scope_ = false;
    RecentRecord& record = records_.back();
    while (run_->entries.size() > scope_.entries) {
        take_back_entry();
    }
    run_->wide.resize(scope_.wide);
    run_->indexed.resize(scope_.indexed);
    while (record.created.size() > scope_.created) {
        AccountSlot& slot = accounts_.at(record.created.back());
        unapplied_account_times_.erase(slot.decided.timestamp);
        accounts_.remove(slot);
        record.created.pop_back();
    }
    while (record.resolved.size() > scope_.resolved) {
        run_->resolved.erase(record.resolved.back());
        record.resolved.pop_back();
    }
    while (record.expiries_removed.size() > scope_.expiries_removed) {
        if (Expiry const& removed = record.expiries_removed.back(); removed.location.sequence > 0) {
            expiries_.add(removed);
        }
        record.expiries_removed.pop_back();
    }
    while (record.expiries_added.size() > scope_.expiries_added) {
        expiries_.remove(record.expiries_added.back());
        record.expiries_added.pop_back();
    }
    record.first_timestamp = scope_.first_timestamp;
    record.summary = scope_.summary;
    record.entries_end = run_first_entry_ + run_->entries.size();
    newest_account_timestamp_ = scope_.newest_account;
    newest_transfer_timestamp_ = scope_.newest_transfer;
}

void Books::take_back_entry() {
    RunEntry const& entry = run_->entries.back();
    AccountSlot& debit = accounts_.at(entry.debit);
    AccountSlot& credit = accounts_.at(entry.credit);
    u128 const amount = run_->amount_of(entry);
    u128 const released = run_->released_of(entry);
    take_back_change(debit.decided, false, entry.kind, amount, released);
    take_back_change(credit.decided, true, entry.kind, amount, released);
    // The opposite of what it did.
    auto const opposite = releases(entry.kind) ? ChangeKind::reserved : ChangeKind::void_pending;
    if (entry.closes_debit) {
        move_closed_flag(debit.decided.flags, opposite);
    }
    if (entry.closes_credit) {
        move_closed_flag(credit.decided.flags, opposite);
    }
    if (entry.id != 0) {
        run_->ids.remove(run_->entries, static_cast<std::uint32_t>(run_->entries.size() - 1));
        auto& deciding = records_.back().deciding;
        deciding.resize(deciding.size() - sizeof(Transfer));
    }
    run_->entries.pop_back();
}

// ---- decisions ----------------------------------------------------------------------------------

void Books::begin_record(Sequence sequence) {
    FLORIN_CHECK(
        records_.empty() || records_.back().sequence + 1 == sequence, "records are consecutive"
    );
    RecentRecord& record = records_.emplace_back();
    record.sequence = sequence;
    record.entries_end = run_first_entry_ + run_->entries.size();
}

void Books::expect_transfers(std::size_t count) {
    std::string& deciding = records_.back().deciding;
    std::size_t const needed = deciding.size() + count * sizeof(Transfer);
    if (needed > deciding.capacity()) {
        deciding.reserve(std::max(needed, 2 * deciding.capacity()));
    }
}

void Books::drop_empty_record(Sequence sequence) {
    FLORIN_CHECK(
        !records_.empty() && records_.back().sequence == sequence && records_.back().count() == 0,
        "only an empty newest record is dropped"
    );
    records_.pop_back();
}

void Books::create_account(Account const& account) {
    AccountSlot& slot = accounts_.add(account);
    accounts_.decided_in(slot, run_->number);
    records_.back().created.push_back(slot.number);
    unapplied_account_times_.insert(account.timestamp);
    newest_account_timestamp_ = account.timestamp;
}

void Books::push_entry(
    RunEntry entry, Movement const& moved, AccountSlot& debit, AccountSlot& credit
) {
    FLORIN_CHECK(debit.decided.ledger == credit.decided.ledger, "money stays inside its ledger");
    entry.debit = debit.number;
    entry.credit = credit.number;
    RecentRecord& record = records_.back();
    entry.record = static_cast<std::uint32_t>(record.sequence - run_->first_sequence);
    entry.kind = moved.kind;
    entry.closes_debit = (moved.closing & closing_debit) != 0;
    entry.closes_credit = (moved.closing & closing_credit) != 0;
    if (high_bits(moved.amount) == 0 && high_bits(moved.released) == 0) {
        entry.amount = low_bits(moved.amount);
        entry.released = low_bits(moved.released);
    } else {
        entry.is_wide = true;
        entry.amount = run_->wide.size();
        run_->wide.emplace_back(moved.amount, moved.released);
    }
    apply_change(debit.decided, false, moved.kind, moved.amount, moved.released);
    apply_change(credit.decided, true, moved.kind, moved.amount, moved.released);
    if (entry.closes_debit) {
        move_closed_flag(debit.decided.flags, moved.kind);
    }
    if (entry.closes_credit) {
        move_closed_flag(credit.decided.flags, moved.kind);
    }
    accounts_.decided_in(debit, run_->number);
    accounts_.decided_in(credit, run_->number);
    run_->entries.push_back(entry);
    ++record.entries_end;
}

void Books::resolve(Resolution const& resolution) {
    RecentRecord& record = records_.back();
    run_->resolved.emplace(
        resolution.pending_timestamp, std::pair{resolution.state, record.sequence}
    );
    record.resolved.push_back(resolution.pending_timestamp);
    if (resolution.expires_at != 0) {
        Expiry const expiry{resolution.expires_at, resolution.pending_timestamp, {}};
        record.expiries_removed.push_back(expiries_.remove(expiry));
    }
}

void Books::index_user_data(Transfer const& transfer, Location location) {
    auto const add = [&](IndexedField field, u128 value) {
        if (value != 0) {
            run_->indexed.push_back({field, value, transfer.timestamp, location});
        }
    };
    add(IndexedField::user_data_128, transfer.user_data_128);
    add(IndexedField::user_data_64, transfer.user_data_64);
    add(IndexedField::user_data_32, transfer.user_data_32);
}

void Books::add_transfer(
    Transfer const& transfer, AccountSlot& debit, AccountSlot& credit, Resolution const* resolution
) {
    RecentRecord& record = records_.back();
    auto const index = static_cast<std::uint32_t>(record.deciding.size() / sizeof transfer);
    FLORIN_CHECK(index <= kTransfersPerRecordMax, "a record is bounded");
    Movement moved{.kind = ChangeKind::posted, .amount = transfer.amount};
    if (resolution != nullptr) {
        bool const voids = resolution->state == PendingState::voided;
        moved.kind = voids ? ChangeKind::void_pending : ChangeKind::post_pending;
        moved.amount = voids ? 0 : transfer.amount;
        moved.released = resolution->pending_amount;
        moved.closing = voids ? resolution->pending_flags : 0;
        resolve(*resolution);
    } else if (transfer.has(transfer_pending)) {
        moved.kind = ChangeKind::reserved;
        moved.closing = transfer.flags;
        if (transfer.timeout != 0) {
            Expiry const expiry{expires_at(transfer), transfer.timestamp, {record.sequence, index}};
            expiries_.add(expiry);
            record.expiries_added.push_back(expiry);
        }
    }
    record.deciding.append(reinterpret_cast<char const*>(&transfer), sizeof transfer);
    if (index == 0) {
        record.first_timestamp = transfer.timestamp;
    }
    record.summary.add(transfer.ledger, transfer.code);
    RunEntry entry;
    entry.id = transfer.id;
    entry.timestamp = transfer.timestamp;
    entry.index = index & kTransfersPerRecordMax;
    push_entry(entry, moved, debit, credit);
    run_->ids.insert(run_->entries, static_cast<std::uint32_t>(run_->entries.size() - 1));
    run_->id_max = std::max(run_->id_max, transfer.id);
    if (transfer.user_data_128 != 0 || transfer.user_data_64 != 0 || transfer.user_data_32 != 0) {
        index_user_data(transfer, {record.sequence, index});
    }
    newest_transfer_timestamp_ = transfer.timestamp;
}

void Books::expire(
    std::uint64_t timestamp, AccountSlot& debit, AccountSlot& credit, Resolution const& resolution
) {
    resolve(resolution);
    RunEntry entry;
    entry.timestamp = timestamp;
    Movement const moved{
        .kind = ChangeKind::expired,
        .amount = 0,
        .released = resolution.pending_amount,
        .closing = resolution.pending_flags,
    };
    push_entry(entry, moved, debit, credit);
}

void Books::use_up_id(u128 id) {
    FLORIN_CHECK(!in_scope_, "a used-up id outlives its chain");
    RecentRecord& record = records_.back();
    run_->used_ids.emplace(id, record.sequence);
    run_->id_max = std::max(run_->id_max, id);
    record.used_ids.push_back(id);
}

// ---- records ------------------------------------------------------------------------------------

std::uint32_t Books::transfers_in(Sequence sequence) const {
    return static_cast<std::uint32_t>(record(sequence).count());
}

std::string Books::take_transfers(Sequence sequence) {
    return std::move(record(sequence).deciding);
}

void Books::keep_encoded(std::shared_ptr<EncodedRecord const> encoded) {
    record(encoded->position.sequence).encoded = std::move(encoded);
}

// ---- applying -----------------------------------------------------------------------------------

void Books::touch(AccountSlot& slot, bool is_created) {
    if (slot.in_run.run == run_->number) {
        return;
    }
    slot.in_run_before = slot.in_run;
    slot.in_run = {
        .run = run_->number,
        .touched = static_cast<std::uint32_t>(run_->touched.size()),
        .newest = 0,
    };
    run_->touched.push_back(
        {.slot = slot.number, .is_created = is_created, .opening = slot.durable()}
    );
}

void Books::apply_entry(std::size_t place) {
    RunEntry& entry = run_->entries[place];
    AccountSlot& debit = accounts_.at(entry.debit);
    AccountSlot& credit = accounts_.at(entry.credit);
    touch(debit, false);
    touch(credit, false);
    u128 const amount = run_->amount_of(entry);
    u128 const released = run_->released_of(entry);
    apply_change(debit.applied, false, entry.kind, amount, released);
    apply_change(credit.applied, true, entry.kind, amount, released);
    if (entry.closes_debit) {
        move_closed_flag(debit.applied_flags, entry.kind);
    }
    if (entry.closes_credit) {
        move_closed_flag(credit.applied_flags, entry.kind);
    }
    entry.debit_before = debit.in_run.newest;
    entry.credit_before = credit.in_run.newest;
    debit.in_run.newest = credit.in_run.newest = static_cast<std::uint32_t>(place + 1);
}

void Books::apply(Sequence sequence) {
    FLORIN_CHECK(sequence == applied_ + 1, "records are applied in order");
    RecentRecord& recent = record(sequence);
    for (std::uint32_t const number : recent.created) {
        AccountSlot& slot = accounts_.at(number);
        slot.is_applied = true;
        std::uint64_t const timestamp = slot.decided.timestamp;
        unapplied_account_times_.erase(timestamp);
        touch(slot, true);
        run_->account_times.emplace_back(timestamp, slot.decided.id);
        run_->newest_account_timestamp = std::max(run_->newest_account_timestamp, timestamp);
    }
    std::uint64_t const end = recent.entries_end - run_first_entry_;
    for (; run_->applied < end; ++run_->applied) {
        if (run_->applied + kPrefetchAhead < end) {
            RunEntry const& later = run_->entries[run_->applied + kPrefetchAhead];
            accounts_.at(later.debit).prefetch_applied();
            accounts_.at(later.credit).prefetch_applied();
        }
        apply_entry(run_->applied);
    }
    if (recent.count() > 0) {
        run_->record_times.push_back({recent.first_timestamp, sequence, recent.summary});
        run_->newest_transfer_timestamp =
            transfer_at(recent.transfers(), recent.count() - 1).timestamp;
    }
    std::ranges::copy(recent.expiries_added, std::back_inserter(run_->expiries_added));
    std::ranges::copy(recent.expiries_removed, std::back_inserter(run_->expiries_removed));
    records_bytes_ += recent.bytes();
    applied_ = sequence;
}

void Books::trim() {
    std::size_t const bytes_max = options_.memory.transfers_max * sizeof(Transfer);
    while (!records_.empty() && records_.front().sequence <= applied_ && records_bytes_ > bytes_max
    ) {
        records_bytes_ -= records_.front().bytes();
        records_.pop_front();
    }
    if (accounts_.size() > trim_accounts_at_) {
        std::uint64_t const unsaved = storing_ ? storing_->number : run_->number;
        accounts_.trim(options_.memory.accounts_max - options_.memory.accounts_max / 16, unsaved);
        trim_accounts_at_ = std::max(
            options_.memory.accounts_max, accounts_.size() + options_.memory.accounts_max / 8
        );
    }
}

void Books::move_to_next_run(Run& next) {
    for (std::size_t i = run_->applied; i < run_->entries.size(); ++i) {
        RunEntry entry = run_->entries[i];
        entry.record -= static_cast<std::uint32_t>(next.first_sequence - run_->first_sequence);
        if (entry.is_wide) {
            next.wide.push_back(run_->wide[entry.amount]);
            entry.amount = next.wide.size() - 1;
        }
        accounts_.decided_in(accounts_.at(entry.debit), next.number);
        accounts_.decided_in(accounts_.at(entry.credit), next.number);
        next.entries.push_back(entry);
        if (entry.id != 0) {
            next.ids.insert(next.entries, static_cast<std::uint32_t>(next.entries.size() - 1));
            next.id_max = std::max(next.id_max, entry.id);
        }
    }
    run_->entries.shrink(run_->applied);
    for (RecentRecord const& recent : records_) {
        if (recent.sequence <= applied_) {
            continue;
        }
        for (std::uint32_t const number : recent.created) {
            accounts_.decided_in(accounts_.at(number), next.number);
        }
        for (std::uint64_t const timestamp : recent.resolved) {
            next.resolved.emplace(timestamp, run_->resolved.at(timestamp));
        }
        for (u128 const id : recent.used_ids) {
            next.used_ids.emplace(id, recent.sequence);
            next.id_max = std::max(next.id_max, id);
        }
    }
    auto const ahead = std::ranges::partition_point(run_->indexed, [&](Run::Indexed const& entry) {
        return entry.location.sequence <= applied_;
    });
    next.indexed.assign(ahead, run_->indexed.end());
    run_->indexed.erase(ahead, run_->indexed.end());
}

std::shared_ptr<Run const> Books::cut_run() {
    FLORIN_CHECK(!storing_, "the run before is still being stored");
    FLORIN_CHECK(!in_scope_, "a run is cut between decisions");
    auto next =
        std::make_unique<Run>(run_->number + 1, applied_ + 1, options_.run_transfers, memory_);
    move_to_next_run(*next);
    next->newest_account_timestamp = run_->newest_account_timestamp;
    next->newest_transfer_timestamp = run_->newest_transfer_timestamp;
    run_->boundary = applied_;
    run_first_entry_ += run_->applied;
    storing_ = std::shared_ptr<Run const>{std::move(run_)};
    run_ = std::move(next);
    return storing_;
}

void Books::run_is_stored(std::shared_ptr<IdFilter> filter) {
    FLORIN_CHECK(storing_, "a run was being stored");
    stored_ = storing_->boundary;
    stored_id_max_ = std::max(stored_id_max_, storing_->id_max);
    filter_ = std::move(filter);
    storing_.reset();
    expiries_.trim(stored_);
}

// ---- for queries --------------------------------------------------------------------------------

Result<std::optional<Sequence>> Books::record_at(std::uint64_t timestamp) const {
    for (Run const* const run : {static_cast<Run const*>(run_.get()), storing_.get()}) {
        if (run == nullptr || run->record_times.empty() ||
            run->record_times.front().timestamp > timestamp) {
            continue;
        }
        auto const after =
            std::ranges::upper_bound(run->record_times, timestamp, {}, &Run::RecordTime::timestamp);
        return std::prev(after)->sequence;
    }
    std::optional<Sequence> sequence;
    auto const take = [&](ByteView, ByteView value) -> Result<bool> {
        FLORIN_TRY(sequence, ByteReader(value, "state: record_time").little<Sequence>());
        return false;
    };
    FLORIN_TRY_VOID(last_stored_record(timestamp, take));
    return sequence;
}

Result<void> Books::last_stored_record(std::uint64_t timestamp, StateStore::Visitor const& take)
    const {
    std::string to;
    if (timestamp != ~std::uint64_t{0}) {
        to = key_of(timestamp + 1);
    }
    return store_.scan({.table = Table::record_time, .from = {}, .to = to, .reverse = true}, take);
}

Result<std::uint64_t> Books::stored_record_time(std::uint64_t timestamp) const {
    std::uint64_t found = 0;
    auto const take = [&](ByteView key, ByteView) -> Result<bool> {
        found = u64_from_key(key);
        return false;
    };
    FLORIN_TRY_VOID(last_stored_record(timestamp, take));
    return found;
}

Result<std::optional<Account>> Books::durable_account(u128 id) {
    if (AccountSlot const* const slot = accounts_.find(id)) {
        return slot->is_applied ? std::optional{slot->durable()} : std::nullopt;
    }
    FLORIN_TRY(auto const stored, store_.get(Table::account, key_of(id)));
    if (!stored) {
        return std::nullopt;
    }
    FLORIN_TRY(Account const account, decode_account(*stored));
    return account;
}

Result<std::vector<Transfer>> Books::transfers_of(Sequence sequence) const {
    std::vector<Transfer> transfers;
    auto const copy = [&](ByteView bytes) {
        transfers.resize(bytes.size() / sizeof(Transfer));
        if (!transfers.empty()) {
            std::memcpy(
                static_cast<void*>(transfers.data()),
                bytes.data(),
                transfers.size() * sizeof(Transfer)
            );
        }
    };
    if (!records_.empty() && sequence >= records_.front().sequence) {
        copy(record(sequence).transfers());
        return transfers;
    }
    auto const take = [&](Journal::StoredRecord const& record) -> Result<bool> {
        copy(record.transfers);
        return false;
    };
    FLORIN_TRY_VOID(journal_.read(sequence, Journal::Payloads::without, take));
    return transfers;
}

}  // namespace florin::ledger
