// Accounts and transfers for the tests of the kernel's rules, and tables of what is answered.
//
// A table has a row for each status, in order of precedence, and for each two neighbours an event
// that breaks both rules, or the reason why none can. check_table counts that nothing is missing.
#pragma once

#include "tests/ledger/machine.h"

#include <doctest/doctest.h>

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace florin::ledger::test {

inline Account account(u128 id, unsigned flags = 0, std::uint32_t ledger = 1) {
    Account account;
    account.id = id;
    account.ledger = ledger;
    account.code = 10;
    account.flags = static_cast<std::uint16_t>(flags);
    return account;
}

inline Transfer transfer(u128 id, u128 debit, u128 credit, u128 amount, unsigned flags = 0) {
    Transfer transfer;
    transfer.id = id;
    transfer.debit_account_id = debit;
    transfer.credit_account_id = credit;
    transfer.amount = amount;
    transfer.ledger = 1;
    transfer.code = 20;
    transfer.flags = static_cast<std::uint16_t>(flags);
    return transfer;
}

inline Transfer resolving(u128 id, u128 pending_id, u128 amount, unsigned flags) {
    Transfer transfer;
    transfer.id = id;
    transfer.pending_id = pending_id;
    transfer.amount = amount;
    transfer.flags = static_cast<std::uint16_t>(flags);
    return transfer;
}

template <class Object>
Object with(Object event, std::function<void(Object&)> const& change) {
    change(event);
    return event;
}

// ---- tables ------------------------------------------------------------------------------------

// A row makes a batch for the fixture; its last event is the one that is looked at.
template <class Status, class Object, class Fixture>
struct StatusRow {
    using Batch = std::function<std::vector<Object>(Fixture&)>;
    Status status;
    Batch batch;
};
// The last event breaks both rules, and the higher one is told.
template <class Status, class Object, class Fixture>
struct NeighbourRow {
    using Batch = std::function<std::vector<Object>(Fixture&)>;
    Status higher;
    Status lower;
    std::string why_none;  // or why no event breaks both
    Batch batch = nullptr;
};

// Each row on a fixture of its own. `ask(fixture, batch)` answers the results of a batch.
template <class Status, class Object, class Fixture, class Ask>
void check_table(
    std::vector<StatusRow<Status, Object, Fixture>> const& rows,
    std::vector<NeighbourRow<Status, Object, Fixture>> const& neighbours,
    Status last,
    Ask const& ask
) {
    auto const answer = [&](auto const& batch, Status expected) {
        Fixture fixture;
        auto const results = ask(fixture, batch(fixture));
        REQUIRE_FALSE(results.empty());
        CHECK(status_name(results.back().status) == status_name(expected));
        if (expected != Status::exists && expected != Status::created) {
            // A refusal has the event's own place in the batch, here the last one.
            CHECK(results.back().timestamp == fixture.machine.engine->clock());
        }
    };
    std::set<Status> seen;
    for (auto const& row : rows) {
        CAPTURE(status_name(row.status));
        seen.insert(row.status);
        answer(row.batch, row.status);
    }
    std::set<std::pair<Status, Status>> pairs;
    for (auto const& row : neighbours) {
        CAPTURE(status_name(row.higher));
        CAPTURE(status_name(row.lower));
        pairs.emplace(row.higher, row.lower);
        CHECK(static_cast<int>(row.higher) + 1 == static_cast<int>(row.lower));
        REQUIRE(row.why_none.empty() == (row.batch != nullptr));
        if (row.batch) {
            answer(row.batch, row.higher);
        }
    }
    for (int i = 0; i <= static_cast<int>(last); ++i) {
        CAPTURE(status_name(static_cast<Status>(i)));
        CHECK(seen.contains(static_cast<Status>(i)));
        if (i > 0 && i < static_cast<int>(last)) {
            CHECK(pairs.contains({static_cast<Status>(i), static_cast<Status>(i + 1)}));
        }
    }
    CHECK(status_name(static_cast<Status>(static_cast<int>(last) + 1)) == "unknown");
}

}  // namespace florin::ledger::test
