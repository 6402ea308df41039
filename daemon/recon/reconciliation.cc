// A run, and what its parts have in common.
#include "daemon/recon/reconciliation.h"

#include "ledger/base/check.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

namespace florin::recon {
namespace {

namespace asio = boost::asio;
using flow::Change;
using model::Kind;
using model::StatementDocument;
using model::StatementLineDocument;

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

Currency Reconciliation::currency_of(std::string const& code) const {
    auto const currency = Currency::from_alphabetic(code);
    FLORIN_CHECK(currency.has_value(), "a stored line's currency is known");
    return *currency;
}

Result<std::vector<StatementDocument>> Reconciliation::statements(
    std::string_view level, std::string_view account
) const {
    std::vector<StatementDocument> found;
    auto const add = [&](std::string const&, auto statement) -> Result<bool> {
        if (statement.value.state == "complete") {
            found.push_back(std::move(statement.value));
        }
        return true;
    };
    FLORIN_TRY_VOID(flow::each_of<StatementDocument>(
        parts_.ledger.documents(), model::statement_owner(level, account, parts_.mode), {}, add
    ));
    return found;
}

// Of complete statements only.
Result<std::vector<Reconciliation::Line>> Reconciliation::unmatched_lines(std::string const& owner
) const {
    auto const& reader = parts_.ledger.documents();
    std::vector<Line> found;
    std::map<std::string, bool> is_complete;
    auto const add = [&](std::string const& id, auto const& unmatched) -> Result<bool> {
        FLORIN_TRY(auto line, flow::load_known<StatementLineDocument>(reader, owner, id));
        std::string const& statement = line.value.statement;
        if (!is_complete.contains(statement)) {
            FLORIN_TRY(
                auto const head, flow::load_known<StatementDocument>(reader, owner, statement)
            );
            is_complete[statement] = head.value.state == "complete";
        }
        if (is_complete[statement]) {
            found.push_back({owner, id, std::move(line), unmatched.version});
        }
        return true;
    };
    FLORIN_TRY_VOID(flow::each_of<model::UnmatchedLine>(reader, owner, {}, add));
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

void Reconciliation::count(LevelReport& level, std::string_view by, std::size_t lines) {
    level.matched += static_cast<std::int64_t>(lines);
    level.matched_by[std::string{by}] += static_cast<std::int64_t>(lines);
    progress_ += lines;
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
