// What is left after matching: differences, each with a type, an age and somebody whose it is.
//
//   line_without_attempt  an acquirer reports what we never sent
//   duplicate_line        an acquirer reports the same transaction twice
//   amount_mismatch       both know it, with different amounts
//   outcome_conflict      an acquirer reports what somebody decided has not happened
//   missing_in_report     we have it, the acquirer's complete report of that day does not
//   unknown_outcome       the same, and we do not know ourselves what became of it
//   bank_line_unknown     the bank shows what nobody announced
//   net_mismatch          the bank shows another amount than was announced
//   missing_at_bank       announced, and not on the bank's statement of that day or a later one
//   chargeback            the payer's bank took a payment back: made by the match, closed by people
#include "daemon/recon/reconciliation.h"
#include "ledger/base/calendar.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace florin::recon {
namespace {

namespace asio = boost::asio;
using flow::Change;
using model::Break;
using model::Kind;

// A payout that was handed over shows on the bank's statement at the latest so many days later.
constexpr std::int64_t kPayoutDays = 2;
constexpr char const* kAssignee = "finance";

// Whether the complete reports should have what was done then. A report of the same day has only
// what happened before it was made, which was at the latest in the second when it came in.
bool is_covered(std::vector<model::StatementDocument> const& reports, std::int64_t time_s) {
    return std::ranges::any_of(reports, [&](model::StatementDocument const& report) {
        auto const day = day_number(report.date);
        return day &&
               (time_s / kDay < *day || (time_s / kDay == *day && time_s <= report.imported));
    });
}

// The last day that complete statements cover; nullopt: there is none.
std::optional<std::int64_t> last_day(
    std::vector<model::StatementDocument> const& statements, std::string_view currency = {}
) {
    std::optional<std::int64_t> last;
    for (auto const& statement : statements) {
        if (currency.empty() || statement.currency.empty() || statement.currency == currency) {
            last = std::max(last, day_number(statement.date));
        }
    }
    return last;
}

Break make_break(std::string type, std::string_view subject) {
    Break made;
    made.id = model::break_id(type, subject);
    made.type = std::move(type);
    made.state = "open";
    made.assignee = kAssignee;
    return made;
}

}  // namespace

void Reconciliation::note_break(
    Found& found, std::string type, Line const& line, std::string explanation
) const {
    Break made = make_break(std::move(type), line.subject());
    made.account = line.value().account;
    made.currency = line.value().currency;
    made.amount = line.value().amount;
    made.line = line.subject();
    made.reference = line.value().reference;
    made.explanation = std::move(explanation);
    found.emplace(made.id, made);
}

Result<void> Reconciliation::find_missing(Acquirer const& acquirer, Found& found) const {
    FLORIN_TRY(auto const reports, statements("acquirer", acquirer.name));
    auto const covered = last_day(reports);
    FLORIN_TRY(auto const expected, expected_lines(acquirer.connector));
    for (Expected const& each : expected) {
        model::Attempt const& attempt = each.attempt;
        bool const is_open = attempt.closed == 0;
        if (!covered || !is_covered(reports, is_open ? attempt.created : attempt.closed)) {
            continue;
        }
        Break made = make_break(is_open ? "unknown_outcome" : "missing_in_report", attempt.id);
        made.account = acquirer.connector;
        made.currency = attempt.currency;
        made.amount = attempt.operation == "refund" ? -attempt.amount : attempt.amount;
        made.attempt = attempt.id;
        made.explanation =
            is_open ? fmt::format(
                          "a {} whose outcome is unknown; the acquirer's reports up to {} do not "
                          "have it",
                          attempt.operation,
                          utc_date(*covered * kDay)
                      )
                    : fmt::format(
                          "a {} that the bank acknowledged; the acquirer's reports up to {} do "
                          "not have it",
                          attempt.operation,
                          utc_date(*covered * kDay)
                      );
        found.emplace(made.id, made);
    }
    return {};
}

Result<void> Reconciliation::find_missing_at_bank(Found& found) const {
    std::vector<model::StatementDocument> all;
    for (BankAccount const& account : parts_.bank_accounts) {
        FLORIN_TRY(auto const some, statements("bank", account.iban));
        all.insert(all.end(), some.begin(), some.end());
    }
    FLORIN_TRY(auto const references, open_references());
    for (auto const& each : references) {
        auto const covered = last_day(all, each.value.currency);
        auto const day = day_number(each.value.business_date);
        // Where the bank shows another amount under the same reference, that is the break.
        bool const is_shown = std::ranges::any_of(found, [&](auto const& other) {
            return other.second.type == "net_mismatch" &&
                   other.second.reference == each.value.reference;
        });
        if (!covered || !day || *covered < *day || is_shown) {
            continue;
        }
        Break made = make_break(
            "missing_at_bank",
            model::connector_owner(each.value.connector, parts_.mode) + "/" + each.value.reference
        );
        made.account = each.value.connector;
        made.currency = each.value.currency;
        made.amount = each.value.net;
        made.reference = each.value.reference;
        made.explanation = "reported by the acquirer, and not on the bank's statement";
        found.emplace(made.id, made);
    }
    FLORIN_TRY(auto const payouts, open_payouts());
    for (auto const& each : payouts) {
        auto const covered = last_day(all, each.value.currency);
        if (each.value.state != "prepared" || !covered ||
            *covered < each.value.created / kDay + kPayoutDays) {
            continue;
        }
        Break made = make_break("missing_at_bank", each.value.id);
        made.account = each.value.merchant;
        made.currency = each.value.currency;
        made.amount = -each.value.amount;
        made.reference = each.value.id;
        made.explanation =
            "a payout of batch " + each.value.batch + " that the bank's statement does not show";
        found.emplace(made.id, made);
    }
    return {};
}

// New ones are opened; what a run no longer finds has been explained. Answers how many are open.
asio::awaitable<Result<std::int64_t>> Reconciliation::store_breaks(Found found) {
    auto const& reader = parts_.ledger.documents();
    FLORIN_CO_TRY(auto const open, breaks(false));
    std::int64_t count = 0;
    Change change{platform()};
    for (Break const& each : open) {
        bool const is_still = found.erase(each.id) > 0 || each.type == "chargeback";
        if (is_still) {
            ++count;
            continue;
        }
        FLORIN_CO_TRY(auto stored, flow::load_known<Break>(reader, platform(), each.id));
        stored.value.state = "resolved";
        stored.value.resolved = parts_.ids.now_s();
        change.put(each.id, stored);
    }
    for (auto& [id, made] : found) {
        FLORIN_CO_TRY(auto const known, flow::load<Break>(reader, platform(), id));
        made.opened = parts_.ids.now_s();
        change.put(id, made, known ? known->version : 0);
        ++count;
    }
    if (!change.command.puts.empty()) {
        FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), "breaks"));
    }
    co_return count;
}

Result<std::vector<Break>> Reconciliation::breaks(bool all) const {
    std::vector<Break> found;
    auto const add = [&](std::string const&, auto each) -> Result<bool> {
        if (all || each.value.state == "open") {
            found.push_back(std::move(each.value));
        }
        return true;
    };
    FLORIN_TRY_VOID(flow::each_of<Break>(parts_.ledger.documents(), platform(), {}, add));
    std::ranges::sort(found, {}, [](Break const& each) { return std::tie(each.opened, each.id); });
    return found;
}

}  // namespace florin::recon
