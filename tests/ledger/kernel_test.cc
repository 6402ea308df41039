// create_accounts and create_transfers: one table row for each status, in order of precedence, and
// what goes beyond a single answer: chains, two phases, balancing, closing, expiry.
#include "tests/ledger/machine.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

Account account(u128 id, std::uint16_t flags = 0, std::uint32_t ledger = 1) {
    Account account;
    account.id = id;
    account.ledger = ledger;
    account.code = 10;
    account.flags = flags;
    return account;
}

Transfer transfer(u128 id, u128 debit, u128 credit, u128 amount, std::uint16_t flags = 0) {
    Transfer transfer;
    transfer.id = id;
    transfer.debit_account_id = debit;
    transfer.credit_account_id = credit;
    transfer.amount = amount;
    transfer.ledger = 1;
    transfer.code = 20;
    transfer.flags = flags;
    return transfer;
}

Transfer resolving(u128 id, u128 pending_id, u128 amount, std::uint16_t flags) {
    Transfer transfer;
    transfer.id = id;
    transfer.pending_id = pending_id;
    transfer.amount = amount;
    transfer.flags = flags;
    return transfer;
}

// Accounts 1 and 2 plain, 3 limited on the debit side, 4 on the credit side, 5 on another ledger,
// 6 closed; transfer 100 posted, 101 pending, 102 posted pending, 103 voided pending, 104 used up.
void fill(Machine& machine) {
    for (Account const& each :
         {account(1),
          account(2),
          account(3, debits_must_not_exceed_credits),
          account(4, credits_must_not_exceed_debits),
          account(5, 0, 2),
          account(6)}) {
        REQUIRE(machine.account(each) == CreateAccountStatus::created);
    }
    auto const created = CreateTransferStatus::created;
    REQUIRE(machine.transfer(transfer(100, 1, 2, 50)) == created);
    REQUIRE(machine.transfer(transfer(101, 1, 2, 30, transfer_pending)) == created);
    REQUIRE(machine.transfer(transfer(102, 1, 2, 7, transfer_pending)) == created);
    REQUIRE(machine.transfer(resolving(112, 102, kU128Max, post_pending_transfer)) == created);
    REQUIRE(machine.transfer(transfer(103, 1, 2, 8, transfer_pending)) == created);
    REQUIRE(machine.transfer(resolving(113, 103, 0, void_pending_transfer)) == created);
    REQUIRE(
        machine.transfer(transfer(104, 1, 99, 1)) == CreateTransferStatus::credit_account_not_found
    );
    REQUIRE(machine.transfer(transfer(105, 1, 6, 0, transfer_pending | closing_credit)) == created);
}

template <class Object>
struct Row {
    char const* name;
    Object event;
};

}  // namespace

TEST_CASE("create_accounts answers every status, the first that applies") {
    Machine machine;
    Account full = account(1);
    full.user_data_128 = 128;
    full.user_data_64 = 64;
    full.user_data_32 = 32;
    REQUIRE(machine.account(full) == CreateAccountStatus::created);
    auto const with = [&](std::function<void(Account&)> const& change, u128 id = 1) {
        Account event = full;
        event.id = id;
        change(event);
        return event;
    };
    Row<Account> const rows[] = {
        {"imported_event_not_expected", {}},
        {"timestamp_must_be_zero", with([](Account& a) { a.timestamp = 1; })},
        {"reserved_field", with([](Account& a) { a.reserved = 1; })},
        {"reserved_flag", with([](Account& a) { a.flags = 1U << 6U; })},
        {"id_must_not_be_zero", with([](Account&) {}, 0)},
        {"id_must_not_be_int_max", with([](Account&) {}, kU128Max)},
        {"exists_with_different_flags", with([](Account& a) { a.flags = account_history; })},
        {"exists_with_different_user_data_128", with([](Account& a) { a.user_data_128 = 1; })},
        {"exists_with_different_user_data_64", with([](Account& a) { a.user_data_64 = 1; })},
        {"exists_with_different_user_data_32", with([](Account& a) { a.user_data_32 = 1; })},
        {"exists_with_different_ledger", with([](Account& a) { a.ledger = 2; })},
        {"exists_with_different_code", with([](Account& a) { a.code = 2; })},
        {"exists", full},
        {"flags_are_mutually_exclusive",
         with(
             [](Account& a) {
                 a.flags = debits_must_not_exceed_credits | credits_must_not_exceed_debits;
             },
             2
         )},
        {"debits_pending_must_be_zero", with([](Account& a) { a.debits_pending = 1; }, 2)},
        {"debits_posted_must_be_zero", with([](Account& a) { a.debits_posted = 1; }, 2)},
        {"credits_pending_must_be_zero", with([](Account& a) { a.credits_pending = 1; }, 2)},
        {"credits_posted_must_be_zero", with([](Account& a) { a.credits_posted = 1; }, 2)},
        {"ledger_must_not_be_zero", with([](Account& a) { a.ledger = 0; }, 2)},
        {"code_must_not_be_zero", with([](Account& a) { a.code = 0; }, 2)},
        {"created", with([](Account&) {}, 2)},
    };
    for (auto const& row : rows) {
        CAPTURE(row.name);
        if (std::string{row.name} == "imported_event_not_expected") {
            auto const answer = machine.ask<CreateAccountsAnswer>(
                CreateAccounts{{account(50), account(51, account_imported)}}
            );
            CHECK(status_name(answer.results[1].status) == row.name);
            continue;
        }
        CHECK(status_name(machine.account(row.event)) == row.name);
    }
}

TEST_CASE("create_transfers answers every status, the first that applies") {
    Machine machine;
    fill(machine);
    auto const with = [](Transfer event, std::function<void(Transfer&)> const& change) {
        change(event);
        return event;
    };
    Transfer const fresh = transfer(200, 1, 2, 5);
    Transfer const post = resolving(201, 101, 10, post_pending_transfer);
    u128 const most = kU128Max;
    Row<Transfer> const rows[] = {
        {"linked_event_chain_open", with(fresh, [](Transfer& t) { t.flags = transfer_linked; })},
        {"timestamp_must_be_zero", with(fresh, [](Transfer& t) { t.timestamp = 1; })},
        {"reserved_flag", with(fresh, [](Transfer& t) { t.flags = 1U << 9U; })},
        {"id_must_not_be_zero", with(fresh, [](Transfer& t) { t.id = 0; })},
        {"id_must_not_be_int_max", with(fresh, [](Transfer& t) { t.id = kU128Max; })},
        {"exists_with_different_flags", transfer(100, 1, 2, 50, transfer_pending)},
        {"exists_with_different_pending_id",
         with(resolving(112, 101, most, post_pending_transfer), [](Transfer&) {})},
        {"exists_with_different_timeout",
         with(transfer(101, 1, 2, 30, transfer_pending), [](Transfer& t) { t.timeout = 1; })},
        {"exists_with_different_debit_account_id", transfer(100, 3, 2, 50)},
        {"exists_with_different_credit_account_id", transfer(100, 1, 3, 50)},
        {"exists_with_different_amount", transfer(100, 1, 2, 51)},
        {"exists_with_different_user_data_128",
         with(transfer(100, 1, 2, 50), [](Transfer& t) { t.user_data_128 = 1; })},
        {"exists_with_different_user_data_64",
         with(transfer(100, 1, 2, 50), [](Transfer& t) { t.user_data_64 = 1; })},
        {"exists_with_different_user_data_32",
         with(transfer(100, 1, 2, 50), [](Transfer& t) { t.user_data_32 = 1; })},
        {"exists_with_different_ledger",
         with(transfer(100, 1, 2, 50), [](Transfer& t) { t.ledger = 2; })},
        {"exists_with_different_code",
         with(transfer(100, 1, 2, 50), [](Transfer& t) { t.code = 2; })},
        {"exists", transfer(100, 1, 2, 50)},
        {"exists", resolving(112, 102, 7, post_pending_transfer)},
        {"exists", resolving(112, 102, most, post_pending_transfer)},
        {"exists", resolving(113, 103, 0, void_pending_transfer)},
        {"id_already_failed", transfer(104, 1, 2, 1)},
        {"flags_are_mutually_exclusive",
         with(post, [](Transfer& t) { t.flags |= void_pending_transfer; })},
        {"debit_account_id_must_not_be_zero", transfer(200, 0, 2, 5)},
        {"debit_account_id_must_not_be_int_max", transfer(200, most, 2, 5)},
        {"credit_account_id_must_not_be_zero", transfer(200, 1, 0, 5)},
        {"credit_account_id_must_not_be_int_max", transfer(200, 1, most, 5)},
        {"accounts_must_be_different", transfer(200, 1, 1, 5)},
        {"pending_id_must_be_zero", with(fresh, [](Transfer& t) { t.pending_id = 1; })},
        {"pending_id_must_not_be_zero", with(post, [](Transfer& t) { t.pending_id = 0; })},
        {"pending_id_must_not_be_int_max", with(post, [](Transfer& t) { t.pending_id = kU128Max; })
        },
        {"pending_id_must_be_different", with(post, [](Transfer& t) { t.pending_id = t.id; })},
        {"timeout_reserved_for_pending_transfer", with(fresh, [](Transfer& t) { t.timeout = 1; })},
        {"timeout_reserved_for_pending_transfer", with(post, [](Transfer& t) { t.timeout = 1; })},
        {"closing_transfer_must_be_pending",
         with(fresh, [](Transfer& t) { t.flags = closing_debit; })},
        {"ledger_must_not_be_zero", with(fresh, [](Transfer& t) { t.ledger = 0; })},
        {"code_must_not_be_zero", with(fresh, [](Transfer& t) { t.code = 0; })},
        {"debit_account_not_found", transfer(210, 77, 78, 5)},
        {"credit_account_not_found", transfer(211, 1, 78, 5)},
        {"accounts_must_have_the_same_ledger", transfer(200, 1, 5, 5)},
        {"transfer_must_have_the_same_ledger_as_accounts",
         with(fresh, [](Transfer& t) { t.ledger = 2; })},
        {"pending_transfer_not_found", resolving(212, 999, 10, post_pending_transfer)},
        {"pending_transfer_not_pending", resolving(200, 100, 10, post_pending_transfer)},
        {"pending_transfer_has_different_debit_account_id",
         with(post, [](Transfer& t) { t.debit_account_id = 3; })},
        {"pending_transfer_has_different_credit_account_id",
         with(post, [](Transfer& t) { t.credit_account_id = 3; })},
        {"pending_transfer_has_different_ledger", with(post, [](Transfer& t) { t.ledger = 3; })},
        {"pending_transfer_has_different_code", with(post, [](Transfer& t) { t.code = 3; })},
        {"exceeds_pending_transfer_amount", with(post, [](Transfer& t) { t.amount = 31; })},
        {"pending_transfer_has_different_amount", resolving(200, 101, 29, void_pending_transfer)},
        {"pending_transfer_already_posted", resolving(200, 102, 7, post_pending_transfer)},
        {"pending_transfer_already_voided", resolving(200, 103, 8, post_pending_transfer)},
        {"debit_account_already_closed", transfer(213, 6, 1, 5)},
        {"credit_account_already_closed", transfer(214, 1, 6, 5)},
        {"overflows_debits_pending", transfer(215, 1, 2, most, transfer_pending)},
        {"overflows_debits_posted", transfer(216, 1, 3, most)},
        {"overflows_debits", transfer(217, 1, 3, most - 57)},
        {"exceeds_credits", transfer(218, 3, 1, 1)},
        {"exceeds_debits", transfer(219, 1, 4, 1)},
        {"created", fresh},
        {"created", post},
    };
    for (auto const& row : rows) {
        CAPTURE(row.name);
        CHECK(status_name(machine.transfer(row.event)) == row.name);
    }
    Transfer late = transfer(220, 1, 2, 1, transfer_pending);
    late.timeout = ~0U;
    REQUIRE(machine.ask<AdvanceClockAnswer>(AdvanceClock{kTimestampMax - 100'000}).clock > 0);
    CHECK(machine.transfer(late) == CreateTransferStatus::overflows_timeout);
}

TEST_CASE("timestamps of a manual clock start at two and count events") {
    Machine machine;
    auto const first = machine.ask<CreateAccountsAnswer>(CreateAccounts{{account(1)}});
    CHECK(first.results[0].timestamp == 2);
    auto const second = machine.ask<CreateAccountsAnswer>(CreateAccounts{{account(2), account(3)}});
    CHECK(second.results[0].timestamp == 4);
    CHECK(second.results[1].timestamp == 5);
    CHECK(machine.ask<CreateAccountsAnswer>(CreateAccounts{}).results.empty());
    CHECK(machine.engine->clock() == 6);
    machine.crash();
    CHECK(machine.engine->clock() == 6);
}

TEST_CASE("a chain happens whole or not at all, and a refusal uses up only its own id") {
    Machine machine;
    fill(machine);
    Transfer first = transfer(300, 1, 2, 5, transfer_linked);
    Transfer const breaker = transfer(301, 77, 2, 5);
    auto const answer =
        machine.ask<CreateTransfersAnswer>(CreateTransfers{{first, breaker, transfer(302, 1, 2, 1)}}
        );
    CHECK(answer.results[0].status == CreateTransferStatus::linked_event_failed);
    CHECK(answer.results[1].status == CreateTransferStatus::debit_account_not_found);
    CHECK(answer.results[2].status == CreateTransferStatus::created);
    CHECK(machine.transfer(transfer(301, 1, 2, 5)) == CreateTransferStatus::id_already_failed);
    CHECK(machine.transfer(transfer(300, 1, 2, 5)) == CreateTransferStatus::created);
    CHECK(machine.lookup(1).debits_posted == 50 + 7 + 1 + 5);

    auto const open = machine.ask<CreateTransfersAnswer>(CreateTransfers{
        {transfer(310, 77, 2, 5, transfer_linked), transfer(311, 1, 2, 5, transfer_linked)}
    });
    CHECK(open.results[0].status == CreateTransferStatus::debit_account_not_found);
    CHECK(open.results[1].status == CreateTransferStatus::linked_event_chain_open);
}

TEST_CASE("posting less than was reserved releases the rest") {
    Machine machine;
    fill(machine);
    REQUIRE(
        machine.transfer(resolving(400, 101, 12, post_pending_transfer)) ==
        CreateTransferStatus::created
    );
    Account const debit = machine.lookup(1);
    CHECK(debit.debits_pending == 0);
    CHECK(debit.debits_posted == 50 + 7 + 12);
    auto const stored = machine.ask<TransfersAnswer>(LookupTransfers{{400}});
    REQUIRE(stored.transfers.size() == 1);
    CHECK(stored.transfers[0].debit_account_id == 1);
    CHECK(stored.transfers[0].ledger == 1);
    CHECK(stored.transfers[0].code == 20);
}

TEST_CASE("balancing takes what the limit leaves, and nothing is a success too") {
    Machine machine;
    fill(machine);
    REQUIRE(machine.transfer(transfer(500, 1, 3, 40)) == CreateTransferStatus::created);
    REQUIRE(
        machine.transfer(transfer(501, 3, 1, 100, balancing_debit)) == CreateTransferStatus::created
    );
    CHECK(machine.lookup(3).debits_posted == 40);
    CHECK(
        machine.transfer(transfer(502, 3, 1, 100, balancing_debit)) == CreateTransferStatus::created
    );
    CHECK(machine.ask<TransfersAnswer>(LookupTransfers{{502}}).transfers[0].amount == 0);
    CHECK(
        machine.transfer(transfer(501, 3, 1, 39, balancing_debit)) ==
        CreateTransferStatus::exists_with_different_amount
    );
    CHECK(
        machine.transfer(transfer(501, 3, 1, 41, balancing_debit)) == CreateTransferStatus::exists
    );
}

TEST_CASE("an account closed by a pending transfer opens again when that is voided or expires") {
    Machine machine;
    fill(machine);
    CHECK(machine.lookup(6).has(account_closed));
    CHECK(
        machine.transfer(resolving(600, 105, 0, void_pending_transfer)) ==
        CreateTransferStatus::created
    );
    CHECK_FALSE(machine.lookup(6).has(account_closed));

    Transfer closing = transfer(601, 6, 1, 0, transfer_pending | closing_debit);
    closing.timeout = 10;
    REQUIRE(machine.transfer(closing) == CreateTransferStatus::created);
    CHECK(machine.lookup(6).has(account_closed));
    machine.ask<AdvanceClockAnswer>(AdvanceClock{11 * kNanosecondsPerSecond});
    CHECK_FALSE(machine.lookup(6).has(account_closed));
}

TEST_CASE("pending transfers expire when the clock says so, and only then") {
    Machine machine;
    fill(machine);
    Transfer pending = transfer(700, 1, 2, 9, transfer_pending);
    pending.timeout = 5;
    REQUIRE(machine.transfer(pending) == CreateTransferStatus::created);
    CHECK(machine.lookup(1).debits_pending == 30 + 9);
    machine.crash();
    machine.ask<AdvanceClockAnswer>(AdvanceClock{4 * kNanosecondsPerSecond});
    CHECK(machine.lookup(1).debits_pending == 30 + 9);
    machine.ask<AdvanceClockAnswer>(AdvanceClock{2 * kNanosecondsPerSecond});
    CHECK(machine.lookup(1).debits_pending == 30);
    CHECK(
        machine.transfer(resolving(701, 700, 9, post_pending_transfer)) ==
        CreateTransferStatus::pending_transfer_expired
    );
    machine.crash();
    CHECK(machine.lookup(1).debits_pending == 30);
    CHECK(
        machine.transfer(resolving(702, 700, 9, post_pending_transfer)) ==
        CreateTransferStatus::pending_transfer_expired
    );
}

TEST_CASE("with a real clock the pulse expires what is due") {
    Machine machine{EngineOptions{}};
    fill(machine);
    Transfer pending = transfer(700, 1, 2, 9, transfer_pending);
    pending.timeout = 5;
    REQUIRE(machine.transfer(pending) == CreateTransferStatus::created);
    CHECK(machine.engine->next_expiry().has_value());
    machine.time.now += 6 * kNanosecondsPerSecond;
    machine.engine->pulse();
    machine.settle();
    CHECK(machine.lookup(1).debits_pending == 30);
    CHECK_FALSE(machine.engine->next_expiry().has_value());
}

TEST_CASE("imports bring their own time, in order, and never from the future") {
    Machine machine;
    machine.ask<AdvanceClockAnswer>(AdvanceClock{1'000});
    auto const imported_account = [](u128 id, std::uint64_t timestamp) {
        Account event = account(id, account_imported);
        event.timestamp = timestamp;
        return event;
    };
    CHECK(machine.account(imported_account(1, 10)) == CreateAccountStatus::created);
    CHECK(
        machine.account(imported_account(2, 10)) ==
        CreateAccountStatus::imported_event_timestamp_must_not_regress
    );
    CHECK(machine.account(imported_account(2, 20)) == CreateAccountStatus::created);
    CHECK(
        machine.account(imported_account(3, 0)) ==
        CreateAccountStatus::imported_event_timestamp_out_of_range
    );
    CHECK(
        machine.account(imported_account(3, 5'000)) ==
        CreateAccountStatus::imported_event_timestamp_must_not_advance
    );
    auto const imported = [](u128 id, std::uint64_t timestamp) {
        Transfer event = transfer(id, 1, 2, 1, transfer_imported);
        event.timestamp = timestamp;
        return event;
    };
    CHECK(
        machine.transfer(imported(1, 20)) ==
        CreateTransferStatus::imported_event_timestamp_must_not_regress
    );
    CHECK(
        machine.transfer(imported(1, 15)) ==
        CreateTransferStatus::imported_event_timestamp_must_postdate_credit_account
    );
    CHECK(
        machine.transfer(imported(1, 5)) ==
        CreateTransferStatus::imported_event_timestamp_must_postdate_debit_account
    );
    CHECK(machine.transfer(imported(1, 30)) == CreateTransferStatus::created);
    CHECK(
        machine.transfer(imported(2, 30)) ==
        CreateTransferStatus::imported_event_timestamp_must_not_regress
    );
    Transfer timed = imported(3, 40);
    timed.flags |= transfer_pending;
    timed.timeout = 1;
    CHECK(machine.transfer(timed) == CreateTransferStatus::imported_event_timeout_must_be_zero);
    auto const mixed =
        machine.ask<CreateTransfersAnswer>(CreateTransfers{{imported(4, 50), transfer(5, 1, 2, 1)}}
        );
    CHECK(mixed.results[1].status == CreateTransferStatus::imported_event_expected);
}

TEST_CASE("history answers balances and transfers of an account, also across runs and crashes") {
    EngineOptions options{.manual_clock = true};
    options.run.transfers = 3;  // every few transfers become a stored run
    Machine machine{options};
    REQUIRE(machine.account(account(1, account_history)) == CreateAccountStatus::created);
    REQUIRE(machine.account(account(2)) == CreateAccountStatus::created);
    for (std::uint64_t i = 1; i <= 10; ++i) {
        REQUIRE(machine.transfer(transfer(i, 1, 2, i)) == CreateTransferStatus::created);
        if (i == 5) {
            machine.crash();
        }
    }
    AccountFilter filter;
    filter.account_id = 1;
    filter.limit = 100;
    filter.flags = kFilterDebits | kFilterCredits;
    auto const balances = machine.ask<BalancesAnswer>(GetAccountBalances{filter}).balances;
    REQUIRE(balances.size() == 10);
    u128 sum = 0;
    for (std::uint64_t i = 1; i <= 10; ++i) {
        sum += i;
        CHECK(balances[i - 1].debits_posted == sum);
    }
    filter.flags |= kFilterReversed;
    filter.limit = 3;
    auto const transfers = machine.ask<TransfersAnswer>(GetAccountTransfers{filter}).transfers;
    REQUIRE(transfers.size() == 3);
    CHECK(transfers[0].id == 10);
    CHECK(transfers[2].id == 8);
    filter.limit = 0;
    CHECK(machine.ask<TransfersAnswer>(GetAccountTransfers{filter}).transfers.empty());
    filter.account_id = 2;
    filter.limit = 10;
    CHECK(machine.ask<BalancesAnswer>(GetAccountBalances{filter}).balances.empty());
    QueryFilter query;
    query.limit = 100;
    query.timestamp_min = transfers[2].timestamp;
    CHECK(machine.ask<TransfersAnswer>(QueryTransfers{query}).transfers.size() == 3);
    query.timestamp_min = 0;
    query.flags = kQueryReversed;
    CHECK(machine.ask<AccountsAnswer>(QueryAccounts{query}).accounts.at(0).id == 2);
}
