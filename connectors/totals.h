// What both sides of a rail count for one business date and currency, and whether they agree.
// Thread rule: values and pure functions.
#pragma once

#include "ledger/base/currency.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace florin::connectors {

// Of the messages of one business date that moved money. Debits are taken from cardholders,
// credits given to them. Amounts are ISO 4217 minor units; nothing is negative.
struct Totals {
    std::int64_t credits_number = 0, credits_reversal_number = 0;
    std::int64_t debits_number = 0, debits_reversal_number = 0;
    std::int64_t credits_amount = 0, credits_reversal_amount = 0;
    std::int64_t debits_amount = 0, debits_reversal_amount = 0;

    // Debits less credits, without what was reversed: positive where cardholders were debited.
    std::int64_t net() const {
        return debits_amount - debits_reversal_amount - credits_amount + credits_reversal_amount;
    }
    friend bool operator==(Totals const&, Totals const&) = default;
};

// A counterpart's totals, by names of total_names(): it may leave some out. "net" as Totals::net().
using SaidTotals = std::map<std::string, std::int64_t, std::less<>>;

// "credits_number" … "debits_reversal_amount", where they are, and the number of their field in
// ISO 8583 (both versions).
struct TotalName {
    std::string_view name;
    int field;
    std::int64_t Totals::* member;
};
std::span<TotalName const> total_names();
inline constexpr std::string_view kNetTotal = "net";
inline constexpr int kNetTotalField = 97;

// The whole of it, as a counterpart would say it.
SaidTotals said(Totals const& totals);

// What the counterpart says about the balance in so many words, apart from its numbers.
enum class BalanceClaim {
    none,            // nothing
    in_balance,      // its totals are ours
    out_of_balance,  // they are not
    refused,         // it did not compare, or did not take the message
};
std::string_view balance_claim_name(BalanceClaim claim);  // "out_of_balance"

// What is to be believed.
enum class TotalsResult {
    in_balance,      // all it says is what we have, and nothing of ours is missing
    out_of_balance,  // one of its totals differs, or it says so
    unconfirmed,     // it was taken, but its totals are not there to compare
    refused,
};
std::string_view totals_result_name(TotalsResult result);  // "unconfirmed"

struct TotalsVerdict {
    TotalsResult result = TotalsResult::unconfirmed;
    std::vector<std::string> differing;  // names of totals of which it has another value than we
};
// Its numbers count more than its words: nobody is in balance by claiming to be. A total that it
// leaves out agrees with a zero and proves nothing of anything else.
TotalsVerdict judge(Totals const& ours, SaidTotals const& theirs, BalanceClaim claim);

}  // namespace florin::connectors
