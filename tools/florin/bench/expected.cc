#include "tools/florin/bench/expected.h"

#include <algorithm>

namespace florin::tools {
namespace {

Result<void> check_balances(Lookup& lookup, Load const& load) {
    auto const& expected = load.sums();
    for (std::size_t first = 0; first < expected.size(); first += ledger::kBatchEventsMax) {
        std::vector<u128> ids;
        std::size_t const end = std::min(expected.size(), first + ledger::kBatchEventsMax);
        for (std::size_t i = first; i < end; ++i) {
            ids.push_back(i + 1);
        }
        FLORIN_TRY(auto const accounts, lookup.accounts(ids));
        if (accounts.size() != end - first) {
            return fail(Errc::corrupt, "accounts are missing");
        }
        for (std::size_t i = 0; i < accounts.size(); ++i) {
            auto const& sums = expected[first + i];
            auto const& account = accounts[i];
            if (account.debits_pending != sums.debits_pending ||
                account.debits_posted != sums.debits_posted ||
                account.credits_pending != sums.credits_pending ||
                account.credits_posted != sums.credits_posted) {
                return fail(
                    Errc::corrupt,
                    "account " + to_string(account.id) + " does not hold what was sent"
                );
            }
        }
    }
    return {};
}

}  // namespace

Result<void> check_expected(Lookup& lookup, Load const& load) {
    FLORIN_TRY_VOID(check_balances(lookup, load));
    std::vector<u128> ids;
    for (auto const& sample : load.samples()) {
        ids.push_back(sample.id);
    }
    FLORIN_TRY(auto const found, lookup.transfers(ids));
    if (found.size() != ids.size()) {
        return fail(Errc::corrupt, "transfers are missing");
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
        auto expected = load.samples()[i];
        expected.timestamp = found[i].timestamp;
        if (found[i] != expected) {
            return fail(Errc::corrupt, "transfer " + to_string(found[i].id) + " differs");
        }
    }
    return {};
}

}  // namespace florin::tools
