// create_accounts: the rules in order of precedence.
#include "ledger/base/check.h"
#include "ledger/chain.h"
#include "ledger/decide.h"

namespace florin::ledger {
namespace {

using AccountStatus = CreateAccountStatus;

AccountStatus compare(Account const& event, Account const& existing) {
    if (event.flags != existing.flags) {
        return AccountStatus::exists_with_different_flags;
    }
    if (event.user_data_128 != existing.user_data_128) {
        return AccountStatus::exists_with_different_user_data_128;
    }
    if (event.user_data_64 != existing.user_data_64) {
        return AccountStatus::exists_with_different_user_data_64;
    }
    if (event.user_data_32 != existing.user_data_32) {
        return AccountStatus::exists_with_different_user_data_32;
    }
    if (event.ledger != existing.ledger) {
        return AccountStatus::exists_with_different_ledger;
    }
    if (event.code != existing.code) {
        return AccountStatus::exists_with_different_code;
    }
    return AccountStatus::exists;
}

AccountStatus check_fields(Account const& event) {
    if (event.has(debits_must_not_exceed_credits) && event.has(credits_must_not_exceed_debits)) {
        return AccountStatus::flags_are_mutually_exclusive;
    }
    if (event.debits_pending != 0) {
        return AccountStatus::debits_pending_must_be_zero;
    }
    if (event.debits_posted != 0) {
        return AccountStatus::debits_posted_must_be_zero;
    }
    if (event.credits_pending != 0) {
        return AccountStatus::credits_pending_must_be_zero;
    }
    if (event.credits_posted != 0) {
        return AccountStatus::credits_posted_must_be_zero;
    }
    if (event.ledger == 0) {
        return AccountStatus::ledger_must_not_be_zero;
    }
    if (event.code == 0) {
        return AccountStatus::code_must_not_be_zero;
    }
    return AccountStatus::created;
}

}  // namespace

Result<Decider::AccountOutcome> Decider::create_account(
    Account event, std::uint64_t timestamp, RecordDraft& draft
) {
    auto const refused = [&](AccountStatus status) { return AccountOutcome{status, timestamp}; };
    if (event.reserved != 0) {
        return refused(AccountStatus::reserved_field);
    }
    if ((event.flags & ~kAccountFlagsKnown) != 0) {
        return refused(AccountStatus::reserved_flag);
    }
    if (event.id == 0) {
        return refused(AccountStatus::id_must_not_be_zero);
    }
    if (event.id == kU128Max) {
        return refused(AccountStatus::id_must_not_be_int_max);
    }
    FLORIN_TRY(AccountSlot const* const existing, books_.account(event.id));
    if (existing != nullptr) {
        AccountStatus const status = compare(event, existing->decided);
        return AccountOutcome{
            status, status == AccountStatus::exists ? existing->decided.timestamp : timestamp
        };
    }
    if (AccountStatus const status = check_fields(event); status != AccountStatus::created) {
        return refused(status);
    }
    if (event.has(account_imported)) {
        FLORIN_TRY(bool const regresses, import_regresses(timestamp, true));
        if (regresses) {
            return refused(AccountStatus::imported_event_timestamp_must_not_regress);
        }
    }
    event.timestamp = timestamp;
    books_.create_account(event);
    draft.add(AccountCreated{event});
    return AccountOutcome{AccountStatus::created, timestamp};
}

Result<CreateAccountsAnswer> Decider::decide(
    CreateAccounts const& request, std::uint64_t clock, RecordDraft& draft
) {
    CreateAccountsAnswer answer;
    auto const create = [&](Account const& event, std::uint64_t timestamp, std::uint64_t) {
        return create_account(event, timestamp, draft);
    };
    auto const nothing = [](Account const&, AccountStatus) {};
    Chain<Account, AccountStatus> chain{books_, draft};
    FLORIN_TRY(answer.results, chain.run(request.events, clock, create, nothing));
    return answer;
}

}  // namespace florin::ledger
