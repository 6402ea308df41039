// create_accounts: every status and every two neighbours, in order of precedence.
#include "tests/ledger/kernel.h"

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

using S = CreateAccountStatus;

Account full() {
    Account event = account(1, account_history);
    event.user_data_128 = 128;
    event.user_data_64 = 64;
    event.user_data_32 = 32;
    return event;
}
Account changed(Account event, std::function<void(Account&)> const& change) {
    return with<Account>(std::move(event), change);
}

// Account 1 with every field; the newest account is `newest` old, and there is room for imports
// between it and the clock.
struct Fixture {
    Fixture() {
        REQUIRE(machine.account(full()) == S::created);
        original = machine.lookup(1).timestamp;
        machine.ask<AdvanceClockAnswer>(AdvanceClock{1'000});
    }
    Account imported(u128 id, std::uint64_t timestamp) const {
        Account event = account(id, account_imported);
        event.timestamp = timestamp;
        return event;
    }
    Machine machine;
    std::uint64_t original = 0;
};

using Batch = std::vector<Account>;
using Row = StatusRow<S, Account, Fixture>;
using Pair = NeighbourRow<S, Account, Fixture>;

// One event, made from a fresh account 2 or from the existing account 1.
Row::Batch fresh(std::function<void(Account&)> const& change) {
    return [change](Fixture&) { return Batch{changed(account(2), change)}; };
}
Row::Batch existing(std::function<void(Account&)> const& change) {
    return [change](Fixture&) { return Batch{changed(full(), change)}; };
}
Row::Batch imported(std::function<void(Account&, Fixture&)> const& change) {
    return [change](Fixture& fixture) {
        Account event = fixture.imported(2, fixture.original + 1);
        change(event, fixture);
        return Batch{event};
    };
}

unsigned const kBothLimits = debits_must_not_exceed_credits | credits_must_not_exceed_debits;
std::uint64_t const kFuture = kTimestampMax;

std::vector<Row> rows() {
    return {
        {S::created, fresh([](Account&) {})},
        {S::linked_event_chain_open, fresh([](Account& a) { a.flags = account_linked; })},
        {S::linked_event_failed,
         [](Fixture&) { return Batch{account(0, account_linked), account(2)}; }},
        {S::imported_event_expected,
         [](Fixture& f) { return Batch{f.imported(2, f.original + 1), account(3)}; }},
        {S::imported_event_not_expected,
         [](Fixture& f) { return Batch{account(2), f.imported(3, f.original + 1)}; }},
        {S::timestamp_must_be_zero, fresh([](Account& a) { a.timestamp = 1; })},
        {S::imported_event_timestamp_out_of_range,
         imported([](Account& a, Fixture&) { a.timestamp = 0; })},
        {S::imported_event_timestamp_out_of_range,
         imported([](Account& a, Fixture&) { a.timestamp = kTimestampMax + 1; })},
        {S::imported_event_timestamp_must_not_advance,
         imported([](Account& a, Fixture&) { a.timestamp = kTimestampMax; })},
        // A batch of one moves the clock by two: at the clock is too late, one before it is not.
        {S::imported_event_timestamp_must_not_advance,
         imported([](Account& a, Fixture& f) { a.timestamp = f.machine.engine->clock() + 2; })},
        {S::created,
         imported([](Account& a, Fixture& f) { a.timestamp = f.machine.engine->clock() + 1; })},
        {S::reserved_field, fresh([](Account& a) { a.reserved = 1; })},
        {S::reserved_flag, fresh([](Account& a) { a.flags = 1U << 6U; })},
        {S::reserved_flag, fresh([](Account& a) { a.flags = 1U << 15U; })},
        {S::id_must_not_be_zero, fresh([](Account& a) { a.id = 0; })},
        {S::id_must_not_be_int_max, fresh([](Account& a) { a.id = kU128Max; })},
        {S::exists_with_different_flags, existing([](Account& a) { a.flags = 0; })},
        {S::exists_with_different_user_data_128, existing([](Account& a) { a.user_data_128 = 0; })},
        {S::exists_with_different_user_data_64, existing([](Account& a) { a.user_data_64 = 0; })},
        {S::exists_with_different_user_data_32, existing([](Account& a) { a.user_data_32 = 0; })},
        {S::exists_with_different_ledger, existing([](Account& a) { a.ledger = 0; })},
        {S::exists_with_different_code, existing([](Account& a) { a.code = 0; })},
        {S::exists, existing([](Account&) {})},
        {S::flags_are_mutually_exclusive, fresh([](Account& a) { a.flags = kBothLimits; })},
        {S::debits_pending_must_be_zero, fresh([](Account& a) { a.debits_pending = 1; })},
        {S::debits_posted_must_be_zero, fresh([](Account& a) { a.debits_posted = 1; })},
        {S::credits_pending_must_be_zero, fresh([](Account& a) { a.credits_pending = 1; })},
        {S::credits_posted_must_be_zero, fresh([](Account& a) { a.credits_posted = 1; })},
        {S::ledger_must_not_be_zero, fresh([](Account& a) { a.ledger = 0; })},
        {S::code_must_not_be_zero, fresh([](Account& a) { a.code = 0; })},
        {S::imported_event_timestamp_must_not_regress,
         imported([](Account& a, Fixture& f) { a.timestamp = f.original; })},
        {S::imported_event_timestamp_must_not_regress,
         imported([](Account& a, Fixture&) { a.timestamp = 1; })},
    };
}

std::vector<Pair> neighbours() {
    return {
        {S::linked_event_chain_open,
         S::linked_event_failed,
         "",
         [](Fixture&) { return Batch{account(0, account_linked), account(2, account_linked)}; }},
        {S::linked_event_failed,
         S::imported_event_expected,
         "",
         [](Fixture& f) {
             Account breaker = f.imported(0, f.original + 1);
             breaker.flags |= account_linked;
             return Batch{breaker, account(2)};
         }},
        {S::imported_event_expected,
         S::imported_event_not_expected,
         "the first event is imported, or it is not"},
        {S::imported_event_not_expected,
         S::timestamp_must_be_zero,
         "the one is for imported events, the other for those that are not"},
        {S::timestamp_must_be_zero,
         S::imported_event_timestamp_out_of_range,
         "the one is for events that are not imported, the other for those that are"},
        {S::imported_event_timestamp_out_of_range,
         S::imported_event_timestamp_must_not_advance,
         "",
         imported([](Account& a, Fixture&) { a.timestamp = kTimestampMax + 1; })},
        {S::imported_event_timestamp_must_not_advance,
         S::reserved_field,
         "",
         imported([](Account& a, Fixture&) {
             a.timestamp = kFuture;
             a.reserved = 1;
         })},
        {S::reserved_field, S::reserved_flag, "", fresh([](Account& a) {
             a.reserved = 1;
             a.flags = 1U << 6U;
         })},
        {S::reserved_flag, S::id_must_not_be_zero, "", fresh([](Account& a) {
             a.flags = 1U << 6U;
             a.id = 0;
         })},
        {S::id_must_not_be_zero, S::id_must_not_be_int_max, "an id is not both"},
        {S::id_must_not_be_int_max,
         S::exists_with_different_flags,
         "no account has that id, so none exists with it"},
        {S::exists_with_different_flags,
         S::exists_with_different_user_data_128,
         "",
         existing([](Account& a) {
             a.flags = kBothLimits;
             a.user_data_128 = 1;
         })},
        {S::exists_with_different_user_data_128,
         S::exists_with_different_user_data_64,
         "",
         existing([](Account& a) {
             a.user_data_128 = 1;
             a.user_data_64 = 1;
         })},
        {S::exists_with_different_user_data_64,
         S::exists_with_different_user_data_32,
         "",
         existing([](Account& a) {
             a.user_data_64 = 1;
             a.user_data_32 = 1;
         })},
        {S::exists_with_different_user_data_32,
         S::exists_with_different_ledger,
         "",
         existing([](Account& a) {
             a.user_data_32 = 1;
             a.ledger = 2;
         })},
        {S::exists_with_different_ledger,
         S::exists_with_different_code,
         "",
         existing([](Account& a) {
             a.ledger = 2;
             a.code = 2;
         })},
        {S::exists_with_different_code, S::exists, "exists means that nothing differs"},
        {S::exists,
         S::flags_are_mutually_exclusive,
         "an account with such flags cannot have been created"},
        {S::flags_are_mutually_exclusive, S::debits_pending_must_be_zero, "", fresh([](Account& a) {
             a.flags = kBothLimits;
             a.debits_pending = 1;
         })},
        {S::debits_pending_must_be_zero, S::debits_posted_must_be_zero, "", fresh([](Account& a) {
             a.debits_pending = 1;
             a.debits_posted = 1;
         })},
        {S::debits_posted_must_be_zero, S::credits_pending_must_be_zero, "", fresh([](Account& a) {
             a.debits_posted = 1;
             a.credits_pending = 1;
         })},
        {S::credits_pending_must_be_zero, S::credits_posted_must_be_zero, "", fresh([](Account& a) {
             a.credits_pending = 1;
             a.credits_posted = 1;
         })},
        {S::credits_posted_must_be_zero, S::ledger_must_not_be_zero, "", fresh([](Account& a) {
             a.credits_posted = 1;
             a.ledger = 0;
         })},
        {S::ledger_must_not_be_zero, S::code_must_not_be_zero, "", fresh([](Account& a) {
             a.ledger = 0;
             a.code = 0;
         })},
        {S::code_must_not_be_zero,
         S::imported_event_timestamp_must_not_regress,
         "",
         imported([](Account& a, Fixture& f) {
             a.code = 0;
             a.timestamp = f.original;
         })},
    };
}

}  // namespace

TEST_CASE("create_accounts answers every status, and of two the one with precedence") {
    auto const ask = [](Fixture& fixture, Batch const& batch) {
        return fixture.machine.ask<CreateAccountsAnswer>(CreateAccounts{batch}).results;
    };
    check_table<S, Account, Fixture>(
        rows(), neighbours(), S::imported_event_timestamp_must_not_regress, ask
    );
}

TEST_CASE("an account that exists is answered with its own timestamp, balances do not matter") {
    Fixture fixture;
    Machine& machine = fixture.machine;
    REQUIRE(machine.account(account(2)) == S::created);
    REQUIRE(machine.transfer(transfer(1, 1, 2, 5)) == CreateTransferStatus::created);
    auto const again = machine.ask<CreateAccountsAnswer>(CreateAccounts{{full()}}).results.at(0);
    CHECK(again.status == S::exists);
    CHECK(again.timestamp == fixture.original);
    Account claimed = full();
    claimed.debits_posted = 77;  // decided before balances are looked at
    CHECK(machine.account(claimed) == S::exists);
    Account exclusive = full();
    exclusive.flags = static_cast<std::uint16_t>(kBothLimits);
    CHECK(machine.account(exclusive) == S::exists_with_different_flags);
}

TEST_CASE("the same account twice in a batch is created once") {
    Machine machine;
    auto const results =
        machine.ask<CreateAccountsAnswer>(CreateAccounts{{account(1), account(1), account(2)}}
        ).results;
    CHECK(results[0].status == S::created);
    CHECK(results[1].status == S::exists);
    CHECK(results[1].timestamp == results[0].timestamp);
    CHECK(results[2].status == S::created);
    CHECK(results[2].timestamp == results[0].timestamp + 2);
}

TEST_CASE("a chain of accounts happens whole or not at all, and takes no ids with it") {
    Machine machine;
    auto const results =
        machine
            .ask<CreateAccountsAnswer>(CreateAccounts{
                {account(1, account_linked), account(2, account_linked), account(0), account(3)}
            })
            .results;
    CHECK(results[0].status == S::linked_event_failed);
    CHECK(results[1].status == S::linked_event_failed);
    CHECK(results[2].status == S::id_must_not_be_zero);
    CHECK(results[3].status == S::created);
    for (std::size_t i = 0; i < results.size(); ++i) {
        CHECK(results[i].timestamp == 2 + i);
    }
    CHECK(machine.ask<AccountsAnswer>(LookupAccounts{{1, 2, 3}}).accounts.size() == 1);
    CHECK(machine.account(account(1)) == S::created);
}

TEST_CASE("a broken chain of imports leaves the newest timestamp as it was") {
    Fixture fixture;
    Machine& machine = fixture.machine;
    Account first = fixture.imported(2, fixture.original + 100);
    first.flags |= account_linked;
    auto const results =
        machine.ask<CreateAccountsAnswer>(CreateAccounts{{first, fixture.imported(0, 5)}}).results;
    CHECK(results[0].status == S::linked_event_failed);
    CHECK(results[0].timestamp == machine.engine->clock() - 1);  // its place, not its import's
    CHECK(machine.account(fixture.imported(2, fixture.original + 50)) == S::created);
    CHECK(machine.lookup(2).timestamp == fixture.original + 50);
}

TEST_CASE("an imported account cannot have the timestamp of a transfer") {
    Fixture fixture;
    Machine& machine = fixture.machine;
    REQUIRE(machine.account(account(2)) == S::created);
    REQUIRE(machine.transfer(transfer(1, 1, 2, 5)) == CreateTransferStatus::created);
    std::uint64_t const taken = machine.engine->clock();
    machine.ask<AdvanceClockAnswer>(AdvanceClock{100});
    CHECK(
        machine.account(fixture.imported(3, taken)) == S::imported_event_timestamp_must_not_regress
    );
    CHECK(machine.account(fixture.imported(3, taken + 1)) == S::created);
}

TEST_CASE("an account that was closed since is another one to its retry") {
    Machine machine;
    REQUIRE(machine.account(account(1)) == S::created);
    REQUIRE(machine.account(account(2)) == S::created);
    REQUIRE(
        machine.transfer(transfer(1, 1, 2, 0, transfer_pending | closing_debit)) ==
        CreateTransferStatus::created
    );
    CHECK(machine.account(account(1)) == S::exists_with_different_flags);
    CHECK(machine.account(account(1, account_closed)) == S::exists);
}
