// `florin ledger statement`: what happened on one account between two moments, with its balances.
#include "ledger/base/calendar.h"
#include "ledger/reader.h"
#include "tools/florin/ledger_commands.h"
#include "tools/florin/time_argument.h"

namespace florin::tools {
namespace {

char const* name_of(ledger::ChangeKind kind) {
    switch (kind) {
        case ledger::ChangeKind::posted: return "posted";
        case ledger::ChangeKind::reserved: return "pending";
        case ledger::ChangeKind::post_pending: return "post_pending";
        case ledger::ChangeKind::void_pending: return "void_pending";
        case ledger::ChangeKind::expired: return "expired";
    }
    return "unknown";
}

// A line of balances; what moved stands before them.
void add(Table& table, std::vector<std::string> row, ledger::Balances const& balances) {
    for (u128 const amount :
         {balances.debits_pending,
          balances.debits_posted,
          balances.credits_pending,
          balances.credits_posted}) {
        row.push_back(to_string(amount));
    }
    table.add(std::move(row));
}

Result<ledger::Balances> balances_at(
    ledger::LedgerReader& reader, u128 account, std::uint64_t moment
) {
    FLORIN_TRY(auto const balance, reader.queries().balance_at(account, moment));
    ledger::Balances balances;
    if (balance) {
        balances = {
            .debits_pending = balance->debits_pending,
            .debits_posted = balance->debits_posted,
            .credits_pending = balance->credits_pending,
            .credits_posted = balance->credits_posted,
        };
    }
    return balances;
}

Result<void> statement(std::filesystem::path const& data_dir, StatementOptions const& options) {
    auto const account = parse_u128(options.account);
    if (!account) {
        return fail(Errc::malformed, "\"" + options.account + "\": expected an account's id");
    }
    FLORIN_TRY(
        std::uint64_t const from,
        parse_moment(options.from.empty() ? "0" : options.from, DayEnd::first)
    );
    FLORIN_TRY(
        std::uint64_t const to,
        options.to.empty() ? Result<std::uint64_t>{ledger::kTimestampMax}
                           : parse_moment(options.to, DayEnd::last)
    );
    FLORIN_TRY(auto const reader, ledger::LedgerReader::open(data_dir));
    FLORIN_TRY(auto const found, reader->queries().run(ledger::LookupAccounts{.ids = {*account}}));
    if (found.accounts.empty()) {
        return fail(Errc::not_found, "account " + to_string(*account) + ": there is none");
    }
    Table table{
        {"timestamp",
         "what",
         "transfer",
         "other_account",
         ">debit",
         ">credit",
         ">released",
         ">debits_pending",
         ">debits_posted",
         ">credits_pending",
         ">credits_posted"}
    };
    ledger::Balances opening;
    if (from > 0) {
        FLORIN_TRY(opening, balances_at(*reader, *account, from - 1));
    }
    add(table, {utc_moment(from), "opening", "", "", "", "", ""}, opening);
    auto const line = [&](ledger::StatementLine const& each) -> Result<bool> {
        auto const& change = each.change;
        bool const has_transfer = each.transfer.has_value();
        std::string const amount =
            change.amount == 0 && !has_transfer ? "" : to_string(change.amount);
        add(table,
            {utc_moment(change.timestamp),
             name_of(change.kind),
             has_transfer ? to_string(each.transfer->id) : "",
             has_transfer ? to_string(
                                change.credit ? each.transfer->debit_account_id
                                              : each.transfer->credit_account_id
                            )
                          : "",
             change.credit ? "" : amount,
             change.credit ? amount : "",
             change.released == 0 ? "" : to_string(change.released)},
            each.after);
        return true;
    };
    FLORIN_TRY_VOID(reader->queries().statement(*account, from, to, line));
    FLORIN_TRY(ledger::Balances const closing, balances_at(*reader, *account, to));
    add(table, {options.to.empty() ? "" : utc_moment(to), "closing", "", "", "", "", ""}, closing);
    table.print(options.format);
    return {};
}

}  // namespace

int ledger_statement(std::filesystem::path const& data_dir, StatementOptions const& options) {
    auto const done = statement(data_dir, options);
    return done ? kDone : report_error(done.error());
}

}  // namespace florin::tools
