// Statements come in: whole, once, and only those of our accounts.
#include "daemon/recon/reconciliation.h"

#include <fmt/format.h>

#include <algorithm>

namespace florin::recon {
namespace {

namespace asio = boost::asio;
using flow::Change;
using model::StatementDocument;
using model::StatementLineDocument;

constexpr std::size_t kIdMax = 200;

bool is_plain(std::string const& text) {
    return !text.empty() && text.size() <= kIdMax &&
           std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

}  // namespace

// nullopt: not an account of ours.
std::optional<std::string> Reconciliation::owner_for(StatementDocument const& statement) const {
    bool is_ours = false;
    if (statement.level == "acquirer") {
        is_ours = std::ranges::find(parts_.acquirers, statement.account, &Acquirer::name) !=
                  parts_.acquirers.end();
    } else if (statement.level == "bank") {
        is_ours = std::ranges::find(parts_.bank_accounts, statement.account, &BankAccount::iban) !=
                  parts_.bank_accounts.end();
    }
    if (!is_ours) {
        return std::nullopt;
    }
    return model::statement_owner(statement.level, statement.account, parts_.mode);
}

asio::awaitable<Result<StatementDocument>> Reconciliation::begin_import(StatementDocument statement
) {
    if (!is_plain(statement.id) || !is_plain(statement.account) || statement.digest.size() != 64) {
        co_return fail(Errc::malformed, "a statement has an id, an account and a digest");
    }
    if (!day_number(statement.date)) {
        co_return fail(Errc::malformed, "statement " + statement.id + ": its date is not a date");
    }
    auto const owner = owner_for(statement);
    if (!owner) {
        co_return fail(
            Errc::refused,
            fmt::format(
                "statement {} is of the {} account {}, which is not configured here in mode {}",
                statement.id,
                statement.level,
                statement.account,
                model::mode_name(parts_.mode)
            )
        );
    }
    FLORIN_CO_TRY(
        auto const known,
        flow::load<StatementDocument>(parts_.ledger.documents(), *owner, statement.id)
    );
    if (known && known->value.digest != statement.digest) {
        co_return fail(
            Errc::conflict,
            fmt::format(
                "statement {} of account {} was imported before with other content",
                statement.id,
                statement.account
            )
        );
    }
    if (known) {
        co_return known->value;
    }
    statement.state = "importing";
    statement.mode = model::mode_name(parts_.mode);
    statement.imported = parts_.ids.now_s();
    Change change{*owner};
    change.put(statement.id, statement, 0);
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), "a statement"));
    co_return statement;
}

asio::awaitable<Result<std::int64_t>> Reconciliation::add_lines(
    StatementDocument statement, std::vector<StatementLineDocument> lines
) {
    auto const owner = owner_for(statement);
    if (!owner) {
        co_return fail(Errc::refused, "account " + statement.account + " is not configured here");
    }
    auto const& reader = parts_.ledger.documents();
    FLORIN_CO_TRY(auto const known, flow::load<StatementDocument>(reader, *owner, statement.id));
    if (!known || known->value.digest != statement.digest || known->value.state != "importing") {
        co_return fail(Errc::conflict, "statement " + statement.id + " is not being imported");
    }
    Change change{*owner};
    std::int64_t added = 0;
    for (StatementLineDocument& line : lines) {
        if (line.number < 1 || line.number > known->value.lines ||
            !Currency::from_alphabetic(line.currency) || !day_number(line.booking_date)) {
            co_return fail(
                Errc::malformed,
                fmt::format("statement {}: line {} is not sound", statement.id, line.number)
            );
        }
        std::string const id = model::statement_line_id(statement.id, line.number);
        FLORIN_CO_TRY(auto const there, flow::load<StatementLineDocument>(reader, *owner, id));
        if (there) {
            continue;  // from before a crash: the digest says that it is the same
        }
        line.statement = statement.id;
        line.level = statement.level;
        line.account = statement.account;
        line.matched_by.clear();
        line.matched.clear();
        line.matched_at = 0;
        change.put(id, line, 0);
        change.put(id, model::UnmatchedLine{id}, 0);
        ++added;
    }
    if (added > 0) {
        FLORIN_CO_TRY_VOID(
            co_await parts_.ledger.commit(std::move(change.command), "lines of a statement")
        );
    }
    co_return added;
}

asio::awaitable<Result<void>> Reconciliation::complete_import(StatementDocument statement) {
    auto const owner = owner_for(statement);
    if (!owner) {
        co_return fail(Errc::refused, "account " + statement.account + " is not configured here");
    }
    auto const& reader = parts_.ledger.documents();
    FLORIN_CO_TRY(auto known, flow::load<StatementDocument>(reader, *owner, statement.id));
    if (!known || known->value.digest != statement.digest) {
        co_return fail(Errc::conflict, "statement " + statement.id + " is not being imported");
    }
    if (known->value.state == "complete") {
        co_return Result<void>{};
    }
    for (std::int64_t number = 1; number <= known->value.lines; ++number) {
        std::string const id = model::statement_line_id(statement.id, number);
        FLORIN_CO_TRY(auto const there, flow::load<StatementLineDocument>(reader, *owner, id));
        if (!there) {
            co_return fail(
                Errc::conflict,
                fmt::format("statement {}: line {} is missing", statement.id, number)
            );
        }
    }
    known->value.state = "complete";
    Change change{*owner};
    change.put(statement.id, *known);
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), "a statement"));
    co_return Result<void>{};
}

}  // namespace florin::recon
