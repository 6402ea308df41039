// Statements come in: whole, once, only those of our accounts, and with who brought them.
#include "connectors/iso20022/iban.h"
#include "daemon/api/redact.h"
#include "daemon/log/log.h"
#include "daemon/recon/digest.h"
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
constexpr std::int64_t kLinesMax = 999'999'999;  // nine digits: statement_line_id
// Lines that one command removes.
constexpr std::size_t kRemovesAtOnce = 200;

bool is_plain(std::string const& text) {
    return !text.empty() && text.size() <= kIdMax &&
           std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

bool is_digest(std::string_view text) {
    return text.size() == 64 &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The member that holds a card number or a secret key; empty: none. Only masked numbers have a
// place here: what is stored is shown in breaks, and stays for ever.
std::string_view secret_in(StatementDocument const& statement) {
    std::pair<std::string_view, std::string const*> const members[] = {
        {"id", &statement.id},
        {"currency", &statement.currency},
        {"file", &statement.file},
        {"opening", &statement.opening},
        {"closing", &statement.closing},
    };
    for (auto const& [name, text] : members) {
        if (api::holds_secret(*text)) {
            return name;
        }
    }
    return {};
}

std::string_view secret_in(StatementLineDocument const& line) {
    std::pair<std::string_view, std::string const*> const members[] = {
        {"type", &line.type},
        {"reference", &line.reference},
        {"value_date", &line.value_date},
        {"stan", &line.stan},
        {"rrn", &line.rrn},
        {"authorization_code", &line.authorization_code},
        {"transmission_time", &line.transmission_time},
        {"masked_pan", &line.masked_pan},
        {"terminal_id", &line.terminal_id},
        {"bank_reference", &line.bank_reference},
        {"entry_reference", &line.entry_reference},
        {"counterparty_name", &line.counterparty_name},
        {"remittance", &line.remittance},
    };
    for (auto const& [name, text] : members) {
        if (api::holds_secret(*text)) {
            return name;
        }
    }
    // Digits of a sound IBAN are an account's.
    bool const is_account = connectors::iso20022::is_iban(line.counterparty_account);
    return !is_account && api::holds_secret(line.counterparty_account) ? "counterparty_account"
                                                                       : std::string_view{};
}

}  // namespace

void Reconciliation::log_import(
    std::string_view event, StatementDocument const& statement, Importer const& by
) const {
    log::info(
        event,
        {{"statement", statement.id},
         {"level", statement.level},
         {"account", statement.account},
         {"mode", model::mode_name(parts_.mode)},
         {"digest", statement.digest},
         {"lines", statement.lines},
         {"begun_by", statement.imported_by},
         {"begun_by_key", statement.imported_key},
         {"by", by.name},
         {"by_key", by.key_id}}
    );
}

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

asio::awaitable<Result<StatementDocument>> Reconciliation::begin_import(
    StatementDocument statement, Importer by
) {
    if (!is_plain(statement.id) || !is_plain(statement.account) || !is_digest(statement.digest)) {
        co_return fail(Errc::malformed, "a statement has an id, an account and a digest");
    }
    if (auto const member = secret_in(statement); !member.empty()) {
        co_return fail(
            Errc::malformed,
            fmt::format("statement: {} holds what looks like a card number or a secret key", member)
        );
    }
    if (statement.lines < 0 || statement.lines > kLinesMax) {
        co_return fail(Errc::malformed, "statement " + statement.id + ": too many lines");
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
    bool const is_other = known && known->value.digest != statement.digest;
    if (is_other && known->value.state == "complete") {
        co_return fail(
            Errc::conflict,
            fmt::format(
                "statement {} of account {} was imported before with other content",
                statement.id,
                statement.account
            )
        );
    }
    if (is_other) {
        // Nobody has looked at it; and nobody keeps a name busy by beginning and not ending.
        FLORIN_CO_TRY_VOID(co_await discard_import(*owner, std::move(*known), by));
    } else if (known) {
        co_return known->value;
    }
    statement.imported_by = by.name;
    statement.imported_key = by.key_id;
    statement.completed_by.clear();
    statement.completed_key.clear();
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
        if (auto const member = secret_in(line); !member.empty()) {
            co_return fail(
                Errc::malformed,
                fmt::format(
                    "statement {}: line {}: {} holds what looks like a card number or a secret "
                    "key; numbers of cards come masked",
                    statement.id,
                    line.number,
                    member
                )
            );
        }
        std::string const id = model::statement_line_id(statement.id, line.number);
        FLORIN_CO_TRY(auto const there, flow::load<StatementLineDocument>(reader, *owner, id));
        if (there) {
            continue;  // from before a crash: that it is the same is seen at the end
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

asio::awaitable<Result<void>> Reconciliation::complete_import(
    StatementDocument statement, Importer by
) {
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
    StatementDigest digest;
    for (std::int64_t number = 1; number <= known->value.lines; ++number) {
        std::string const id = model::statement_line_id(statement.id, number);
        FLORIN_CO_TRY(auto const there, flow::load<StatementLineDocument>(reader, *owner, id));
        if (!there) {
            co_return fail(
                Errc::conflict,
                fmt::format("statement {}: line {} is missing", statement.id, number)
            );
        }
        digest.add(there->value);
    }
    if (digest.finish(known->value) != known->value.digest) {
        FLORIN_CO_TRY_VOID(co_await discard_import(*owner, std::move(*known), std::move(by)));
        co_return fail(
            Errc::malformed,
            fmt::format(
                "statement {}: its digest is not that of its head and lines; what came was "
                "removed: import it again",
                statement.id
            )
        );
    }
    known->value.state = "complete";
    known->value.completed_by = by.name;
    known->value.completed_key = by.key_id;
    Change change{*owner};
    change.put(statement.id, *known);
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), "a statement"));
    log_import("recon.imported", known->value, by);
    co_return Result<void>{};
}

// The head goes last: until then the import can be taken up where this was interrupted.
asio::awaitable<Result<void>> Reconciliation::discard_import(
    std::string owner, Stored<StatementDocument> statement, Importer by
) {
    auto const& reader = parts_.ledger.documents();
    std::string const prefix = statement.value.id + "/";
    for (bool at_end = false; !at_end;) {
        Change change{owner};
        auto const remove = [&](std::string const& id, auto const& line) -> Result<bool> {
            if (!id.starts_with(prefix) || change.command.removes.size() >= 2 * kRemovesAtOnce) {
                return false;
            }
            FLORIN_TRY(auto const mark, flow::load<model::UnmatchedLine>(reader, owner, id));
            change.remove(model::Kind::statement_line, id, line.version);
            if (mark) {
                change.remove(model::Kind::unmatched_line, id, mark->version);
            }
            return true;
        };
        FLORIN_CO_TRY_VOID(flow::each_of<StatementLineDocument>(reader, owner, prefix, remove));
        at_end = change.command.removes.empty();
        if (at_end) {
            change.remove(model::Kind::statement, statement.value.id, statement.version);
        }
        FLORIN_CO_TRY_VOID(
            co_await parts_.ledger.commit(std::move(change.command), "removing a statement")
        );
    }
    log_import("recon.import_discarded", statement.value, by);
    co_return Result<void>{};
}

}  // namespace florin::recon
