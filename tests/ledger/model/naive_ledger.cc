#include "tests/ledger/model/naive_ledger.h"

#include "ledger/base/result.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

namespace florin::ledger::test {
namespace {

using A = CreateAccountStatus;
using T = CreateTransferStatus;

constexpr std::uint64_t kEndOfTime = std::uint64_t{1} << 63U;  // timestamps are below it
constexpr u128 kMost = ~u128{0};
constexpr std::size_t kAnswerMost = 8'189;

bool bit(std::uint32_t flags, std::uint32_t wanted) {
    return (flags & wanted) != 0;
}
bool does_not_fit(u128 a, u128 b) {
    return static_cast<u128>(a + b) < a;
}
bool does_not_fit(u128 a, u128 b, u128 c) {
    return does_not_fit(a, b) || does_not_fit(a + b, c);
}
// What is left of `limit` when `taken` is taken: nothing, rather than less than nothing.
u128 left_of(u128 limit, u128 taken) {
    return limit > taken ? limit - taken : 0;
}
std::uint64_t end_of(Transfer const& pending) {
    return pending.timestamp + std::uint64_t{pending.timeout} * 1'000'000'000U;
}

// The statuses for which a transfer's id cannot be used again.
bool is_passing(T status) {
    return status == T::debit_account_not_found || status == T::credit_account_not_found ||
           status == T::pending_transfer_not_found || status == T::debit_account_already_closed ||
           status == T::credit_account_already_closed || status == T::exceeds_credits ||
           status == T::exceeds_debits;
}

bool is_in_window(std::uint64_t timestamp, std::uint64_t from, std::uint64_t to) {
    return timestamp >= from && (to == 0 || timestamp <= to);
}
template <class Filter>
bool has_sound_window(Filter const& filter) {
    return filter.limit != 0 && filter.timestamp_min < kEndOfTime &&
           filter.timestamp_max < kEndOfTime &&
           (filter.timestamp_max == 0 || filter.timestamp_min <= filter.timestamp_max);
}
// 0 asks for nothing.
template <class Number>
bool asks_for(Number wanted, Number actual) {
    return wanted == 0 || wanted == actual;
}
template <class Filter, class Object>
bool has_user_data(Filter const& filter, Object const& object) {
    return asks_for(filter.user_data_128, object.user_data_128) &&
           asks_for(filter.user_data_64, object.user_data_64) &&
           asks_for(filter.user_data_32, object.user_data_32);
}
template <class Element>
std::vector<Element> first_of(std::vector<Element> found, bool last_first, std::size_t limit) {
    if (last_first) {
        std::ranges::reverse(found);
    }
    found.resize(std::min({found.size(), limit, kAnswerMost}));
    return found;
}
template <class Object>
std::vector<Object> query(
    QueryFilter const& filter,
    std::map<std::uint64_t, u128> const& in_time,
    std::map<u128, Object> const& objects
) {
    std::vector<Object> found;
    if (!has_sound_window(filter) || (filter.flags & ~kQueryReversed) != 0) {
        return found;
    }
    for (auto const& [timestamp, id] : in_time) {
        Object const& object = objects.at(id);
        if (is_in_window(timestamp, filter.timestamp_min, filter.timestamp_max) &&
            has_user_data(filter, object) && asks_for(filter.ledger, object.ledger) &&
            asks_for(filter.code, object.code)) {
            found.push_back(object);
        }
    }
    return first_of(std::move(found), bit(filter.flags, kQueryReversed), filter.limit);
}
template <class Object>
std::vector<Object> look_up(std::vector<u128> const& ids, std::map<u128, Object> const& objects) {
    std::vector<Object> found;
    for (u128 const id : ids) {
        auto const entry = objects.find(id);
        if (entry != objects.end()) {
            found.push_back(entry->second);
        }
    }
    return found;
}

}  // namespace

// ---- batches -----------------------------------------------------------------------------------

template <class Object, class Status>
std::vector<EventResult<Status>> NaiveLedger::create(std::vector<Object> const& events) {
    // Bits of both kinds of object: linked is the first one; imported is not the same.
    std::uint16_t const linked = 1;
    std::uint16_t const imported = std::is_same_v<Object, Account>
                                       ? static_cast<std::uint16_t>(account_imported)
                                       : static_cast<std::uint16_t>(transfer_imported);
    std::size_t const n = events.size();
    clock_ += 1 + n;
    std::vector<EventResult<Status>> results;
    for (std::size_t first = 0; first < n;) {
        // A chain goes up to the first event that is not linked, or to the end of the batch.
        std::size_t last = first;
        while (last + 1 < n && bit(events[last].flags, linked)) {
            ++last;
        }
        bool is_broken = false;
        undo_.clear();
        for (std::size_t i = first; i <= last; ++i) {
            Object const& event = events[i];
            Moment const now{clock_, clock_ - n + i + 1};
            EventResult<Status> result{Status::created, now.event};
            bool const is_import = bit(event.flags, imported);
            if (bit(event.flags, linked) && i + 1 == n) {
                result.status = Status::linked_event_chain_open;
            } else if (is_broken) {
                result.status = Status::linked_event_failed;
            } else if (bit(events[0].flags, imported) && !is_import) {
                result.status = Status::imported_event_expected;
            } else if (!bit(events[0].flags, imported) && is_import) {
                result.status = Status::imported_event_not_expected;
            } else if (!is_import && event.timestamp != 0) {
                result.status = Status::timestamp_must_be_zero;
            } else if (is_import && (event.timestamp == 0 || event.timestamp >= kEndOfTime)) {
                result.status = Status::imported_event_timestamp_out_of_range;
            } else if (is_import && event.timestamp >= clock_) {
                result.status = Status::imported_event_timestamp_must_not_advance;
            } else {
                Object stamped = event;
                stamped.timestamp = is_import ? event.timestamp : now.event;
                result = judge(stamped, now);
            }
            if (result.status != Status::created && !is_broken) {
                is_broken = true;
                for (std::size_t before = first; before < i; ++before) {
                    results[before] = {Status::linked_event_failed, clock_ - n + before + 1};
                }
                while (!undo_.empty()) {
                    undo_.back()();
                    undo_.pop_back();
                }
                if constexpr (std::is_same_v<Object, Transfer>) {
                    if (is_passing(result.status)) {
                        used_up_.insert(event.id);
                    }
                }
            }
            results.push_back(result);
        }
        first = last + 1;
    }
    undo_.clear();
    return results;
}

// Newer than everything of its kind, and at a moment that the other kind has not taken.
bool NaiveLedger::is_imported_too_early(std::uint64_t timestamp, bool is_account) const {
    auto const& own = is_account ? accounts_in_time_ : transfers_in_time_;
    auto const& other = is_account ? transfers_in_time_ : accounts_in_time_;
    return (!own.empty() && timestamp <= own.rbegin()->first) || other.contains(timestamp);
}

// ---- create_accounts ---------------------------------------------------------------------------

EventResult<A> NaiveLedger::judge(Account const& event, Moment now) {
    auto const refused = [&](A status) { return EventResult<A>{status, now.event}; };
    if (event.reserved != 0) {
        return refused(A::reserved_field);
    }
    if (event.flags >= 1U << 6U) {
        return refused(A::reserved_flag);
    }
    if (event.id == 0) {
        return refused(A::id_must_not_be_zero);
    }
    if (event.id == kMost) {
        return refused(A::id_must_not_be_int_max);
    }
    if (auto const found = accounts_.find(event.id); found != accounts_.end()) {
        Account const& before = found->second;
        std::pair<A, bool> const differences[] = {
            {A::exists_with_different_flags, event.flags != before.flags},
            {A::exists_with_different_user_data_128, event.user_data_128 != before.user_data_128},
            {A::exists_with_different_user_data_64, event.user_data_64 != before.user_data_64},
            {A::exists_with_different_user_data_32, event.user_data_32 != before.user_data_32},
            {A::exists_with_different_ledger, event.ledger != before.ledger},
            {A::exists_with_different_code, event.code != before.code},
        };
        for (auto const& [status, is_different] : differences) {
            if (is_different) {
                return refused(status);
            }
        }
        return {A::exists, before.timestamp};
    }
    std::pair<A, bool> const faults[] = {
        {A::flags_are_mutually_exclusive,
         bit(event.flags, debits_must_not_exceed_credits) &&
             bit(event.flags, credits_must_not_exceed_debits)},
        {A::debits_pending_must_be_zero, event.debits_pending != 0},
        {A::debits_posted_must_be_zero, event.debits_posted != 0},
        {A::credits_pending_must_be_zero, event.credits_pending != 0},
        {A::credits_posted_must_be_zero, event.credits_posted != 0},
        {A::ledger_must_not_be_zero, event.ledger == 0},
        {A::code_must_not_be_zero, event.code == 0},
        {A::imported_event_timestamp_must_not_regress,
         bit(event.flags, account_imported) && is_imported_too_early(event.timestamp, true)},
    };
    for (auto const& [status, is_fault] : faults) {
        if (is_fault) {
            return refused(status);
        }
    }
    keep(event);
    return {A::created, event.timestamp};
}

// ---- create_transfers --------------------------------------------------------------------------

EventResult<T> NaiveLedger::judge(Transfer const& event, Moment now) {
    auto const refused = [&](T status) { return EventResult<T>{status, now.event}; };
    if (event.flags >= 1U << 9U) {
        return refused(T::reserved_flag);
    }
    if (event.id == 0) {
        return refused(T::id_must_not_be_zero);
    }
    if (event.id == kMost) {
        return refused(T::id_must_not_be_int_max);
    }
    if (auto const found = transfers_.find(event.id); found != transfers_.end()) {
        T const status = retried(event, found->second);
        return {status, status == T::exists ? found->second.timestamp : now.event};
    }
    if (used_up_.contains(event.id)) {
        return refused(T::id_already_failed);
    }
    bool const resolves = bit(event.flags, post_pending_transfer | void_pending_transfer);
    T const status = resolves ? resolve(event, now) : move(event, now);
    return {status, status == T::created ? event.timestamp : now.event};
}

// The same id again: the first difference, or exists.
T NaiveLedger::retried(Transfer const& event, Transfer const& before) const {
    bool const posts = bit(before.flags, post_pending_transfer);
    bool const resolves = posts || bit(before.flags, void_pending_transfer);
    bool const balances = bit(before.flags, balancing_debit | balancing_credit);
    if (event.flags != before.flags) {
        return T::exists_with_different_flags;
    }
    if (event.pending_id != before.pending_id) {
        return T::exists_with_different_pending_id;
    }
    // What the retry stands for: where it resolves, zeros mean the pending transfer's values.
    Transfer meant = event;
    if (resolves) {
        Transfer const& pending = transfers_.at(before.pending_id);
        auto const inherit = [](auto& field, auto value) { field = field == 0 ? value : field; };
        inherit(meant.debit_account_id, pending.debit_account_id);
        inherit(meant.credit_account_id, pending.credit_account_id);
        inherit(meant.user_data_128, pending.user_data_128);
        inherit(meant.user_data_64, pending.user_data_64);
        inherit(meant.user_data_32, pending.user_data_32);
        inherit(meant.ledger, pending.ledger);
        inherit(meant.code, pending.code);
        if (posts && before.amount == pending.amount && event.amount >= pending.amount) {
            meant.amount = before.amount;  // at least everything is everything
        }
        if (!posts && event.amount == 0) {
            meant.amount = pending.amount;
        }
    }
    if (balances && event.amount >= before.amount) {
        meant.amount = before.amount;  // it was the most that might have moved
    }
    std::pair<T, bool> const differences[] = {
        {T::exists_with_different_timeout, meant.timeout != before.timeout},
        {T::exists_with_different_debit_account_id,
         meant.debit_account_id != before.debit_account_id},
        {T::exists_with_different_credit_account_id,
         meant.credit_account_id != before.credit_account_id},
        {T::exists_with_different_amount, meant.amount != before.amount},
        {T::exists_with_different_user_data_128, meant.user_data_128 != before.user_data_128},
        {T::exists_with_different_user_data_64, meant.user_data_64 != before.user_data_64},
        {T::exists_with_different_user_data_32, meant.user_data_32 != before.user_data_32},
        {T::exists_with_different_ledger, meant.ledger != before.ledger},
        {T::exists_with_different_code, meant.code != before.code},
    };
    for (auto const& [status, is_different] : differences) {
        if (is_different) {
            return status;
        }
    }
    return T::exists;
}

// Single-phase and pending transfers.
T NaiveLedger::move(Transfer event, Moment) {
    bool const is_pending = bit(event.flags, transfer_pending);
    std::pair<T, bool> const malformed[] = {
        {T::debit_account_id_must_not_be_zero, event.debit_account_id == 0},
        {T::debit_account_id_must_not_be_int_max, event.debit_account_id == kMost},
        {T::credit_account_id_must_not_be_zero, event.credit_account_id == 0},
        {T::credit_account_id_must_not_be_int_max, event.credit_account_id == kMost},
        {T::accounts_must_be_different, event.debit_account_id == event.credit_account_id},
        {T::pending_id_must_be_zero, event.pending_id != 0},
        {T::timeout_reserved_for_pending_transfer, event.timeout != 0 && !is_pending},
        {T::closing_transfer_must_be_pending,
         bit(event.flags, closing_debit | closing_credit) && !is_pending},
        {T::ledger_must_not_be_zero, event.ledger == 0},
        {T::code_must_not_be_zero, event.code == 0},
        {T::debit_account_not_found, !accounts_.contains(event.debit_account_id)},
        {T::credit_account_not_found, !accounts_.contains(event.credit_account_id)},
    };
    for (auto const& [status, is_fault] : malformed) {
        if (is_fault) {
            return status;
        }
    }
    Account debit = accounts_.at(event.debit_account_id);
    Account credit = accounts_.at(event.credit_account_id);
    bool const is_import = bit(event.flags, transfer_imported);
    std::pair<T, bool> const unfit[] = {
        {T::accounts_must_have_the_same_ledger, debit.ledger != credit.ledger},
        {T::transfer_must_have_the_same_ledger_as_accounts, event.ledger != debit.ledger},
        {T::imported_event_timestamp_must_not_regress,
         is_import && is_imported_too_early(event.timestamp, false)},
        {T::imported_event_timestamp_must_postdate_debit_account,
         is_import && event.timestamp <= debit.timestamp},
        {T::imported_event_timestamp_must_postdate_credit_account,
         is_import && event.timestamp <= credit.timestamp},
        {T::imported_event_timeout_must_be_zero, is_import && event.timeout != 0},
        {T::debit_account_already_closed, bit(debit.flags, account_closed)},
        {T::credit_account_already_closed, bit(credit.flags, account_closed)},
    };
    for (auto const& [status, is_fault] : unfit) {
        if (is_fault) {
            return status;
        }
    }
    if (bit(event.flags, balancing_debit)) {
        u128 const taken = debit.debits_pending + debit.debits_posted;
        event.amount = std::min(event.amount, left_of(debit.credits_posted, taken));
    }
    if (bit(event.flags, balancing_credit)) {
        u128 const taken = credit.credits_pending + credit.credits_posted;
        event.amount = std::min(event.amount, left_of(credit.debits_posted, taken));
    }
    u128 const amount = event.amount;
    bool const is_over_credits =
        bit(debit.flags, debits_must_not_exceed_credits) &&
        (does_not_fit(debit.debits_pending, debit.debits_posted, amount) ||
         debit.debits_pending + debit.debits_posted + amount > debit.credits_posted);
    bool const is_over_debits =
        bit(credit.flags, credits_must_not_exceed_debits) &&
        (does_not_fit(credit.credits_pending, credit.credits_posted, amount) ||
         credit.credits_pending + credit.credits_posted + amount > credit.debits_posted);
    std::pair<T, bool> const limits[] = {
        {T::overflows_debits_pending, is_pending && does_not_fit(debit.debits_pending, amount)},
        {T::overflows_credits_pending, is_pending && does_not_fit(credit.credits_pending, amount)},
        {T::overflows_debits_posted, does_not_fit(debit.debits_posted, amount)},
        {T::overflows_credits_posted, does_not_fit(credit.credits_posted, amount)},
        {T::overflows_debits, does_not_fit(debit.debits_pending, debit.debits_posted, amount)},
        {T::overflows_credits, does_not_fit(credit.credits_pending, credit.credits_posted, amount)},
        {T::overflows_timeout,
         u128{event.timestamp} + u128{event.timeout} * 1'000'000'000U >= kEndOfTime},
        {T::exceeds_credits, is_over_credits},
        {T::exceeds_debits, is_over_debits},
    };
    for (auto const& [status, is_fault] : limits) {
        if (is_fault) {
            return status;
        }
    }
    (is_pending ? debit.debits_pending : debit.debits_posted) += amount;
    (is_pending ? credit.credits_pending : credit.credits_posted) += amount;
    if (bit(event.flags, closing_debit)) {
        debit.flags |= account_closed;
    }
    if (bit(event.flags, closing_credit)) {
        credit.flags |= account_closed;
    }
    keep(event, debit, credit);
    if (is_pending) {
        pending_[event.id] = PendingState::open;
        undo_.emplace_back([this, id = event.id] { pending_.erase(id); });
    }
    return T::created;
}

// Posts and voids.
T NaiveLedger::resolve(Transfer event, Moment now) {
    bool const posts = bit(event.flags, post_pending_transfer);
    bool const voids = bit(event.flags, void_pending_transfer);
    std::uint32_t const forbidden =
        transfer_pending | balancing_debit | balancing_credit | closing_debit | closing_credit;
    std::pair<T, bool> const malformed[] = {
        {T::flags_are_mutually_exclusive, (posts && voids) || bit(event.flags, forbidden)},
        {T::pending_id_must_not_be_zero, event.pending_id == 0},
        {T::pending_id_must_not_be_int_max, event.pending_id == kMost},
        {T::pending_id_must_be_different, event.pending_id == event.id},
        {T::timeout_reserved_for_pending_transfer, event.timeout != 0},
        {T::pending_transfer_not_found, !transfers_.contains(event.pending_id)},
    };
    for (auto const& [status, is_fault] : malformed) {
        if (is_fault) {
            return status;
        }
    }
    Transfer const pending = transfers_.at(event.pending_id);
    if (!bit(pending.flags, transfer_pending)) {
        return T::pending_transfer_not_pending;
    }
    if ((posts && event.amount == kMost) || (voids && event.amount == 0)) {
        event.amount = pending.amount;
    }
    PendingState const state = pending_.at(pending.id);
    Account debit = accounts_.at(pending.debit_account_id);
    Account credit = accounts_.at(pending.credit_account_id);
    std::pair<T, bool> const unfit[] = {
        {T::pending_transfer_has_different_debit_account_id,
         !asks_for(event.debit_account_id, pending.debit_account_id)},
        {T::pending_transfer_has_different_credit_account_id,
         !asks_for(event.credit_account_id, pending.credit_account_id)},
        {T::pending_transfer_has_different_ledger, !asks_for(event.ledger, pending.ledger)},
        {T::pending_transfer_has_different_code, !asks_for(event.code, pending.code)},
        {T::exceeds_pending_transfer_amount, event.amount > pending.amount},
        {T::pending_transfer_has_different_amount, voids && event.amount < pending.amount},
        {T::pending_transfer_already_posted, state == PendingState::posted},
        {T::pending_transfer_already_voided, state == PendingState::voided},
        {T::pending_transfer_expired,
         state == PendingState::expired || (pending.timeout != 0 && end_of(pending) <= now.event)},
        {T::imported_event_timestamp_must_not_regress,
         bit(event.flags, transfer_imported) && is_imported_too_early(event.timestamp, false)},
        {T::debit_account_already_closed, posts && bit(debit.flags, account_closed)},
        {T::credit_account_already_closed, posts && bit(credit.flags, account_closed)},
    };
    for (auto const& [status, is_fault] : unfit) {
        if (is_fault) {
            return status;
        }
    }
    debit.debits_pending -= pending.amount;
    credit.credits_pending -= pending.amount;
    if (posts) {
        debit.debits_posted += event.amount;
        credit.credits_posted += event.amount;
    }
    if (voids && bit(pending.flags, closing_debit)) {
        debit.flags = static_cast<std::uint16_t>(debit.flags & ~account_closed);
    }
    if (voids && bit(pending.flags, closing_credit)) {
        credit.flags = static_cast<std::uint16_t>(credit.flags & ~account_closed);
    }
    auto const inherit = [](auto& field, auto value) { field = field == 0 ? value : field; };
    inherit(event.user_data_128, pending.user_data_128);
    inherit(event.user_data_64, pending.user_data_64);
    inherit(event.user_data_32, pending.user_data_32);
    event.debit_account_id = pending.debit_account_id;
    event.credit_account_id = pending.credit_account_id;
    event.ledger = pending.ledger;
    event.code = pending.code;
    keep(event, debit, credit);
    pending_[pending.id] = posts ? PendingState::posted : PendingState::voided;
    undo_.emplace_back([this, id = pending.id] { pending_[id] = PendingState::open; });
    return T::created;
}

// ---- what is kept, and how it is taken back ----------------------------------------------------

void NaiveLedger::keep(Account const& account) {
    accounts_[account.id] = account;
    accounts_in_time_[account.timestamp] = account.id;
    undo_.emplace_back([this, account] {
        accounts_.erase(account.id);
        accounts_in_time_.erase(account.timestamp);
    });
}

void NaiveLedger::set_account(Account const& account) {
    undo_.emplace_back([this, before = accounts_.at(account.id)] { accounts_[before.id] = before; }
    );
    accounts_[account.id] = account;
}

void NaiveLedger::keep(Transfer const& transfer, Account const& debit, Account const& credit) {
    transfers_[transfer.id] = transfer;
    transfers_in_time_[transfer.timestamp] = transfer.id;
    for (Account const& account : {debit, credit}) {
        set_account(account);
        AccountBalance const after{
            transfer.timestamp,
            account.debits_pending,
            account.debits_posted,
            account.credits_pending,
            account.credits_posted
        };
        history_[account.id][transfer.timestamp] = after;
        moved_[account.id].push_back({transfer.timestamp, false, after});
    }
    undo_.emplace_back([this, transfer] {
        transfers_.erase(transfer.id);
        transfers_in_time_.erase(transfer.timestamp);
        history_[transfer.debit_account_id].erase(transfer.timestamp);
        history_[transfer.credit_account_id].erase(transfer.timestamp);
        moved_[transfer.debit_account_id].pop_back();
        moved_[transfer.credit_account_id].pop_back();
    });
}

std::uint64_t NaiveLedger::next_expiry() const {
    std::uint64_t soonest = 0;
    for (auto const& [id, state] : pending_) {
        Transfer const& pending = transfers_.at(id);
        if (state == PendingState::open && pending.timeout != 0 &&
            (soonest == 0 || end_of(pending) < soonest)) {
            soonest = end_of(pending);
        }
    }
    return soonest;
}

void NaiveLedger::expire_due() {
    for (auto& [id, state] : pending_) {
        Transfer const& pending = transfers_.at(id);
        if (state != PendingState::open || pending.timeout == 0 || end_of(pending) > clock_) {
            continue;
        }
        state = PendingState::expired;
        Account& debit = accounts_.at(pending.debit_account_id);
        Account& credit = accounts_.at(pending.credit_account_id);
        debit.debits_pending -= pending.amount;
        credit.credits_pending -= pending.amount;
        if (bit(pending.flags, closing_debit)) {
            debit.flags = static_cast<std::uint16_t>(debit.flags & ~account_closed);
        }
        if (bit(pending.flags, closing_credit)) {
            credit.flags = static_cast<std::uint16_t>(credit.flags & ~account_closed);
        }
        for (Account const* const account : {&debit, &credit}) {
            AccountBalance const after{
                clock_,
                account->debits_pending,
                account->debits_posted,
                account->credits_pending,
                account->credits_posted
            };
            moved_[account->id].push_back({clock_, true, after});
        }
    }
}

std::vector<NaiveLedger::Moved> const& NaiveLedger::moved(u128 account_id) const {
    static std::vector<Moved> const nothing;
    auto const found = moved_.find(account_id);
    return found == moved_.end() ? nothing : found->second;
}

std::size_t NaiveLedger::moved_by(u128 account_id, std::uint64_t timestamp) const {
    std::size_t count = 0;
    std::vector<Moved> const& all = moved(account_id);
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!all[i].is_expiry && all[i].timestamp <= timestamp) {
            count = i + 1;
        }
    }
    while (count < all.size() && all[count].is_expiry && all[count].timestamp <= timestamp) {
        ++count;
    }
    return count;
}

// ---- reading -----------------------------------------------------------------------------------

std::vector<Transfer> NaiveLedger::matching(AccountFilter const& filter) const {
    std::vector<Transfer> found;
    bool const is_sound = has_sound_window(filter) && filter.account_id != 0 &&
                          filter.account_id != kMost &&
                          bit(filter.flags, kFilterDebits | kFilterCredits) &&
                          (filter.flags & ~(kFilterDebits | kFilterCredits | kFilterReversed)) == 0;
    if (!is_sound) {
        return found;
    }
    for (auto const& [timestamp, id] : transfers_in_time_) {
        Transfer const& transfer = transfers_.at(id);
        bool const is_side =
            (bit(filter.flags, kFilterDebits) && transfer.debit_account_id == filter.account_id) ||
            (bit(filter.flags, kFilterCredits) && transfer.credit_account_id == filter.account_id);
        if (is_side && is_in_window(timestamp, filter.timestamp_min, filter.timestamp_max) &&
            has_user_data(filter, transfer) && asks_for(filter.code, transfer.code)) {
            found.push_back(transfer);
        }
    }
    return first_of(std::move(found), bit(filter.flags, kFilterReversed), filter.limit);
}

std::vector<AccountBalance> NaiveLedger::balances(AccountFilter const& filter) const {
    std::vector<AccountBalance> found;
    auto const account = accounts_.find(filter.account_id);
    if (account == accounts_.end() || !bit(account->second.flags, account_history)) {
        return found;
    }
    for (Transfer const& transfer : matching(filter)) {
        found.push_back(history_.at(filter.account_id).at(transfer.timestamp));
    }
    return found;
}

Result<Answer> NaiveLedger::execute(Request const& request) {
    std::uint64_t steps = 0;
    if (auto const* accounts = std::get_if<CreateAccounts>(&request)) {
        steps = 1 + accounts->events.size();
    } else if (auto const* transfers = std::get_if<CreateTransfers>(&request)) {
        steps = 1 + transfers->events.size();
    } else if (auto const* advance = std::get_if<AdvanceClock>(&request)) {
        steps = advance->ns;
    }
    if (steps > kEndOfTime - 1 - clock_) {
        return fail(Errc::out_of_range, "the clock would pass the last timestamp");
    }
    if (auto const* accounts = std::get_if<CreateAccounts>(&request)) {
        return CreateAccountsAnswer{create<Account, A>(accounts->events)};
    }
    if (auto const* transfers = std::get_if<CreateTransfers>(&request)) {
        return CreateTransfersAnswer{create<Transfer, T>(transfers->events)};
    }
    if (auto const* advance = std::get_if<AdvanceClock>(&request)) {
        clock_ += advance->ns;
        expire_due();
        return AdvanceClockAnswer{clock_};
    }
    if (auto const* lookup = std::get_if<LookupAccounts>(&request)) {
        return AccountsAnswer{look_up(lookup->ids, accounts_)};
    }
    if (auto const* lookup = std::get_if<LookupTransfers>(&request)) {
        return TransfersAnswer{look_up(lookup->ids, transfers_)};
    }
    if (auto const* wanted = std::get_if<GetAccountTransfers>(&request)) {
        return TransfersAnswer{matching(wanted->filter)};
    }
    if (auto const* wanted = std::get_if<GetAccountBalances>(&request)) {
        return BalancesAnswer{balances(wanted->filter)};
    }
    if (auto const* wanted = std::get_if<QueryAccounts>(&request)) {
        return AccountsAnswer{query(wanted->filter, accounts_in_time_, accounts_)};
    }
    if (auto const* wanted = std::get_if<QueryTransfers>(&request)) {
        return TransfersAnswer{query(wanted->filter, transfers_in_time_, transfers_)};
    }
    return fail(Errc::unsupported, "the model answers the kernel's requests only");
}

}  // namespace florin::ledger::test
