// Look-ups, statements and queries: what filters mean, their order and limits, and that they see
// what is durable and nothing else.
#include "tests/ledger/kernel.h"

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

using S = CreateTransferStatus;

std::vector<std::uint64_t> ids_of(std::vector<Transfer> const& transfers) {
    std::vector<std::uint64_t> ids;
    for (Transfer const& each : transfers) {
        ids.push_back(low_bits(each.id));
    }
    return ids;
}
using Ids = std::vector<std::uint64_t>;

// Accounts 1 (with history), 2 and 3; transfers 1 to 6 around them, of different kinds.
struct Books3 {
    Books3() {
        Account first = account(1, account_history);
        first.user_data_64 = 640;
        REQUIRE(machine.account(first) == CreateAccountStatus::created);
        REQUIRE(machine.account(account(2)) == CreateAccountStatus::created);
        REQUIRE(machine.account(account(3, 0, 1)) == CreateAccountStatus::created);
        create(transfer(1, 1, 2, 10));
        create(transfer(2, 2, 1, 20));
        create(transfer(3, 2, 3, 30));
        Transfer pending = transfer(4, 1, 3, 40, transfer_pending);
        pending.user_data_128 = 1;
        pending.user_data_64 = 2;
        pending.user_data_32 = 3;
        pending.timeout = 1;
        create(pending);
        create(resolving(5, 4, 15, post_pending_transfer));
        Transfer other = transfer(6, 3, 1, 60);
        other.code = 7;
        other.user_data_32 = 3;
        create(other);
    }
    void create(Transfer const& event) {
        REQUIRE(machine.transfer(event) == S::created);
        timestamps.push_back(machine.engine->clock());
    }
    Ids of_account(AccountFilter const& filter) {
        return ids_of(machine.ask<TransfersAnswer>(GetAccountTransfers{filter}).transfers);
    }
    Ids of_query(QueryFilter const& filter) {
        return ids_of(machine.ask<TransfersAnswer>(QueryTransfers{filter}).transfers);
    }
    Machine machine;
    std::vector<std::uint64_t> timestamps;
};

AccountFilter both_sides(u128 account_id) {
    AccountFilter filter;
    filter.account_id = account_id;
    filter.limit = 100;
    filter.flags = kFilterDebits | kFilterCredits;
    return filter;
}
template <class Filter>
Filter with_filter(Filter filter, std::function<void(Filter&)> const& change) {
    change(filter);
    return filter;
}

}  // namespace

TEST_CASE("look-ups answer in the order of the question, leave out what is absent, and repeat") {
    Books3 books;
    auto const accounts =
        books.machine.ask<AccountsAnswer>(LookupAccounts{{3, 99, 1, 0, 3}}).accounts;
    REQUIRE(accounts.size() == 3);
    CHECK(accounts[0].id == 3);
    CHECK(accounts[1].id == 1);
    CHECK(accounts[2] == accounts[0]);
    CHECK(books.machine.transfer(transfer(9, 1, 99, 1)) == S::credit_account_not_found);
    CHECK(
        ids_of(books.machine.ask<TransfersAnswer>(LookupTransfers{{5, 9, 1, kU128Max, 5}}).transfers
        ) == Ids{5, 1, 5}
    );
}

TEST_CASE("an account's transfers are chosen by side, fields and time") {
    Books3 books;
    using F = AccountFilter;
    auto const of = [&](std::function<void(F&)> const& change) {
        return books.of_account(with_filter<F>(both_sides(1), change));
    };
    CHECK(of([](F&) {}) == Ids{1, 2, 4, 5, 6});
    CHECK(of([](F& f) { f.flags = kFilterDebits; }) == Ids{1, 4, 5});
    CHECK(of([](F& f) { f.flags = kFilterCredits; }) == Ids{2, 6});
    CHECK(of([](F& f) { f.flags |= kFilterReversed; }) == Ids{6, 5, 4, 2, 1});
    CHECK(of([](F& f) { f.limit = 2; }) == Ids{1, 2});
    CHECK(of([](F& f) {
              f.limit = 2;
              f.flags |= kFilterReversed;
          }) == Ids{6, 5});
    CHECK(of([](F& f) { f.user_data_128 = 1; }) == Ids{4, 5});  // the post has inherited it
    CHECK(of([](F& f) { f.user_data_64 = 2; }) == Ids{4, 5});
    CHECK(of([](F& f) { f.user_data_32 = 3; }) == Ids{4, 5, 6});
    CHECK(of([](F& f) { f.code = 7; }) == Ids{6});
    CHECK(of([](F& f) {
              f.user_data_32 = 3;
              f.code = 20;
          }) == Ids{4, 5});
    CHECK(of([&](F& f) { f.timestamp_min = books.timestamps[1]; }) == Ids{2, 4, 5, 6});
    CHECK(of([&](F& f) { f.timestamp_min = books.timestamps[1] + 1; }) == Ids{4, 5, 6});
    CHECK(of([&](F& f) { f.timestamp_max = books.timestamps[1]; }) == Ids{1, 2});
    CHECK(of([&](F& f) { f.timestamp_max = books.timestamps[1] - 1; }) == Ids{1});
    CHECK(of([&](F& f) { f.timestamp_min = f.timestamp_max = books.timestamps[3]; }) == Ids{4});
    CHECK(books.of_account(both_sides(2)) == Ids{1, 2, 3});
    CHECK(books.of_account(both_sides(99)).empty());
}

TEST_CASE("an invalid filter answers an empty list") {
    Books3 books;
    using F = AccountFilter;
    constexpr std::uint64_t kTooLate = kTimestampMax + 1;
    for (std::function<void(F&)> const& change : std::vector<std::function<void(F&)>>{
             [](F& f) { f.account_id = 0; },
             [](F& f) { f.account_id = kU128Max; },
             [](F& f) { f.limit = 0; },
             [](F& f) { f.flags = 0; },
             [](F& f) { f.flags = kFilterReversed; },
             [](F& f) { f.flags |= 1U << 3U; },
             [](F& f) { f.flags |= 1U << 31U; },
             [](F& f) { f.timestamp_min = ~std::uint64_t{0}; },
             [](F& f) { f.timestamp_max = ~std::uint64_t{0}; },
             [](F& f) { f.timestamp_min = kTooLate; },
             [](F& f) { f.timestamp_max = kTooLate; },
             [&](F& f) {
                 f.timestamp_min = books.timestamps[1];
                 f.timestamp_max = books.timestamps[1] - 1;
             },
         }) {
        F const filter = with_filter<F>(both_sides(1), change);
        CHECK(books.of_account(filter).empty());
        CHECK(books.machine.ask<BalancesAnswer>(GetAccountBalances{filter}).balances.empty());
    }
    F last = both_sides(1);
    last.timestamp_max = kTimestampMax;
    CHECK(books.of_account(last).size() == 5);

    using Q = QueryFilter;
    for (std::function<void(Q&)> const& change : std::vector<std::function<void(Q&)>>{
             [](Q& q) { q.limit = 0; },
             [](Q& q) { q.flags = 2; },
             [](Q& q) { q.timestamp_min = kTooLate; },
             [](Q& q) { q.timestamp_max = kTooLate; },
             [](Q& q) { q.timestamp_max = ~std::uint64_t{0}; },
             [](Q& q) {
                 q.timestamp_min = 3;
                 q.timestamp_max = 2;
             },
         }) {
        Q filter;
        filter.limit = 100;
        change(filter);
        CHECK(books.of_query(filter).empty());
        CHECK(books.machine.ask<AccountsAnswer>(QueryAccounts{filter}).accounts.empty());
    }
}

TEST_CASE("balances belong to the transfers that match, after each of them, with history only") {
    Books3 books;
    auto filter = both_sides(1);
    auto const balances = books.machine.ask<BalancesAnswer>(GetAccountBalances{filter}).balances;
    REQUIRE(balances.size() == 5);
    CHECK(balances[0] == AccountBalance{books.timestamps[0], 0, 10, 0, 0});
    CHECK(balances[1] == AccountBalance{books.timestamps[1], 0, 10, 0, 20});
    CHECK(balances[2] == AccountBalance{books.timestamps[3], 40, 10, 0, 20});
    CHECK(balances[3] == AccountBalance{books.timestamps[4], 0, 25, 0, 20});
    CHECK(balances[4] == AccountBalance{books.timestamps[5], 0, 25, 0, 80});
    filter.flags = kFilterCredits | kFilterReversed;
    filter.limit = 1;
    auto const last = books.machine.ask<BalancesAnswer>(GetAccountBalances{filter}).balances;
    REQUIRE(last.size() == 1);
    CHECK(last[0] == balances[4]);
    CHECK(books.machine.ask<BalancesAnswer>(GetAccountBalances{both_sides(2)}).balances.empty());
    CHECK(books.machine.ask<BalancesAnswer>(GetAccountBalances{both_sides(9)}).balances.empty());
}

TEST_CASE("an expiry changes the balance and leaves no line in the history") {
    Books3 books;
    Transfer pending = transfer(10, 1, 2, 5, transfer_pending);
    pending.timeout = 1;
    books.create(pending);
    books.machine.ask<AdvanceClockAnswer>(AdvanceClock{2 * kNanosecondsPerSecond});
    CHECK(books.machine.lookup(1).debits_pending == 0);
    auto const balances =
        books.machine.ask<BalancesAnswer>(GetAccountBalances{both_sides(1)}).balances;
    REQUIRE(balances.size() == 6);
    CHECK(balances[5].debits_pending == 5);
    books.create(transfer(11, 1, 2, 1));
    CHECK(
        books.machine.ask<BalancesAnswer>(GetAccountBalances{both_sides(1)})
            .balances.back()
            .debits_pending == 0
    );
}

TEST_CASE("a transfer of nothing has its line in the history") {
    Books3 books;
    books.create(transfer(10, 1, 2, 0));
    CHECK(books.of_account(both_sides(1)) == Ids{1, 2, 4, 5, 6, 10});
    auto const balances =
        books.machine.ask<BalancesAnswer>(GetAccountBalances{both_sides(1)}).balances;
    REQUIRE(balances.size() == 6);
    CHECK(balances[5].timestamp == books.timestamps[6]);
}

TEST_CASE("queries choose by fields and time, in order of creation") {
    Books3 books;
    using Q = QueryFilter;
    auto const of = [&](std::function<void(Q&)> const& change) {
        Q filter;
        filter.limit = 100;
        change(filter);
        return books.of_query(filter);
    };
    CHECK(of([](Q&) {}) == Ids{1, 2, 3, 4, 5, 6});
    CHECK(of([](Q& q) { q.flags = kQueryReversed; }) == Ids{6, 5, 4, 3, 2, 1});
    CHECK(of([](Q& q) { q.user_data_32 = 3; }) == Ids{4, 5, 6});
    CHECK(of([](Q& q) { q.code = 7; }) == Ids{6});
    CHECK(of([](Q& q) { q.ledger = 1; }).size() == 6);
    CHECK(of([](Q& q) { q.ledger = 2; }).empty());
    CHECK(of([&](Q& q) { q.timestamp_min = books.timestamps[2]; }) == Ids{3, 4, 5, 6});
    CHECK(of([&](Q& q) { q.timestamp_max = books.timestamps[2]; }) == Ids{1, 2, 3});
    CHECK(of([](Q& q) { q.limit = 1; }) == Ids{1});

    QueryFilter filter;
    filter.limit = 100;
    filter.flags = kQueryReversed;
    auto const accounts = books.machine.ask<AccountsAnswer>(QueryAccounts{filter}).accounts;
    REQUIRE(accounts.size() == 3);
    CHECK(accounts[0].id == 3);
    CHECK(accounts[2] == books.machine.lookup(1));  // with its balances of now
    filter.user_data_64 = 640;
    CHECK(books.machine.ask<AccountsAnswer>(QueryAccounts{filter}).accounts.size() == 1);
    filter.timestamp_min = books.machine.lookup(2).timestamp;
    CHECK(books.machine.ask<AccountsAnswer>(QueryAccounts{filter}).accounts.empty());
}

TEST_CASE("imported transfers stand in the statements by their own time") {
    Books3 books;
    std::uint64_t const newest = books.timestamps.back();
    books.machine.ask<AdvanceClockAnswer>(AdvanceClock{1'000});
    Transfer event = transfer(10, 1, 2, 1, transfer_imported);
    event.timestamp = newest + 5;
    REQUIRE(books.machine.transfer(event) == S::created);
    auto filter = both_sides(1);
    filter.timestamp_min = newest + 5;
    filter.timestamp_max = newest + 5;
    CHECK(books.of_account(filter) == Ids{10});
    QueryFilter query;
    query.limit = 10;
    query.timestamp_min = newest + 5;
    CHECK(books.of_query(query) == Ids{10});
    query.timestamp_min = newest + 6;
    CHECK(books.of_query(query).empty());
}

TEST_CASE("history answers balances and transfers of an account, also across runs and crashes") {
    EngineOptions options{.manual_clock = true};
    options.run.transfers = 3;  // every few transfers become a stored run
    Machine machine{options};
    REQUIRE(machine.account(account(1, account_history)) == CreateAccountStatus::created);
    REQUIRE(machine.account(account(2)) == CreateAccountStatus::created);
    for (std::uint64_t i = 1; i <= 10; ++i) {
        REQUIRE(machine.transfer(transfer(i, 1, 2, i)) == S::created);
        if (i == 5) {
            machine.crash();
        }
    }
    auto filter = both_sides(1);
    auto const balances = machine.ask<BalancesAnswer>(GetAccountBalances{filter}).balances;
    REQUIRE(balances.size() == 10);
    u128 sum = 0;
    for (std::uint64_t i = 1; i <= 10; ++i) {
        sum += i;
        CHECK(balances[i - 1].debits_posted == sum);
    }
    filter.flags |= kFilterReversed;
    filter.limit = 3;
    CHECK(
        ids_of(machine.ask<TransfersAnswer>(GetAccountTransfers{filter}).transfers) == Ids{10, 9, 8}
    );
}

TEST_CASE("a read never answers more than a batch") {
    Machine machine;
    REQUIRE(machine.account(account(1, account_history)) == CreateAccountStatus::created);
    REQUIRE(machine.account(account(2)) == CreateAccountStatus::created);
    for (std::uint64_t first : {0U, 8'000U}) {
        CreateTransfers request;
        for (std::uint64_t i = 1; i <= 8'000; ++i) {
            request.events.push_back(transfer(first + i, 1, 2, 1));
        }
        machine.ask<CreateTransfersAnswer>(std::move(request));
    }
    auto filter = both_sides(1);
    filter.limit = ~0U;
    auto const first = machine.ask<TransfersAnswer>(GetAccountTransfers{filter}).transfers;
    REQUIRE(first.size() == kBatchEventsMax);
    CHECK(first.back().id == kBatchEventsMax);
    filter.timestamp_min = first.back().timestamp + 1;
    CHECK(
        machine.ask<TransfersAnswer>(GetAccountTransfers{filter}).transfers.size() ==
        16'000 - kBatchEventsMax
    );
    filter.timestamp_min = 0;
    CHECK(
        machine.ask<BalancesAnswer>(GetAccountBalances{filter}).balances.size() == kBatchEventsMax
    );
    QueryFilter query;
    query.limit = kBatchEventsMax + 1;
    query.flags = kQueryReversed;
    auto const last = machine.ask<TransfersAnswer>(QueryTransfers{query}).transfers;
    REQUIRE(last.size() == kBatchEventsMax);
    CHECK(last.front().id == 16'000);
}

TEST_CASE("a look-up does not show what is decided and not durable") {
    Machine machine;
    REQUIRE(machine.account(account(1)) == CreateAccountStatus::created);
    REQUIRE(machine.account(account(2)) == CreateAccountStatus::created);
    auto const completion = [&](AppendOutcome outcome, std::string const& why) {
        machine.engine->complete(outcome, why);
    };
    std::optional<Result<Answer>> first;
    std::optional<Result<Answer>> read;
    std::optional<Result<Answer>> second;
    machine.journal.hold_completions(true);
    machine.submit(CreateTransfers{{transfer(1, 1, 2, 1)}}, first);
    machine.submit(LookupTransfers{{1, 2}}, read);
    REQUIRE(machine.engine->start_append(completion));
    machine.submit(CreateTransfers{{transfer(2, 1, 2, 1)}}, second);
    machine.journal.pump();
    REQUIRE(read.has_value());
    REQUIRE(read->has_value());
    CHECK(ids_of(std::get<TransfersAnswer>(**read).transfers) == Ids{1});
    CHECK_FALSE(second.has_value());
    machine.journal.hold_completions(false);
    machine.settle();
    CHECK(second.has_value());
}
