// What the kernel's rules mean together, beyond a single answer: chains, ids that are used up,
// retries, two phases, balancing, closing, expiry, imports, the clock.
#include "tests/ledger/kernel.h"

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

using S = CreateTransferStatus;
using Results = std::vector<EventResult<S>>;

// Accounts 1 and 2 plain, 3 limited on the debit side, 4 on the credit side, 5 on another ledger,
// 6 closed by 105; transfer 100 posted, 101 pending, 102 posted pending, 103 voided pending, 104
// used up.
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
    REQUIRE(machine.transfer(transfer(100, 1, 2, 50)) == S::created);
    REQUIRE(machine.transfer(transfer(101, 1, 2, 30, transfer_pending)) == S::created);
    REQUIRE(machine.transfer(transfer(102, 1, 2, 7, transfer_pending)) == S::created);
    REQUIRE(machine.transfer(resolving(112, 102, kU128Max, post_pending_transfer)) == S::created);
    REQUIRE(machine.transfer(transfer(103, 1, 2, 8, transfer_pending)) == S::created);
    REQUIRE(machine.transfer(resolving(113, 103, 0, void_pending_transfer)) == S::created);
    REQUIRE(machine.transfer(transfer(104, 1, 99, 1)) == S::credit_account_not_found);
    REQUIRE(
        machine.transfer(transfer(105, 1, 6, 0, transfer_pending | closing_credit)) == S::created
    );
}

Results results_of(Machine& machine, std::vector<Transfer> events) {
    return machine.ask<CreateTransfersAnswer>(CreateTransfers{std::move(events)}).results;
}
std::vector<std::string> names_of(Results const& results) {
    std::vector<std::string> names;
    for (auto const& result : results) {
        names.emplace_back(status_name(result.status));
    }
    return names;
}
using Names = std::vector<std::string>;

Transfer stored(Machine& machine, u128 id) {
    auto const found = machine.ask<TransfersAnswer>(LookupTransfers{{id}}).transfers;
    REQUIRE(found.size() == 1);
    return found[0];
}
void advance(Machine& machine, std::uint64_t ns) {
    machine.ask<AdvanceClockAnswer>(AdvanceClock{ns});
}
Transfer timed(Transfer event, std::uint32_t timeout) {
    event.flags |= transfer_pending;
    event.timeout = timeout;
    return event;
}
Transfer imported(Transfer event, std::uint64_t timestamp) {
    event.flags |= transfer_imported;
    event.timestamp = timestamp;
    return event;
}

}  // namespace

// ---- the clock ---------------------------------------------------------------------------------

TEST_CASE("timestamps of a manual clock start at two and count events") {
    Machine machine;
    auto const first = machine.ask<CreateAccountsAnswer>(CreateAccounts{{account(1)}});
    CHECK(first.results[0].timestamp == 2);
    auto const second = machine.ask<CreateAccountsAnswer>(CreateAccounts{{account(2), account(3)}});
    CHECK(second.results[0].timestamp == 4);
    CHECK(second.results[1].timestamp == 5);
    CHECK(machine.ask<CreateAccountsAnswer>(CreateAccounts{}).results.empty());
    CHECK(machine.engine->clock() == 6);
    CHECK(results_of(machine, {transfer(0, 1, 2, 1), transfer(1, 9, 2, 1)})[0].timestamp == 8);
    CHECK(machine.engine->clock() == 9);  // a request that failed has moved it too
    machine.ask<AccountsAnswer>(LookupAccounts{{1}});
    CHECK(machine.engine->clock() == 9);  // a read has not
    machine.crash();
    CHECK(machine.engine->clock() == 9);
}

TEST_CASE("the clock ends at the last timestamp, and what would pass it has not happened") {
    Machine machine;
    fill(machine);
    advance(machine, kTimestampMax - 3 - machine.engine->clock());
    auto const too_many = machine.call(
        CreateTransfers{{transfer(300, 1, 2, 1), transfer(301, 1, 2, 1), transfer(302, 1, 2, 1)}}
    );
    REQUIRE_FALSE(too_many.has_value());
    CHECK(too_many.error().code == Errc::out_of_range);
    CHECK(machine.engine->clock() == kTimestampMax - 3);
    auto const last = results_of(machine, {transfer(300, 1, 2, 1), transfer(301, 1, 2, 1)});
    CHECK(last[0].timestamp == kTimestampMax - 1);
    CHECK(last[1].status == S::created);
    CHECK(last[1].timestamp == kTimestampMax);
    CHECK_FALSE(machine.call(CreateAccounts{}).has_value());
    CHECK_FALSE(machine.call(AdvanceClock{1}).has_value());
    machine.ask<AdvanceClockAnswer>(AdvanceClock{0});
    machine.crash();
    CHECK(machine.engine->clock() == kTimestampMax);
    CHECK(stored(machine, 301).timestamp == kTimestampMax);
}

TEST_CASE("a timeout may end at the last timestamp and not after it") {
    Machine machine;
    fill(machine);
    std::uint64_t const second = kNanosecondsPerSecond;
    // The first will be at the clock + 2, the second one nanosecond later.
    advance(machine, kTimestampMax - second - 2 - machine.engine->clock());
    CHECK(
        names_of(results_of(
            machine, {timed(transfer(300, 1, 2, 1), 1), timed(transfer(301, 1, 2, 1), 1)}
        )) == Names{"created", "overflows_timeout"}
    );
    CHECK(machine.transfer(timed(transfer(301, 1, 2, 1), 0)) == S::created);
    advance(machine, kTimestampMax - machine.engine->clock());
    CHECK(machine.lookup(1).debits_pending == 30 + 1);
}

TEST_CASE("a batch of the most events is one batch") {
    Machine machine;
    fill(machine);
    CreateTransfers request;
    for (std::uint64_t i = 0; i < kBatchEventsMax; ++i) {
        request.events.push_back(transfer(1'000 + i, 1, 2, 1));
    }
    request.events[5'000].id = 100;  // exists, with another amount
    std::uint64_t const before = machine.engine->clock();
    auto const results = results_of(machine, request.events);
    REQUIRE(results.size() == kBatchEventsMax);
    for (std::uint64_t i = 0; i < kBatchEventsMax; ++i) {
        bool const differs = i == 5'000;
        REQUIRE(results[i].status == (differs ? S::exists_with_different_amount : S::created));
        REQUIRE(results[i].timestamp == before + 2 + i);
    }
    CHECK(machine.engine->clock() == before + 1 + kBatchEventsMax);
    CHECK(machine.lookup(1).debits_posted == 50 + 7 + kBatchEventsMax - 1);
    for (Transfer& event : request.events) {  // all linked to the last, which fails
        event.id += 100'000;
        event.flags = transfer_linked;
    }
    request.events.back().flags = 0;
    request.events.back().credit_account_id = 99;
    auto const broken = results_of(machine, request.events);
    CHECK(broken.front().status == S::linked_event_failed);
    CHECK(broken.back().status == S::credit_account_not_found);
    CHECK(machine.lookup(1).debits_posted == 50 + 7 + kBatchEventsMax - 1);
}

// ---- chains ------------------------------------------------------------------------------------

TEST_CASE("a chain happens whole or not at all, and a refusal uses up only its own id") {
    Machine machine;
    fill(machine);
    Transfer const first = transfer(300, 1, 2, 5, transfer_linked);
    Transfer const breaker = transfer(301, 77, 2, 5);
    CHECK(
        names_of(results_of(machine, {first, breaker, transfer(302, 1, 2, 1)})) ==
        Names{"linked_event_failed", "debit_account_not_found", "created"}
    );
    CHECK(machine.transfer(transfer(301, 1, 2, 5)) == S::id_already_failed);
    CHECK(machine.transfer(transfer(300, 1, 2, 5)) == S::created);
    CHECK(machine.lookup(1).debits_posted == 50 + 7 + 1 + 5);
}

TEST_CASE("an open chain is told before a broken one") {
    Machine machine;
    fill(machine);
    unsigned const linked = transfer_linked;
    CHECK(
        names_of(
            results_of(machine, {transfer(310, 77, 2, 5, linked), transfer(311, 1, 2, 5, linked)})
        ) == Names{"debit_account_not_found", "linked_event_chain_open"}
    );
    CHECK(
        names_of(
            results_of(machine, {transfer(312, 1, 2, 5, linked), transfer(313, 1, 2, 5, linked)})
        ) == Names{"linked_event_failed", "linked_event_chain_open"}
    );
    CHECK(machine.transfer(transfer(312, 1, 2, 5)) == S::created);
    CHECK(machine.transfer(transfer(313, 1, 2, 5)) == S::created);
}

TEST_CASE("two chains in a batch are two chains, and each sees what it did itself") {
    Machine machine;
    fill(machine);
    unsigned const linked = transfer_linked;
    CHECK(
        names_of(results_of(
            machine,
            {transfer(300, 1, 3, 10, linked),  // the limit of 3 lets 10 out again
             transfer(301, 3, 2, 10),
             transfer(302, 1, 3, 5, linked),
             transfer(303, 3, 2, 6),  // 5 would have been there
             transfer(304, 3, 2, 1)}  // and is not any more
        )) ==
        Names{"created", "created", "linked_event_failed", "exceeds_credits", "exceeds_credits"}
    );
    CHECK(machine.lookup(3).credits_posted == 10);
    CHECK(machine.lookup(3).debits_posted == 10);
}

TEST_CASE("a chain that was taken back leaves pending transfers, closings and expiries alone") {
    Machine machine;
    fill(machine);
    unsigned const linked = transfer_linked;
    CHECK(
        names_of(results_of(
            machine,
            {resolving(300, 101, kU128Max, post_pending_transfer | linked),
             resolving(301, 105, 0, void_pending_transfer | linked),
             timed(transfer(302, 1, 2, 9, linked), 1),
             transfer(303, 1, 2, 0, transfer_pending | closing_debit | linked),
             transfer(304, 2, 1, 1)}
        )) ==
        Names{
            "linked_event_failed",
            "linked_event_failed",
            "linked_event_failed",
            "linked_event_failed",
            "credit_account_already_closed"
        }
    );
    CHECK(machine.lookup(1).debits_pending == 30);
    CHECK_FALSE(machine.lookup(1).has(account_closed));
    CHECK(machine.lookup(6).has(account_closed));
    advance(machine, 2 * kNanosecondsPerSecond);
    CHECK(machine.lookup(1).debits_pending == 30);
    CHECK(machine.transfer(resolving(300, 101, kU128Max, post_pending_transfer)) == S::created);
}

// ---- ids ---------------------------------------------------------------------------------------

TEST_CASE("a refusal that may pass uses up the id, inside a chain too") {
    for (bool const in_chain : {false, true}) {
        CAPTURE(in_chain);
        Machine machine;
        fill(machine);
        std::pair<Transfer, S> const refusals[] = {
            {transfer(300, 99, 2, 1), S::debit_account_not_found},
            {transfer(301, 1, 99, 1), S::credit_account_not_found},
            {resolving(302, 999, 1, post_pending_transfer), S::pending_transfer_not_found},
            {transfer(303, 6, 1, 1), S::debit_account_already_closed},
            {transfer(304, 1, 6, 1), S::credit_account_already_closed},
            {transfer(305, 3, 1, 1), S::exceeds_credits},
            {transfer(306, 1, 4, 1), S::exceeds_debits},
        };
        u128 sibling = 400;
        for (auto const& [event, status] : refusals) {
            CAPTURE(status_name(status));
            if (in_chain) {
                ++sibling;
                Transfer const before = transfer(sibling, 1, 2, 1, transfer_linked);
                CHECK(results_of(machine, {before, event})[1].status == status);
                CHECK(machine.transfer(transfer(sibling, 1, 2, 1)) == S::created);
            } else {
                CHECK(machine.transfer(event) == status);
            }
            CHECK(machine.transfer(transfer(event.id, 1, 2, 1)) == S::id_already_failed);
            machine.crash();
            CHECK(machine.transfer(transfer(event.id, 1, 2, 1)) == S::id_already_failed);
        }
    }
}

TEST_CASE("a refusal that will not pass does not use up the id") {
    Machine machine;
    fill(machine);
    CHECK(machine.transfer(transfer(300, 1, 2, kU128Max)) == S::overflows_debits_posted);
    CHECK(machine.transfer(transfer(300, 1, 5, 1)) == S::accounts_must_have_the_same_ledger);
    CHECK(
        machine.transfer(resolving(300, 102, 1, post_pending_transfer)) ==
        S::pending_transfer_already_posted
    );
    CHECK(machine.transfer(transfer(300, 1, 2, 1)) == S::created);
}

TEST_CASE("the id of a broken chain can be used by a later event of the same batch") {
    Machine machine;
    fill(machine);
    CHECK(
        names_of(results_of(
            machine,
            {transfer(300, 1, 2, 1, transfer_linked),
             transfer(301, 1, 99, 1),
             transfer(300, 1, 2, 2),
             transfer(301, 1, 2, 2)}
        )) ==
        Names{"linked_event_failed", "credit_account_not_found", "created", "id_already_failed"}
    );
}

TEST_CASE("a retry is told that it exists before its flags are judged, with the first timestamp") {
    Machine machine;
    fill(machine);
    std::uint64_t const original = stored(machine, 100).timestamp;
    auto const again = results_of(machine, {transfer(100, 1, 2, 50)}).at(0);
    CHECK(again.status == S::exists);
    CHECK(again.timestamp == original);
    auto const differs = results_of(machine, {transfer(100, 1, 2, 51)}).at(0);
    CHECK(differs.status == S::exists_with_different_amount);
    CHECK(differs.timestamp == machine.engine->clock());
    unsigned const exclusive = post_pending_transfer | void_pending_transfer;
    CHECK(machine.transfer(transfer(100, 1, 2, 50, exclusive)) == S::exists_with_different_flags);
    CHECK(
        names_of(
            results_of(machine, {transfer(100, 1, 2, 50, transfer_linked), transfer(390, 1, 2, 1)})
        ) == Names{"exists_with_different_flags", "linked_event_failed"}
    );
    // The money that the retry would need is gone, and it still exists.
    REQUIRE(machine.transfer(transfer(300, 1, 3, 10)) == S::created);
    REQUIRE(machine.transfer(transfer(301, 3, 1, 10)) == S::created);
    CHECK(machine.transfer(transfer(301, 3, 1, 10)) == S::exists);
    CHECK(machine.transfer(transfer(105, 1, 6, 0, transfer_pending | closing_credit)) == S::exists);
}

TEST_CASE("a retry of a post or void asks for what has happened") {
    Machine machine;
    fill(machine);
    unsigned const post = post_pending_transfer;
    // All of 7 was posted: so does a retry that asks for 7, for more, or for all of it.
    CHECK(machine.transfer(resolving(112, 102, 7, post)) == S::exists);
    CHECK(machine.transfer(resolving(112, 102, 8, post)) == S::exists);
    CHECK(machine.transfer(resolving(112, 102, kU128Max, post)) == S::exists);
    CHECK(machine.transfer(resolving(112, 102, 6, post)) == S::exists_with_different_amount);
    CHECK(machine.transfer(resolving(112, 102, 0, post)) == S::exists_with_different_amount);
    // A part of 30 was posted: only that part is the same.
    REQUIRE(machine.transfer(resolving(300, 101, 12, post)) == S::created);
    CHECK(machine.transfer(resolving(300, 101, 12, post)) == S::exists);
    CHECK(machine.transfer(resolving(300, 101, 30, post)) == S::exists_with_different_amount);
    CHECK(machine.transfer(resolving(300, 101, kU128Max, post)) == S::exists_with_different_amount);

    CHECK(machine.transfer(resolving(113, 103, 0, void_pending_transfer)) == S::exists);
    CHECK(machine.transfer(resolving(113, 103, 8, void_pending_transfer)) == S::exists);
    CHECK(
        machine.transfer(resolving(113, 103, 9, void_pending_transfer)) ==
        S::exists_with_different_amount
    );
    Transfer named = resolving(112, 102, 7, post);
    named.debit_account_id = 1;
    named.credit_account_id = 2;
    named.ledger = 1;
    named.code = 20;
    CHECK(machine.transfer(named) == S::exists);
    named.credit_account_id = 3;
    CHECK(machine.transfer(named) == S::exists_with_different_credit_account_id);
}

// ---- two phases --------------------------------------------------------------------------------

TEST_CASE("posting less than was reserved releases the rest, and zero fields are inherited") {
    Machine machine;
    fill(machine);
    Transfer pending = transfer(300, 1, 2, 40, transfer_pending);
    pending.user_data_128 = 128;
    pending.user_data_64 = 64;
    pending.user_data_32 = 32;
    REQUIRE(machine.transfer(pending) == S::created);
    Transfer post = resolving(301, 300, 12, post_pending_transfer);
    post.user_data_64 = 7;
    REQUIRE(machine.transfer(post) == S::created);
    Account const debit = machine.lookup(1);
    CHECK(debit.debits_pending == 30);
    CHECK(debit.debits_posted == 50 + 7 + 12);
    Transfer const kept = stored(machine, 301);
    CHECK(kept.debit_account_id == 1);
    CHECK(kept.credit_account_id == 2);
    CHECK(kept.ledger == 1);
    CHECK(kept.code == 20);
    CHECK(kept.amount == 12);
    CHECK(kept.user_data_128 == 128);
    CHECK(kept.user_data_64 == 7);
    CHECK(kept.user_data_32 == 32);
    CHECK(kept.pending_id == 300);
    CHECK(kept.timeout == 0);
    CHECK(
        machine.transfer(resolving(301, 300, 12, post_pending_transfer)) ==
        S::exists_with_different_user_data_64
    );
}

TEST_CASE("a post of nothing releases everything, a void of nothing too") {
    Machine machine;
    fill(machine);
    CHECK(machine.transfer(resolving(300, 101, 0, post_pending_transfer)) == S::created);
    CHECK(machine.lookup(1).debits_pending == 0);
    CHECK(machine.lookup(1).debits_posted == 50 + 7);
    CHECK(stored(machine, 300).amount == 0);
    CHECK(
        machine.transfer(resolving(301, 101, 0, void_pending_transfer)) ==
        S::pending_transfer_already_posted
    );
    REQUIRE(machine.transfer(transfer(302, 1, 2, 4, transfer_pending)) == S::created);
    CHECK(machine.transfer(resolving(303, 302, 0, void_pending_transfer)) == S::created);
    CHECK(stored(machine, 303).amount == 4);
    CHECK(machine.lookup(2).credits_pending == 0);
}

TEST_CASE("posting looks at neither limits nor overflow again") {
    Machine machine;
    fill(machine);
    REQUIRE(machine.transfer(transfer(300, 1, 3, 10)) == S::created);
    REQUIRE(machine.transfer(transfer(301, 3, 2, 10, transfer_pending)) == S::created);
    CHECK(machine.transfer(transfer(302, 3, 2, 1)) == S::exceeds_credits);  // 10 are reserved
    CHECK(machine.transfer(resolving(303, 301, kU128Max, post_pending_transfer)) == S::created);
    // What is reserved and posted together is the most there can be.
    REQUIRE(machine.account(account(7)) == CreateAccountStatus::created);
    REQUIRE(machine.account(account(8)) == CreateAccountStatus::created);
    u128 const half = u128{1} << 127U;
    REQUIRE(machine.transfer(transfer(310, 7, 8, half)) == S::created);
    REQUIRE(machine.transfer(transfer(311, 7, 8, half - 1, transfer_pending)) == S::created);
    CHECK(machine.transfer(transfer(312, 7, 8, 1)) == S::overflows_debits);
    CHECK(machine.transfer(resolving(313, 311, kU128Max, post_pending_transfer)) == S::created);
    CHECK(machine.lookup(7).debits_posted == kU128Max);
    CHECK(machine.transfer(transfer(314, 7, 8, 0)) == S::created);
    CHECK(machine.transfer(transfer(315, 7, 8, 1)) == S::overflows_debits_posted);
}

TEST_CASE("the limit counts own pending and posted against the other side's posted") {
    Machine machine;
    fill(machine);
    REQUIRE(machine.transfer(transfer(300, 1, 3, 100)) == S::created);
    REQUIRE(machine.transfer(transfer(301, 1, 3, 900, transfer_pending)) == S::created);
    REQUIRE(machine.transfer(transfer(302, 3, 2, 70)) == S::created);
    CHECK(machine.transfer(transfer(303, 3, 2, 50, transfer_pending)) == S::exceeds_credits);
    CHECK(machine.transfer(transfer(304, 3, 2, 20, transfer_pending)) == S::created);
    CHECK(machine.transfer(transfer(305, 3, 2, 11)) == S::exceeds_credits);
    CHECK(machine.transfer(transfer(306, 3, 2, 10)) == S::created);
}

// ---- balancing ---------------------------------------------------------------------------------

TEST_CASE("balancing takes what the limit leaves, and nothing is a success too") {
    Machine machine;
    fill(machine);
    REQUIRE(machine.transfer(transfer(500, 1, 3, 40)) == S::created);
    REQUIRE(machine.transfer(transfer(501, 3, 1, 100, balancing_debit)) == S::created);
    CHECK(machine.lookup(3).debits_posted == 40);
    CHECK(machine.transfer(transfer(502, 3, 1, 100, balancing_debit)) == S::created);
    CHECK(stored(machine, 502).amount == 0);
    CHECK(
        machine.transfer(transfer(501, 3, 1, 39, balancing_debit)) ==
        S::exists_with_different_amount
    );
    CHECK(machine.transfer(transfer(501, 3, 1, 40, balancing_debit)) == S::exists);
    CHECK(machine.transfer(transfer(501, 3, 1, 41, balancing_debit)) == S::exists);
    CHECK(machine.transfer(transfer(501, 3, 1, kU128Max, balancing_debit)) == S::exists);
}

TEST_CASE("balancing needs no limit on the account, saturates at zero, and takes the smaller side"
) {
    Machine machine;
    fill(machine);
    // Account 1 has 57 debits and no credits: nothing can be left.
    CHECK(machine.transfer(transfer(500, 1, 2, 5, balancing_debit)) == S::created);
    CHECK(stored(machine, 500).amount == 0);
    // Account 2 has 57 credits posted and 30 pending, which count for the credit side only.
    CHECK(machine.transfer(transfer(501, 2, 1, 100, balancing_debit)) == S::created);
    CHECK(stored(machine, 501).amount == 57);
    REQUIRE(machine.transfer(transfer(502, 1, 2, 20)) == S::created);
    REQUIRE(machine.transfer(transfer(503, 1, 3, 6)) == S::created);
    REQUIRE(machine.account(account(7)) == CreateAccountStatus::created);
    REQUIRE(machine.transfer(transfer(504, 7, 1, 4)) == S::created);
    // From 3, which has 6 left, to 7, which takes 4.
    unsigned const both = balancing_debit | balancing_credit;
    CHECK(machine.transfer(transfer(505, 3, 7, 100, both | transfer_pending)) == S::created);
    CHECK(stored(machine, 505).amount == 4);
    // Pending amounts count as taken.
    CHECK(machine.transfer(transfer(506, 3, 1, 100, balancing_debit)) == S::created);
    CHECK(stored(machine, 506).amount == 2);
    CHECK(machine.transfer(transfer(507, 2, 7, 100, balancing_credit)) == S::created);
    CHECK(stored(machine, 507).amount == 0);
}

// ---- closing and expiry ------------------------------------------------------------------------

TEST_CASE("an account closed by a pending transfer opens again when that is voided or expires") {
    Machine machine;
    fill(machine);
    CHECK(machine.lookup(6).has(account_closed));
    CHECK(machine.transfer(resolving(600, 105, 0, void_pending_transfer)) == S::created);
    CHECK_FALSE(machine.lookup(6).has(account_closed));

    Transfer closing = transfer(601, 6, 1, 0, transfer_pending | closing_debit);
    closing.timeout = 10;
    REQUIRE(machine.transfer(closing) == S::created);
    CHECK(machine.lookup(6).has(account_closed));
    advance(machine, 11 * kNanosecondsPerSecond);
    CHECK_FALSE(machine.lookup(6).has(account_closed));
    CHECK(machine.transfer(transfer(602, 6, 1, 1)) == S::created);
}

TEST_CASE("a closed account moves by voids and expiries only") {
    Machine machine;
    fill(machine);
    REQUIRE(machine.transfer(transfer(600, 1, 2, 5, transfer_pending)) == S::created);
    REQUIRE(machine.transfer(timed(transfer(601, 1, 2, 6), 5)) == S::created);
    REQUIRE(
        machine.transfer(transfer(602, 2, 1, 0, transfer_pending | closing_credit)) == S::created
    );
    CHECK(machine.transfer(transfer(603, 1, 2, 1)) == S::debit_account_already_closed);
    CHECK(
        machine.transfer(resolving(604, 600, 5, post_pending_transfer)) ==
        S::debit_account_already_closed
    );
    // Nor can the closing transfer itself be posted.
    CHECK(
        machine.transfer(resolving(605, 602, 0, post_pending_transfer)) ==
        S::credit_account_already_closed
    );
    CHECK(machine.transfer(resolving(606, 600, 0, void_pending_transfer)) == S::created);
    CHECK(machine.lookup(1).has(account_closed));  // that was not the one that closed it
    advance(machine, 6 * kNanosecondsPerSecond);
    CHECK(machine.lookup(1).debits_pending == 30);
    CHECK(machine.lookup(1).has(account_closed));
    CHECK(machine.transfer(resolving(607, 602, 0, void_pending_transfer)) == S::created);
    CHECK_FALSE(machine.lookup(1).has(account_closed));
    CHECK(machine.transfer(resolving(604, 101, 1, post_pending_transfer)) == S::id_already_failed);
}

TEST_CASE("pending transfers expire when the clock says so, and only then") {
    Machine machine;
    fill(machine);
    REQUIRE(machine.transfer(timed(transfer(700, 1, 2, 9), 5)) == S::created);
    CHECK(machine.lookup(1).debits_pending == 30 + 9);
    machine.crash();
    advance(machine, 4 * kNanosecondsPerSecond);
    CHECK(machine.lookup(1).debits_pending == 30 + 9);
    advance(machine, 2 * kNanosecondsPerSecond);
    CHECK(machine.lookup(1).debits_pending == 30);
    CHECK(
        machine.transfer(resolving(701, 700, 9, post_pending_transfer)) ==
        S::pending_transfer_expired
    );
    machine.crash();
    CHECK(machine.lookup(1).debits_pending == 30);
    CHECK(
        machine.transfer(resolving(702, 700, 9, post_pending_transfer)) ==
        S::pending_transfer_expired
    );
}

TEST_CASE("an expiry is exact: one nanosecond before it the transfer is there, at it it is gone") {
    Machine machine;
    fill(machine);
    REQUIRE(machine.transfer(timed(transfer(700, 1, 2, 9), 5)) == S::created);
    std::uint64_t const ends = stored(machine, 700).timestamp + 5 * kNanosecondsPerSecond;
    advance(machine, ends - 1 - machine.engine->clock());
    CHECK(machine.lookup(1).debits_pending == 30 + 9);
    advance(machine, 1);
    CHECK(machine.lookup(1).debits_pending == 30);
}

TEST_CASE("what is due is expired for a post before anything has swept it away") {
    Machine machine;
    fill(machine);
    for (u128 const id : {700U, 701U}) {
        REQUIRE(machine.transfer(timed(transfer(id, 1, 2, 9), 5)) == S::created);
    }
    std::uint64_t const ends = stored(machine, 700).timestamp + 5 * kNanosecondsPerSecond;
    std::uint64_t const ends_too = stored(machine, 701).timestamp + 5 * kNanosecondsPerSecond;
    REQUIRE(ends_too == ends + 2);
    // The next event will be at ends - 1, the one after it at ends + 1.
    advance(machine, ends - 3 - machine.engine->clock());
    CHECK(machine.transfer(resolving(703, 700, 1, post_pending_transfer)) == S::created);
    CHECK(machine.transfer(resolving(704, 701, 1, post_pending_transfer)) == S::created);
    REQUIRE(machine.transfer(timed(transfer(710, 1, 2, 9), 5)) == S::created);
    std::uint64_t const due = stored(machine, 710).timestamp + 5 * kNanosecondsPerSecond;
    advance(machine, due - 2 - machine.engine->clock());
    CHECK(
        machine.transfer(resolving(711, 710, 1, post_pending_transfer)) ==
        S::pending_transfer_expired
    );
    CHECK(machine.engine->clock() == due);
    CHECK(machine.lookup(1).debits_pending == 30 + 9);  // creating expires nothing by itself
    advance(machine, 0);
    CHECK(machine.lookup(1).debits_pending == 30);
}

TEST_CASE("an import cannot post what the clock has already ended") {
    Machine machine;
    fill(machine);
    REQUIRE(machine.transfer(timed(transfer(700, 1, 2, 9), 5)) == S::created);
    std::uint64_t const made = stored(machine, 700).timestamp;
    advance(machine, made + 5 * kNanosecondsPerSecond - 1 - machine.engine->clock());
    Transfer const post = imported(resolving(701, 700, 9, post_pending_transfer), made + 1);
    CHECK(machine.transfer(post) == S::pending_transfer_expired);
}

TEST_CASE("with a real clock the pulse expires what is due") {
    Machine machine{EngineOptions{}};
    fill(machine);
    REQUIRE(machine.transfer(timed(transfer(700, 1, 2, 9), 5)) == S::created);
    CHECK(machine.engine->next_expiry().has_value());
    machine.time.now += 6 * kNanosecondsPerSecond;
    machine.engine->pulse();
    machine.settle();
    CHECK(machine.lookup(1).debits_pending == 30);
    CHECK_FALSE(machine.engine->next_expiry().has_value());
}

// ---- imports -----------------------------------------------------------------------------------

TEST_CASE("the first event decides whether a batch is imported") {
    Machine machine;
    fill(machine);
    std::uint64_t const newest = stored(machine, 105).timestamp;
    advance(machine, 1'000);
    CHECK(
        names_of(results_of(
            machine,
            {imported(transfer(800, 1, 2, 1), newest + 5),
             transfer(801, 1, 2, 1),
             imported(transfer(802, 1, 2, 1), newest + 6)}
        )) == Names{"created", "imported_event_expected", "created"}
    );
    CHECK(stored(machine, 800).timestamp == newest + 5);
    CHECK(
        names_of(results_of(
            machine, {transfer(803, 1, 2, 1), imported(transfer(804, 1, 2, 1), newest + 7)}
        )) == Names{"created", "imported_event_not_expected"}
    );
}

TEST_CASE("imports must be newer than their kind, and at a moment that nothing else has") {
    Machine machine;
    fill(machine);
    std::uint64_t const newest = stored(machine, 105).timestamp;
    advance(machine, 1'000);
    REQUIRE(machine.account(account(7)) == CreateAccountStatus::created);
    std::uint64_t const taken = machine.lookup(7).timestamp;
    advance(machine, 1'000);
    auto const import = [&](u128 id, std::uint64_t timestamp) {
        return machine.transfer(imported(transfer(id, 1, 2, 1), timestamp));
    };
    CHECK(import(800, newest) == S::imported_event_timestamp_must_not_regress);
    CHECK(import(800, newest - 1) == S::imported_event_timestamp_must_not_regress);
    CHECK(import(800, taken) == S::imported_event_timestamp_must_not_regress);
    CHECK(import(800, taken - 1) == S::created);
    CHECK(import(801, taken + 1) == S::created);
    CHECK(import(802, taken + 1) == S::imported_event_timestamp_must_not_regress);
    CHECK(import(801, 77) == S::exists);  // whatever timestamp the retry claims
    CHECK(machine.transfer(transfer(803, 1, 2, 1)) == S::created);
    CHECK(import(804, taken + 5) == S::imported_event_timestamp_must_not_regress);
}

TEST_CASE("an import is before the clock of its batch, not before its own place in it") {
    Machine machine;
    fill(machine);
    advance(machine, 1'000);
    std::uint64_t const clock = machine.engine->clock() + 1 + 4;  // when the batch is judged
    CHECK(
        names_of(results_of(
            machine,
            {imported(transfer(800, 1, 2, 1), clock - 3),
             imported(transfer(801, 1, 2, 1), clock - 2),
             imported(transfer(802, 1, 2, 1), clock - 1),
             imported(transfer(803, 1, 2, 1), clock)}
        )) == Names{"created", "created", "created", "imported_event_timestamp_must_not_advance"}
    );
    CHECK(stored(machine, 802).timestamp == clock - 1);
    CHECK(machine.transfer(transfer(804, 1, 2, 1)) == S::created);
    CHECK(stored(machine, 804).timestamp == clock + 2);
}

TEST_CASE("imported posts and voids skip the checks on accounts and timeout") {
    Machine machine;
    fill(machine);
    std::uint64_t const newest = stored(machine, 105).timestamp;
    REQUIRE(machine.transfer(timed(transfer(800, 1, 2, 3), 60)) == S::created);
    advance(machine, 1'000);
    CHECK(
        machine.transfer(imported(resolving(801, 101, 5, post_pending_transfer), newest + 3)) ==
        S::created
    );
    // The pending transfer has a timeout, the post has none and is told nothing about it.
    CHECK(
        machine.transfer(imported(resolving(802, 800, 3, post_pending_transfer), newest + 4)) ==
        S::created
    );
    CHECK(stored(machine, 802).timestamp == newest + 4);
    CHECK(
        machine.transfer(imported(resolving(803, 800, 3, post_pending_transfer), newest + 5)) ==
        S::pending_transfer_already_posted
    );
}

TEST_CASE("a pending transfer can be imported, closes accounts, and never expires") {
    Machine machine;
    fill(machine);
    std::uint64_t const newest = stored(machine, 105).timestamp;
    advance(machine, 1'000);
    Transfer const closing =
        imported(transfer(800, 1, 2, 3, transfer_pending | closing_debit), newest + 1);
    REQUIRE(machine.transfer(closing) == S::created);
    advance(machine, std::uint64_t{1} << 60U);
    CHECK(machine.lookup(1).has(account_closed));
    CHECK(machine.lookup(1).debits_pending == 30 + 3);
    machine.crash();
    CHECK(machine.transfer(resolving(801, 800, 3, void_pending_transfer)) == S::created);
    CHECK_FALSE(machine.lookup(1).has(account_closed));
}
