// create_transfers: the rules in order of precedence.
#include "ledger/base/check.h"
#include "ledger/chain.h"
#include "ledger/decide.h"

#include <algorithm>

namespace florin::ledger {
namespace {

using TransferStatus = CreateTransferStatus;

// What does not depend on the books, for a transfer that is not a post or a void.
TransferStatus check_fields(Transfer const& event) {
    if (event.debit_account_id == 0) {
        return TransferStatus::debit_account_id_must_not_be_zero;
    }
    if (event.debit_account_id == kU128Max) {
        return TransferStatus::debit_account_id_must_not_be_int_max;
    }
    if (event.credit_account_id == 0) {
        return TransferStatus::credit_account_id_must_not_be_zero;
    }
    if (event.credit_account_id == kU128Max) {
        return TransferStatus::credit_account_id_must_not_be_int_max;
    }
    if (event.debit_account_id == event.credit_account_id) {
        return TransferStatus::accounts_must_be_different;
    }
    if (event.pending_id != 0) {
        return TransferStatus::pending_id_must_be_zero;
    }
    if (!event.has(transfer_pending)) {
        if (event.timeout != 0) {
            return TransferStatus::timeout_reserved_for_pending_transfer;
        }
        if (event.has(closing_debit) || event.has(closing_credit)) {
            return TransferStatus::closing_transfer_must_be_pending;
        }
    }
    if (event.ledger == 0) {
        return TransferStatus::ledger_must_not_be_zero;
    }
    if (event.code == 0) {
        return TransferStatus::code_must_not_be_zero;
    }
    return TransferStatus::created;
}

// The same for a post or a void.
TransferStatus check_resolving_fields(Transfer const& event) {
    bool const both = event.has(post_pending_transfer) && event.has(void_pending_transfer);
    if (both || event.has(transfer_pending) || event.has(balancing_debit) ||
        event.has(balancing_credit) || event.has(closing_debit) || event.has(closing_credit)) {
        return TransferStatus::flags_are_mutually_exclusive;
    }
    if (event.pending_id == 0) {
        return TransferStatus::pending_id_must_not_be_zero;
    }
    if (event.pending_id == kU128Max) {
        return TransferStatus::pending_id_must_not_be_int_max;
    }
    if (event.pending_id == event.id) {
        return TransferStatus::pending_id_must_be_different;
    }
    if (event.timeout != 0) {
        return TransferStatus::timeout_reserved_for_pending_transfer;
    }
    return TransferStatus::created;
}

// Against the pending transfer; zero fields inherit from it.
TransferStatus check_pending(Transfer const& event, Transfer const& pending) {
    if (!pending.has(transfer_pending)) {
        return TransferStatus::pending_transfer_not_pending;
    }
    if (event.debit_account_id != 0 && event.debit_account_id != pending.debit_account_id) {
        return TransferStatus::pending_transfer_has_different_debit_account_id;
    }
    if (event.credit_account_id != 0 && event.credit_account_id != pending.credit_account_id) {
        return TransferStatus::pending_transfer_has_different_credit_account_id;
    }
    if (event.ledger != 0 && event.ledger != pending.ledger) {
        return TransferStatus::pending_transfer_has_different_ledger;
    }
    if (event.code != 0 && event.code != pending.code) {
        return TransferStatus::pending_transfer_has_different_code;
    }
    return TransferStatus::created;
}

// A post of the maximum means all of it, a void of 0 means all of it.
u128 resolved_amount(Transfer const& event, Transfer const& pending) {
    bool const all =
        event.has(void_pending_transfer) ? event.amount == 0 : event.amount == kU128Max;
    return all ? pending.amount : event.amount;
}

// Whether a retry of a post or void asks for what has happened. Where a post took all of it, so
// does every retry that asks for at least all of it.
bool asks_for_same_amount(
    Transfer const& event, Transfer const& existing, Transfer const& pending
) {
    if (event.has(post_pending_transfer) && existing.amount == pending.amount) {
        return event.amount >= pending.amount;
    }
    return resolved_amount(event, pending) == existing.amount;
}

TransferStatus compare_user_data(Transfer const& event, Transfer const& existing) {
    if (event.user_data_128 != existing.user_data_128) {
        return TransferStatus::exists_with_different_user_data_128;
    }
    if (event.user_data_64 != existing.user_data_64) {
        return TransferStatus::exists_with_different_user_data_64;
    }
    if (event.user_data_32 != existing.user_data_32) {
        return TransferStatus::exists_with_different_user_data_32;
    }
    return TransferStatus::exists;
}

TransferStatus compare_single(Transfer const& event, Transfer const& existing) {
    if (event.debit_account_id != existing.debit_account_id) {
        return TransferStatus::exists_with_different_debit_account_id;
    }
    if (event.credit_account_id != existing.credit_account_id) {
        return TransferStatus::exists_with_different_credit_account_id;
    }
    // A balancing transfer asked for at least what it got.
    bool const balancing = event.has(balancing_debit) || event.has(balancing_credit);
    if (balancing ? event.amount < existing.amount : event.amount != existing.amount) {
        return TransferStatus::exists_with_different_amount;
    }
    if (TransferStatus const status = compare_user_data(event, existing);
        status != TransferStatus::exists) {
        return status;
    }
    if (event.ledger != existing.ledger) {
        return TransferStatus::exists_with_different_ledger;
    }
    if (event.code != existing.code) {
        return TransferStatus::exists_with_different_code;
    }
    return TransferStatus::exists;
}

// What a zero field inherited counts as given.
TransferStatus compare_resolving(
    Transfer event, Transfer const& existing, Transfer const& pending
) {
    if (event.debit_account_id != 0 && event.debit_account_id != existing.debit_account_id) {
        return TransferStatus::exists_with_different_debit_account_id;
    }
    if (event.credit_account_id != 0 && event.credit_account_id != existing.credit_account_id) {
        return TransferStatus::exists_with_different_credit_account_id;
    }
    if (!asks_for_same_amount(event, existing, pending)) {
        return TransferStatus::exists_with_different_amount;
    }
    event.user_data_128 = event.user_data_128 != 0 ? event.user_data_128 : pending.user_data_128;
    event.user_data_64 = event.user_data_64 != 0 ? event.user_data_64 : pending.user_data_64;
    event.user_data_32 = event.user_data_32 != 0 ? event.user_data_32 : pending.user_data_32;
    if (TransferStatus const status = compare_user_data(event, existing);
        status != TransferStatus::exists) {
        return status;
    }
    if (event.ledger != 0 && event.ledger != existing.ledger) {
        return TransferStatus::exists_with_different_ledger;
    }
    if (event.code != 0 && event.code != existing.code) {
        return TransferStatus::exists_with_different_code;
    }
    return TransferStatus::exists;
}

u128 saturating_subtract(u128 a, u128 b) {
    return a > b ? a - b : 0;
}

// What the balancing flags leave of the amount.
u128 balanced_amount(Transfer const& event, Account const& debit, Account const& credit) {
    u128 amount = event.amount;
    if (event.has(balancing_debit)) {
        u128 const used = debit.debits_posted + debit.debits_pending;
        amount = std::min(amount, saturating_subtract(debit.credits_posted, used));
    }
    if (event.has(balancing_credit)) {
        u128 const used = credit.credits_posted + credit.credits_pending;
        amount = std::min(amount, saturating_subtract(credit.debits_posted, used));
    }
    return amount;
}

TransferStatus check_balances(
    Transfer const& event,
    u128 amount,
    Account const& debit,
    Account const& credit,
    std::uint64_t timestamp
) {
    if (event.has(transfer_pending)) {
        if (sum_overflows(amount, debit.debits_pending)) {
            return TransferStatus::overflows_debits_pending;
        }
        if (sum_overflows(amount, credit.credits_pending)) {
            return TransferStatus::overflows_credits_pending;
        }
    }
    if (sum_overflows(amount, debit.debits_posted)) {
        return TransferStatus::overflows_debits_posted;
    }
    if (sum_overflows(amount, credit.credits_posted)) {
        return TransferStatus::overflows_credits_posted;
    }
    // Pending and posted together always fit: every reservation was checked here.
    if (sum_overflows(amount, debit.debits_pending + debit.debits_posted)) {
        return TransferStatus::overflows_debits;
    }
    if (sum_overflows(amount, credit.credits_pending + credit.credits_posted)) {
        return TransferStatus::overflows_credits;
    }
    if (u128{timestamp} + u128{event.timeout} * kNanosecondsPerSecond > kTimestampMax) {
        return TransferStatus::overflows_timeout;
    }
    if (debit.has(debits_must_not_exceed_credits) &&
        debit.debits_pending + debit.debits_posted + amount > debit.credits_posted) {
        return TransferStatus::exceeds_credits;
    }
    if (credit.has(credits_must_not_exceed_debits) &&
        credit.credits_pending + credit.credits_posted + amount > credit.debits_posted) {
        return TransferStatus::exceeds_debits;
    }
    return TransferStatus::created;
}

}  // namespace

Result<Decider::TransferOutcome> Decider::compare_with_existing(
    Transfer const& event, Location location, std::uint64_t now
) {
    FLORIN_TRY(Transfer const existing, books_.transfer(location));
    auto const compared = [&](TransferStatus status) {
        return TransferOutcome{status, status == TransferStatus::exists ? existing.timestamp : now};
    };
    if (event.flags != existing.flags) {
        return compared(TransferStatus::exists_with_different_flags);
    }
    if (event.pending_id != existing.pending_id) {
        return compared(TransferStatus::exists_with_different_pending_id);
    }
    if (event.timeout != existing.timeout) {
        return compared(TransferStatus::exists_with_different_timeout);
    }
    if (!event.resolves_pending()) {
        return compared(compare_single(event, existing));
    }
    FLORIN_TRY(auto const pending_location, books_.find_transfer(existing.pending_id));
    FLORIN_CHECK(pending_location, "the pending transfer of a post or void exists");
    FLORIN_TRY(Transfer const pending, books_.transfer(*pending_location));
    return compared(compare_resolving(event, existing, pending));
}

Result<bool> Decider::import_regresses(std::uint64_t timestamp, bool is_account) {
    if (timestamp <=
        (is_account ? books_.newest_account_timestamp() : books_.newest_transfer_timestamp())) {
        return true;
    }
    return is_account ? books_.transfer_exists_at(timestamp) : books_.account_exists_at(timestamp);
}

Result<CreateTransferStatus> Decider::create_single(
    Transfer event, std::uint64_t timestamp, RecordDraft& draft
) {
    if (TransferStatus const status = check_fields(event); status != TransferStatus::created) {
        return status;
    }
    FLORIN_TRY(AccountSlot* const debit, books_.account(event.debit_account_id));
    if (debit == nullptr) {
        return TransferStatus::debit_account_not_found;
    }
    FLORIN_TRY(AccountSlot* const credit, books_.account(event.credit_account_id));
    if (credit == nullptr) {
        return TransferStatus::credit_account_not_found;
    }
    if (debit->decided.ledger != credit->decided.ledger) {
        return TransferStatus::accounts_must_have_the_same_ledger;
    }
    if (event.ledger != debit->decided.ledger) {
        return TransferStatus::transfer_must_have_the_same_ledger_as_accounts;
    }
    if (event.has(transfer_imported)) {
        FLORIN_TRY(bool const regresses, import_regresses(timestamp, false));
        if (regresses) {
            return TransferStatus::imported_event_timestamp_must_not_regress;
        }
        if (timestamp <= debit->decided.timestamp) {
            return TransferStatus::imported_event_timestamp_must_postdate_debit_account;
        }
        if (timestamp <= credit->decided.timestamp) {
            return TransferStatus::imported_event_timestamp_must_postdate_credit_account;
        }
        if (event.timeout != 0) {
            return TransferStatus::imported_event_timeout_must_be_zero;
        }
    }
    if (debit->decided.has(account_closed)) {
        return TransferStatus::debit_account_already_closed;
    }
    if (credit->decided.has(account_closed)) {
        return TransferStatus::credit_account_already_closed;
    }
    event.amount = balanced_amount(event, debit->decided, credit->decided);
    if (TransferStatus const status =
            check_balances(event, event.amount, debit->decided, credit->decided, timestamp);
        status != TransferStatus::created) {
        return status;
    }

    event.timestamp = timestamp;
    books_.add_transfer(event, *debit, *credit);
    draft.count_transfer();
    return TransferStatus::created;
}

Result<CreateTransferStatus> Decider::resolve_pending(
    Transfer event, std::uint64_t timestamp, std::uint64_t now, RecordDraft& draft
) {
    if (TransferStatus const status = check_resolving_fields(event);
        status != TransferStatus::created) {
        return status;
    }
    FLORIN_TRY(auto const location, books_.find_transfer(event.pending_id));
    if (!location || location->is_used_up()) {
        return TransferStatus::pending_transfer_not_found;
    }
    FLORIN_TRY(Transfer const pending, books_.transfer(*location));
    if (TransferStatus const status = check_pending(event, pending);
        status != TransferStatus::created) {
        return status;
    }
    u128 const amount = resolved_amount(event, pending);
    if (amount > pending.amount) {
        return TransferStatus::exceeds_pending_transfer_amount;
    }
    if (event.has(void_pending_transfer) && amount < pending.amount) {
        return TransferStatus::pending_transfer_has_different_amount;
    }
    FLORIN_TRY(PendingState const state, books_.pending_state(*location, pending.timestamp));
    switch (state) {
        case PendingState::open: break;
        case PendingState::posted: return TransferStatus::pending_transfer_already_posted;
        case PendingState::voided: return TransferStatus::pending_transfer_already_voided;
        case PendingState::expired: return TransferStatus::pending_transfer_expired;
    }
    std::uint64_t const expiry = expires_at(pending);
    if (expiry != 0 && expiry <= now) {  // an import cannot turn back the clock
        return TransferStatus::pending_transfer_expired;
    }
    if (event.has(transfer_imported)) {
        FLORIN_TRY(bool const regresses, import_regresses(timestamp, false));
        if (regresses) {
            return TransferStatus::imported_event_timestamp_must_not_regress;
        }
    }
    FLORIN_TRY(AccountSlot* const debit, books_.account(pending.debit_account_id));
    FLORIN_TRY(AccountSlot* const credit, books_.account(pending.credit_account_id));
    FLORIN_CHECK(debit != nullptr && credit != nullptr, "accounts of a transfer exist");
    bool const voids = event.has(void_pending_transfer);
    if (debit->decided.has(account_closed) && !voids) {
        return TransferStatus::debit_account_already_closed;
    }
    if (credit->decided.has(account_closed) && !voids) {
        return TransferStatus::credit_account_already_closed;
    }

    event.debit_account_id = pending.debit_account_id;
    event.credit_account_id = pending.credit_account_id;
    event.amount = amount;
    event.user_data_128 = event.user_data_128 != 0 ? event.user_data_128 : pending.user_data_128;
    event.user_data_64 = event.user_data_64 != 0 ? event.user_data_64 : pending.user_data_64;
    event.user_data_32 = event.user_data_32 != 0 ? event.user_data_32 : pending.user_data_32;
    event.ledger = pending.ledger;
    event.code = pending.code;
    event.timestamp = timestamp;
    Resolution const resolution{
        .state = voids ? PendingState::voided : PendingState::posted,
        .pending_flags = pending.flags,
        .pending_timestamp = pending.timestamp,
        .expires_at = expiry,
        .pending_amount = pending.amount,
    };
    books_.add_transfer(event, *debit, *credit, &resolution);
    draft.add(PendingResolved{
        .index = draft.transfers(),
        .state = resolution.state,
        .pending_flags = resolution.pending_flags,
        .pending_timestamp = resolution.pending_timestamp,
        .expires_at = resolution.expires_at,
        .pending_amount = resolution.pending_amount,
    });
    draft.count_transfer();
    return TransferStatus::created;
}

void Decider::use_up_id(u128 id) {
    books_.use_up_id(id);
    failed_ids_.push_back(id);
}

Result<Decider::TransferOutcome> Decider::create_transfer(
    Transfer const& event, std::uint64_t timestamp, std::uint64_t now, RecordDraft& draft
) {
    auto const refused = [&](TransferStatus status) { return TransferOutcome{status, now}; };
    if ((event.flags & ~kTransferFlagsKnown) != 0) {
        return refused(TransferStatus::reserved_flag);
    }
    if (event.id == 0) {
        return refused(TransferStatus::id_must_not_be_zero);
    }
    if (event.id == kU128Max) {
        return refused(TransferStatus::id_must_not_be_int_max);
    }
    FLORIN_TRY(auto const location, books_.find_transfer(event.id));
    if (location) {
        if (location->is_used_up()) {
            return refused(TransferStatus::id_already_failed);
        }
        return compare_with_existing(event, *location, now);
    }
    FLORIN_TRY(
        TransferStatus const status,
        event.resolves_pending() ? resolve_pending(event, timestamp, now, draft)
                                 : create_single(event, timestamp, draft)
    );
    return TransferOutcome{status, status == TransferStatus::created ? timestamp : now};
}

Result<CreateTransfersAnswer> Decider::decide(
    CreateTransfers const& request, std::uint64_t clock, RecordDraft& draft
) {
    failed_ids_.clear();
    CreateTransfersAnswer answer;
    auto const create = [&](Transfer const& event, std::uint64_t timestamp, std::uint64_t now) {
        return create_transfer(event, timestamp, now, draft);
    };
    auto const failed = [&](Transfer const& event, TransferStatus status) {
        if (is_transient(status)) {
            use_up_id(event.id);
        }
    };
    books_.expect_transfers(request.events.size());
    Chain<Transfer, TransferStatus> chain{books_, draft};
    FLORIN_TRY(answer.results, chain.run(request.events, clock, create, failed));
    if (!failed_ids_.empty()) {
        draft.add(TransferIdsUsed{failed_ids_});
    }
    return answer;
}

Result<std::size_t> Decider::expire(
    std::uint64_t clock, std::size_t limit, bool spread, RecordDraft& draft
) {
    FLORIN_TRY(auto const due, books_.expiries().due(clock, limit));
    for (std::size_t i = 0; i < due.size(); ++i) {
        FLORIN_TRY(Transfer const pending, books_.transfer(due[i].location));
        FLORIN_TRY(AccountSlot* const debit, books_.account(pending.debit_account_id));
        FLORIN_TRY(AccountSlot* const credit, books_.account(pending.credit_account_id));
        FLORIN_CHECK(debit != nullptr && credit != nullptr, "accounts of a transfer exist");
        Resolution const resolution{
            .state = PendingState::expired,
            .pending_flags = pending.flags,
            .pending_timestamp = pending.timestamp,
            .expires_at = due[i].expires_at,
            .pending_amount = pending.amount,
        };
        std::uint64_t const timestamp = spread ? clock - due.size() + i + 1 : clock;
        draft.add(PendingExpired{
            .pending_id = pending.id,
            .debit_account_id = pending.debit_account_id,
            .credit_account_id = pending.credit_account_id,
            .amount = pending.amount,
            .pending_timestamp = pending.timestamp,
            .expires_at = due[i].expires_at,
            .timestamp = timestamp,
            .transfers_before = draft.transfers(),
            .pending_flags = pending.flags,
        });
        books_.expire(timestamp, *debit, *credit, resolution);
    }
    return due.size();
}

}  // namespace florin::ledger
