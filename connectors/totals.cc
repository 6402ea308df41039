#include "connectors/totals.h"

namespace florin::connectors {

std::span<TotalName const> total_names() {
    static constexpr TotalName kNames[] = {
        {"credits_number", 74, &Totals::credits_number},
        {"credits_reversal_number", 75, &Totals::credits_reversal_number},
        {"debits_number", 76, &Totals::debits_number},
        {"debits_reversal_number", 77, &Totals::debits_reversal_number},
        {"credits_amount", 86, &Totals::credits_amount},
        {"credits_reversal_amount", 87, &Totals::credits_reversal_amount},
        {"debits_amount", 88, &Totals::debits_amount},
        {"debits_reversal_amount", 89, &Totals::debits_reversal_amount},
    };
    return kNames;
}

SaidTotals said(Totals const& totals) {
    SaidTotals all;
    for (TotalName const& each : total_names()) {
        all.emplace(each.name, totals.*each.member);
    }
    all.emplace(kNetTotal, totals.net());
    return all;
}

std::string_view balance_claim_name(BalanceClaim claim) {
    switch (claim) {
        case BalanceClaim::none: return "none";
        case BalanceClaim::in_balance: return "in_balance";
        case BalanceClaim::out_of_balance: return "out_of_balance";
        case BalanceClaim::refused: return "refused";
    }
    return "none";
}

std::string_view totals_result_name(TotalsResult result) {
    switch (result) {
        case TotalsResult::in_balance: return "in_balance";
        case TotalsResult::out_of_balance: return "out_of_balance";
        case TotalsResult::unconfirmed: return "unconfirmed";
        case TotalsResult::refused: return "refused";
    }
    return "unconfirmed";
}

TotalsVerdict judge(Totals const& ours, SaidTotals const& theirs, BalanceClaim claim) {
    TotalsVerdict verdict;
    if (claim == BalanceClaim::refused) {
        verdict.result = TotalsResult::refused;
        return verdict;
    }
    bool is_missing = theirs.empty();
    for (auto const& [name, value] : said(ours)) {
        auto const found = theirs.find(name);
        if (found == theirs.end()) {
            is_missing = is_missing || value != 0;
        } else if (found->second != value) {
            verdict.differing.push_back(name);
        }
    }
    if (!verdict.differing.empty() || claim == BalanceClaim::out_of_balance) {
        verdict.result = TotalsResult::out_of_balance;
    } else if (!is_missing) {
        verdict.result = TotalsResult::in_balance;
    }
    return verdict;
}

}  // namespace florin::connectors
