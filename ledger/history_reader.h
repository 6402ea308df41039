// What happened to one account, between two records, in either direction: from the stored blocks
// and the runs that are not stored yet, without reading anything else.
//
// Thread rule: the ledger thread only, or whoever owns the books.
#pragma once

#include "ledger/books.h"

#include <functional>

namespace florin::ledger {

struct HistoryRange {
    Sequence from = 0;  // the first record
    Sequence to = ~Sequence{0};
    bool newest_first = false;
};

// Every change of the account in these records, with the balances after it, in the order of the
// journal or against it, until the visitor answers false.
Result<void> visit_history(
    Books& books,
    AccountSlot const& account,
    HistoryRange const& range,
    std::function<Result<bool>(HistoryEntry const& entry)> const& visit
);

// The balances of an account as of a time: after everything up to the last transfer that happened
// at or before it, and the expiries that followed by then.
Result<Balances> balances_at(Books& books, AccountSlot const& account, std::uint64_t timestamp);

// What lies between the balances before `from` and those at `to`, oldest first, until the visitor
// answers false.
Result<void> visit_between(
    Books& books,
    AccountSlot const& account,
    std::uint64_t from,
    std::uint64_t to,
    std::function<Result<bool>(HistoryEntry const& entry)> const& visit
);

}  // namespace florin::ledger
