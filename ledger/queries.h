// Reads: look-ups, statements of transfers and balances, queries. From the applied state only.
// Thread rule: the ledger thread only.
#pragma once

#include "ledger/books.h"
#include "ledger/command.h"

namespace florin::ledger {

class Queries {
public:
    explicit Queries(Books& books) : books_{books} {}

    Result<AccountsAnswer> run(LookupAccounts const& request);
    Result<TransfersAnswer> run(LookupTransfers const& request);
    Result<TransfersAnswer> run(GetAccountTransfers const& request);
    Result<BalancesAnswer> run(GetAccountBalances const& request);
    Result<AccountsAnswer> run(QueryAccounts const& request);
    Result<TransfersAnswer> run(QueryTransfers const& request);

private:
    struct Line {
        Transfer transfer;
        AccountBalance after;
    };
    // Every transfer of an account that passes the filter, in the asked order, up to the limit.
    Result<std::vector<Line>> account_lines(AccountFilter const& filter, bool with_balances);
    Result<std::vector<HistoryEntry>> history_of(u128 account_id);

    Books& books_;
};

// Every account there is, as applied, in order of creation; for reports and queries.
Result<void> each_account(
    Books& books, std::function<Result<bool>(Account const& account)> const& visit
);

}  // namespace florin::ledger
