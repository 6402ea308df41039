// A run, and what its parts have in common.
#include "daemon/recon/reconciliation.h"

#include "ledger/base/check.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <ctime>

namespace florin::recon {
namespace {

namespace asio = boost::asio;
using flow::Change;
using model::Kind;
using model::StatementDocument;
using model::StatementLineDocument;

constexpr std::size_t kPage = 500;

}  // namespace

std::optional<std::int64_t> day_number(std::string_view date) {
    if (date.size() != 10 || date[4] != '-' || date[7] != '-') {
        return std::nullopt;
    }
    int parts[3] = {0, 0, 0};
    std::size_t const starts[3] = {0, 5, 8};
    std::size_t const lengths[3] = {4, 2, 2};
    for (std::size_t i = 0; i < 3; ++i) {
        char const* const first = date.data() + starts[i];
        auto const [end, status] = std::from_chars(first, first + lengths[i], parts[i]);
        if (status != std::errc{} || end != first + lengths[i]) {
            return std::nullopt;
        }
    }
    std::chrono::year_month_day const day{
        std::chrono::year{parts[0]},
        std::chrono::month{static_cast<unsigned>(parts[1])},
        std::chrono::day{static_cast<unsigned>(parts[2])}
    };
    if (!day.ok()) {
        return std::nullopt;
    }
    return std::chrono::sys_days{day}.time_since_epoch().count();
}

std::string date_text(std::int64_t seconds) {
    std::time_t const time = static_cast<std::time_t>(seconds);
    std::tm utc{};
    gmtime_r(&time, &utc);
    char text[16];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &utc)};
}

Currency Reconciliation::currency_of(std::string const& code) const {
    auto const currency = Currency::from_alphabetic(code);
    FLORIN_CHECK(currency.has_value(), "a stored line's currency is known");
    return *currency;
}

Result<std::vector<StatementDocument>> Reconciliation::statements(
    std::string_view level, std::string_view account
) const {
    std::string const owner = model::statement_owner(level, account, parts_.mode);
    std::vector<StatementDocument> found;
    std::string after;
    for (bool at_end = false; !at_end;) {
        FLORIN_TRY(
            auto const page,
            parts_.ledger.documents().list(
                {.kind = static_cast<std::uint16_t>(Kind::statement),
                 .owner = owner,
                 .after = after,
                 .newest_first = false,
                 .limit = kPage}
            )
        );
        at_end = page.size() < kPage;
        for (ledger::Document const& document : page) {
            after = document.key.id;
            FLORIN_TRY(
                auto statement, model::from_text<StatementDocument>(document.body.value_or(""))
            );
            if (statement.state == "complete") {
                found.push_back(std::move(statement));
            }
        }
    }
    return found;
}

// Of complete statements only.
Result<std::vector<Reconciliation::Line>> Reconciliation::unmatched_lines(std::string const& owner
) const {
    auto const& reader = parts_.ledger.documents();
    std::vector<Line> found;
    std::map<std::string, bool> is_complete;
    std::string after;
    for (bool at_end = false; !at_end;) {
        FLORIN_TRY(
            auto const page,
            reader.list(
                {.kind = static_cast<std::uint16_t>(Kind::unmatched_line),
                 .owner = owner,
                 .after = after,
                 .newest_first = false,
                 .limit = kPage}
            )
        );
        at_end = page.size() < kPage;
        for (ledger::Document const& document : page) {
            after = document.key.id;
            FLORIN_TRY(auto line, flow::load_known<StatementLineDocument>(reader, owner, after));
            std::string const& statement = line.value.statement;
            if (!is_complete.contains(statement)) {
                FLORIN_TRY(
                    auto const head, flow::load_known<StatementDocument>(reader, owner, statement)
                );
                is_complete[statement] = head.value.state == "complete";
            }
            if (is_complete[statement]) {
                found.push_back({owner, after, std::move(line), document.version});
            }
        }
    }
    return found;
}

void Reconciliation::explain(Change& change, Line& line, std::string_view by, std::string what)
    const {
    line.document.value.matched_by = by;
    line.document.value.matched = std::move(what);
    line.document.value.matched_at = parts_.ids.now_s();
    change.put_for(line.owner, line.id, line.document.value, line.document.version);
    change.remove_for(line.owner, Kind::unmatched_line, line.id, line.unmatched_version);
}

asio::awaitable<Result<void>> Reconciliation::commit(Change change, std::string_view what) {
    auto const receipt = co_await parts_.ledger.submit_command(std::move(change.command));
    if (!receipt) {
        co_return std::unexpected{receipt.error()};
    }
    if (!receipt->committed()) {
        co_return fail(
            Errc::conflict,
            fmt::format(
                "{}: {}, {}",
                what,
                status_name(receipt->status),
                ledger::status_name(receipt->transfer_status)
            )
        );
    }
    co_return Result<void>{};
}

asio::awaitable<Result<RunReport>> Reconciliation::run() {
    if (running_.exchange(true)) {
        co_return fail(Errc::conflict, "a reconciliation is under way");
    }
    struct Release {
        std::atomic<bool>& flag;
        ~Release() { flag = false; }
    };
    Release const release{running_};
    progress_ = 0;
    RunReport report;
    Found found;
    for (Acquirer const& acquirer : parts_.acquirers) {
        FLORIN_CO_TRY_VOID(co_await run_acquirer(acquirer, report, found));
        FLORIN_CO_TRY_VOID(find_missing(acquirer, found));
    }
    for (BankAccount const& account : parts_.bank_accounts) {
        FLORIN_CO_TRY_VOID(co_await run_bank(account, report, found));
    }
    FLORIN_CO_TRY_VOID(find_missing_at_bank(found));
    FLORIN_CO_TRY(report.breaks_open, co_await store_breaks(std::move(found)));
    co_return report;
}

}  // namespace florin::recon
