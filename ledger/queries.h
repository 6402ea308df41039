// Reads: look-ups, statements of transfers and balances, queries. From the applied state only.
// Thread rule: the ledger thread only.
#pragma once

#include "ledger/books.h"
#include "ledger/command.h"
#include "ledger/run_builder.h"

namespace florin::ledger {

// A movement of an account as its statement tells it.
struct StatementLine {
    BalanceChange change;
    std::optional<Transfer> transfer;  // nullopt: an expiry, which has none
    Balances after;
};

// Which accounts, by the time of their creation, both ends included.
struct AccountTimes {
    std::uint64_t from = 0;
    std::uint64_t to = ~std::uint64_t{0};
    bool newest_first = false;
};

class Queries {
public:
    explicit Queries(Books& books) : books_{books} {}

    // The kernel's own.
    Result<AccountsAnswer> run(LookupAccounts const& request);
    Result<TransfersAnswer> run(LookupTransfers const& request);
    Result<TransfersAnswer> run(GetAccountTransfers const& request);
    Result<BalancesAnswer> run(GetAccountBalances const& request);
    Result<AccountsAnswer> run(QueryAccounts const& request);
    Result<TransfersAnswer> run(QueryTransfers const& request);

    // Of every account, whether or not it has the history flag. Nanoseconds since 1970.
    // nullopt: there was no such account at that time.
    Result<std::optional<AccountBalance>> balance_at(u128 account_id, std::uint64_t timestamp);
    // What happened from `from` to `to`, both included, oldest first, until the visitor answers
    // false. The opening balance is balance_at(from - 1), the closing one balance_at(to).
    Result<void> statement(
        u128 account_id,
        std::uint64_t from,
        std::uint64_t to,
        std::function<Result<bool>(StatementLine const& line)> const& visit
    );
    // Every account that there was at that time, with its balances then, in order of creation,
    // until the visitor answers false. Whether it was closed then is not told: flags are those of
    // now.
    Result<void> accounts_at(
        std::uint64_t timestamp, std::function<Result<bool>(Account const& account)> const& visit
    );

    struct Wanted {
        IndexedField field;
        u128 value;
    };

private:
    struct Line {
        Transfer transfer;  // only where it was asked for
        std::uint64_t timestamp;
        Balances after;
    };
    // Every transfer of an account that passes the filter, in the asked order, up to the limit.
    Result<std::vector<Line>> account_lines(AccountFilter const& filter, bool with_balances);
    Result<void> visit_accounts_by(
        Wanted const& wanted,
        QueryFilter const& filter,
        AccountTimes times,
        std::function<Result<bool>(u128 id)> const& visit
    );
    Result<void> visit_transfers_by(
        Wanted const& wanted,
        QueryFilter const& filter,
        std::function<Result<bool>(Transfer const& transfer)> const& visit
    );
    Result<void> visit_records(
        QueryFilter const& filter,
        std::function<Result<bool>(Transfer const& transfer)> const& visit
    );

    Books& books_;
};

// Ids of durable accounts in order of creation, or against it, until the visitor answers false.
Result<void> visit_account_ids(
    Books& books, AccountTimes const& times, std::function<Result<bool>(u128 id)> const& visit
);
// Accounts from this timestamp on are in memory, whatever the store has.
std::uint64_t first_unsaved_account(Books const& books);

// Every account there is, as applied, in order of creation; for reports.
Result<void> each_account(
    Books& books, std::function<Result<bool>(Account const& account)> const& visit
);

}  // namespace florin::ledger
