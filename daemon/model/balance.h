// The rows of a merchant's balance: one for each posting that changes available + pending.
//
// A row is written by the command that posts, and never rewritten. What would change is found
// elsewhere: a captured payment's row is pending for as long as its availability document is there
// (model/settlement.h), whose id is made of the row's.
// Amounts are ISO 4217 minor units of the row's currency. Thread rule: values.
#pragma once

#include "daemon/model/documents.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace florin::model {

struct BalanceTransaction {
    static constexpr Kind kKind = Kind::balance_transaction;
    std::string id;                // "txn_…", by IdMaker; the document's own id, not in its body
    std::string type = "charge";   // charge, refund, payout, payout_failure: as on the wire
    std::string source, currency;  // the id of what it is about; alphabetic, upper case
    std::string description;       // of the charge, as it was then
    std::int64_t amount = 0;       // signed: what the merchant gains is above zero
    std::int64_t fee = 0;          // taken from it by the same command; never negative
    std::int64_t due = 0;          // may be made available from here on; 0: available at once

    std::int64_t net() const { return amount - fee; }
    // Seconds since 1970 UTC, from the id; 0 for an id that IdMaker did not make.
    std::int64_t created() const;
};

// Where a payout's rows are linked from (Kind::payout_transaction): "EUR-17". Payouts of a merchant
// in one currency are numbered from 1.
std::string payout_rows(std::string_view currency, std::int64_t number);

}  // namespace florin::model
