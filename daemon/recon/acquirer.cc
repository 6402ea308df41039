// Acquirers' lines against attempts. Each match is one command: the money from receivable to
// clearing, the line explained, the attempt no longer expected, the payout reference grown.
#include "daemon/flow/evidence.h"
#include "daemon/flow/identity.h"
#include "daemon/flow/payments.h"
#include "daemon/log/log.h"
#include "daemon/model/chart.h"
#include "daemon/recon/reconciliation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace florin::recon {
namespace {

namespace asio = boost::asio;
using flow::Change;
using model::Kind;

// An attempt and its line may be booked on neighbouring business dates, over a weekend or so.
constexpr std::int64_t kReportWindowDays = 3;

bool is_payment(model::StatementLineDocument const& line) {
    return line.type == "capture" || line.type == "refund";
}

std::int64_t size_of(std::int64_t amount) {
    return amount < 0 ? -amount : amount;
}

}  // namespace

Result<std::vector<Reconciliation::Expected>> Reconciliation::expected_lines(
    std::string const& connector
) const {
    auto const& reader = parts_.ledger.documents();
    std::vector<Expected> found;
    auto const add = [&](std::string const&, auto line) -> Result<bool> {
        FLORIN_TRY(
            auto attempt,
            flow::load_known<model::Attempt>(reader, line.value.owner, line.value.attempt)
        );
        found.push_back({std::move(line.value), line.version, std::move(attempt.value), false});
        return true;
    };
    FLORIN_TRY_VOID(flow::each_of<model::ExpectedLine>(
        reader, model::connector_owner(connector, parts_.mode), {}, add
    ));
    return found;
}

Reconciliation::Expected* Reconciliation::by_reference(
    std::vector<Expected>& expected, Line const& line
) const {
    auto const& value = line.value();
    if (value.rrn.empty() || value.stan.empty()) {
        return nullptr;
    }
    auto const found = std::ranges::find_if(expected, [&](Expected const& each) {
        return !each.is_taken && each.line.operation == value.type && each.attempt.stan != 0 &&
               flow::retrieval_reference(each.attempt) == value.rrn &&
               flow::stan_text(each.attempt) == value.stan;
    });
    return found == expected.end() ? nullptr : &*found;
}

// Where exactly one attempt fits. A line that has a reference of its own, only not one of ours,
// must at least agree on the authorisation code.
Reconciliation::Expected* Reconciliation::by_amount_and_date(
    std::vector<Expected>& expected, Line const& line
) const {
    auto const& value = line.value();
    auto const day = day_number(value.booking_date);
    Expected* candidate = nullptr;
    for (Expected& each : expected) {
        std::string const& code = each.attempt.authorization_code;
        bool const has_codes = !code.empty() && !value.authorization_code.empty();
        if (each.is_taken || each.line.operation != value.type ||
            each.line.currency != value.currency || each.line.amount != size_of(value.amount) ||
            (has_codes ? code != value.authorization_code : !value.rrn.empty()) || !day ||
            size_of(each.line.created / kDay - *day) > kReportWindowDays) {
            continue;
        }
        if (candidate != nullptr) {
            return nullptr;
        }
        candidate = &each;
    }
    return candidate;
}

asio::awaitable<Result<void>> Reconciliation::run_acquirer(
    Acquirer acquirer, RunReport& report, Found& found
) {
    std::string const owner = model::statement_owner("acquirer", acquirer.name, parts_.mode);
    FLORIN_CO_TRY(auto lines, unmatched_lines(owner));
    FLORIN_CO_TRY(auto expected, expected_lines(acquirer.connector));
    report.acquirer.lines += static_cast<std::int64_t>(lines.size());
    std::vector<Line*> left;
    for (Line& line : lines) {
        Expected* const match = is_payment(line.value()) ? by_reference(expected, line) : nullptr;
        if (match == nullptr) {
            left.push_back(&line);
            continue;
        }
        bool const agrees = match->line.currency == line.value().currency &&
                            match->line.amount == size_of(line.value().amount);
        if (!agrees) {
            match->is_taken = true;  // this line is about it, so no other one is
            note_break(
                found,
                "amount_mismatch",
                line,
                fmt::format(
                    "the report says {} {}, attempt {} was for {} {} (minor units)",
                    size_of(line.value().amount),
                    line.value().currency,
                    match->line.attempt,
                    match->line.amount,
                    match->line.currency
                )
            );
            continue;
        }
        FLORIN_CO_TRY_VOID(
            co_await match_transaction(acquirer, line, *match, "reference", report, found)
        );
    }
    for (Line* const line : left) {
        if (!is_payment(line->value())) {
            FLORIN_CO_TRY(bool const matched, co_await match_other(acquirer, *line));
            if (matched) {
                count(report.acquirer, "reference", 1);
            } else {
                note_break(
                    found,
                    "line_without_attempt",
                    *line,
                    "the report has a " + line->value().type +
                        " for a payment that was never "
                        "reported"
                );
            }
            continue;
        }
        FLORIN_CO_TRY(
            auto const reported,
            flow::load<model::ReportedTransaction>(
                parts_.ledger.documents(),
                model::connector_owner(acquirer.connector, parts_.mode),
                model::reported_id(line->value().type, line->value().rrn, line->value().stan)
            )
        );
        if (reported && !line->value().rrn.empty()) {
            note_break(
                found,
                "duplicate_line",
                *line,
                "attempt " + reported->value.attempt + " was reported before, by " +
                    reported->value.line
            );
            continue;
        }
        FLORIN_CO_TRY(auto given_up, given_up_attempt(acquirer, *line));
        if (given_up) {
            FLORIN_CO_TRY_VOID(
                co_await match_given_up(acquirer, *line, std::move(*given_up), report)
            );
            continue;
        }
        Expected* const match = by_amount_and_date(expected, *line);
        if (match != nullptr) {
            FLORIN_CO_TRY_VOID(
                co_await match_transaction(acquirer, *line, *match, "amount_date", report, found)
            );
            continue;
        }
        note_break(
            found,
            "line_without_attempt",
            *line,
            "the report has a " + line->value().type + " that we know no attempt for"
        );
    }
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Reconciliation::match_transaction(
    Acquirer acquirer,
    Line& line,
    Expected& expected,
    std::string_view by,
    RunReport& report,
    Found& found
) {
    expected.is_taken = true;
    model::Attempt const& attempt = expected.attempt;
    if (attempt.closed == 0) {
        model::Evidence evidence{
            .source = "report_line",
            .outcome = "approved",
            .code = {},
            .amount = attempt.amount,
            .time_ms = parts_.ids.now_ms(),
            .reference = line.subject(),
        };
        FLORIN_CO_TRY_VOID(
            co_await parts_.take_evidence(expected.line.owner, attempt.id, std::move(evidence))
        );
        FLORIN_CO_TRY(
            auto const after,
            flow::load_known<model::Attempt>(
                parts_.ledger.documents(), expected.line.owner, attempt.id
            )
        );
        if (after.value.state != "approved") {
            note_break(
                found,
                "outcome_conflict",
                line,
                "the report has attempt " + attempt.id +
                    ", but what is known of it as a whole says " + after.value.state
            );
            co_return Result<void>{};
        }
        report.unknowns_resolved.push_back(
            {.attempt = attempt.id,
             .operation = attempt.operation,
             .payment_intent = attempt.payment_intent,
             .outcome = "approved",
             .line = line.id}
        );
        log::info("recon.unknown_resolved", {{"attempt", attempt.id}, {"line", line.id}});
    }
    Booking booking{
        .owner = expected.line.owner, .attempt = attempt, .expected_version = expected.version
    };
    co_return co_await book(std::move(acquirer), line, std::move(booking), by, report);
}

// The same operation, by everything that the bank repeats, that we believe took nothing.
Result<std::optional<Reconciliation::Booking>> Reconciliation::given_up_attempt(
    Acquirer const& acquirer, Line const& line
) const {
    auto const& value = line.value();
    std::uint64_t stan = 0;
    std::from_chars(value.stan.data(), value.stan.data() + value.stan.size(), stan);
    if (!is_payment(value) || stan == 0 || value.transmission_time.empty()) {
        return std::nullopt;
    }
    auto const& reader = parts_.ledger.documents();
    // A line does not say over which link the payment went.
    for (std::uint32_t link = 1; link <= connectors::kLinksMax; ++link) {
        model::Attempt wanted;
        wanted.connector = acquirer.connector;
        wanted.link = link;
        wanted.transmission_time = value.transmission_time;
        wanted.stan = stan;
        auto const key = flow::given_up_key(wanted);
        FLORIN_TRY(auto const known, flow::load<model::GivenUp>(reader, key.owner, key.id));
        if (!known || model::mode_of(known->value.owner) != parts_.mode) {
            continue;
        }
        FLORIN_TRY(
            auto attempt,
            flow::load_known<model::Attempt>(reader, known->value.owner, known->value.attempt)
        );
        attempt.value.stan = stan;
        // A capture may be of an authorisation that took nothing.
        bool const is_refund = attempt.value.operation == "refund";
        bool const is_it = attempt.value.state != "approved" &&
                           is_refund == (value.type == "refund") &&
                           flow::retrieval_reference(attempt.value) == value.rrn &&
                           attempt.value.currency == value.currency &&
                           attempt.value.amount == size_of(value.amount);
        if (is_it) {
            return Booking{
                .owner = known->value.owner,
                .attempt = std::move(attempt.value),
                .expected_version = 0
            };
        }
    }
    return std::nullopt;
}

// The flow gives it back at the bank; its refund is expected in a later report.
asio::awaitable<Result<void>> Reconciliation::match_given_up(
    Acquirer acquirer, Line& line, Booking booking, RunReport& report
) {
    model::Evidence evidence{
        .source = "report_line",
        .outcome = "approved",
        .code = {},
        .amount = booking.attempt.amount,
        .time_ms = parts_.ids.now_ms(),
        .reference = line.subject(),
    };
    FLORIN_CO_TRY_VOID(
        co_await parts_.take_evidence(booking.owner, booking.attempt.id, std::move(evidence))
    );
    log::warn("recon.given_up_reported", {{"attempt", booking.attempt.id}, {"line", line.id}});
    co_return co_await book(std::move(acquirer), line, std::move(booking), "reference", report);
}

asio::awaitable<Result<void>> Reconciliation::book(
    Acquirer acquirer, Line& line, Booking booking, std::string_view by, RunReport& report
) {
    model::Attempt const& attempt = booking.attempt;
    auto const& value = line.value();
    model::Book const book{currency_of(value.currency), parts_.mode};
    std::string const subject = line.subject();
    std::int64_t const amount = size_of(value.amount);
    model::ReportedLine const reported{
        .line = subject,
        .connector = acquirer.connector,
        .reference = value.reference,
        .amount = amount,
        .fee = value.fee,
    };
    bool const is_credit = value.type == "capture";
    std::string const owner = model::connector_owner(acquirer.connector, parts_.mode);
    Change change{owner};
    change.command.ensure_accounts =
        model::report_accounts(book, acquirer.connector, value.reference);
    change.command.transfers =
        is_credit ? model::reported_credit(book, reported) : model::reported_debit(book, reported);
    if (booking.expected_version != 0) {
        change.remove(Kind::expected_line, attempt.id, booking.expected_version);
    }
    change.put(
        model::reported_id(
            value.type, flow::retrieval_reference(attempt), flow::stan_text(attempt)
        ),
        model::ReportedTransaction{
            .owner = booking.owner,
            .attempt = attempt.id,
            .line = line.id,
            .reference = value.reference,
            .amount = amount,
        },
        0
    );
    FLORIN_CO_TRY_VOID(
        add_to_reference(change, acquirer, line, (is_credit ? amount : -amount) - value.fee)
    );
    explain(change, line, by, attempt.id);
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), subject));
    count(report.acquirer, by, 1);
    co_return Result<void>{};
}

asio::awaitable<Result<bool>> Reconciliation::match_other(Acquirer acquirer, Line& line) {
    auto const& value = line.value();
    model::Book const book{currency_of(value.currency), parts_.mode};
    std::string const subject = line.subject();
    std::string const owner = model::connector_owner(acquirer.connector, parts_.mode);
    model::ReportedLine const reported{
        .line = subject,
        .connector = acquirer.connector,
        .reference = value.reference,
        .amount = size_of(value.amount),
        .fee = value.fee,
    };
    Change change{owner};
    change.command.ensure_accounts =
        model::report_accounts(book, acquirer.connector, value.reference);
    std::string what = "a fee";
    if (value.type == "fee") {
        change.command.transfers = model::reported_fee(book, reported);
    } else {
        FLORIN_CO_TRY(
            auto const capture,
            flow::load<model::ReportedTransaction>(
                parts_.ledger.documents(),
                owner,
                model::reported_id("capture", value.rrn, value.stan)
            )
        );
        if (!capture) {
            co_return false;
        }
        what = capture->value.attempt;
        change.command.transfers = model::reported_debit(book, reported);
        // The payer's bank has the money back; whether the merchant pays for it is still to be
        // decided, so somebody has to look at it.
        std::string const id = model::break_id("chargeback", subject);
        change.put_for(
            platform(),
            id,
            model::Break{
                .id = id,
                .type = "chargeback",
                .state = "open",
                .assignee = "disputes",
                .account = acquirer.connector,
                .currency = value.currency,
                .amount = value.amount,
                .line = subject,
                .attempt = what,
                .reference = value.reference,
                .explanation = "the payer's bank took a payment back",
                .opened = parts_.ids.now_s(),
                .resolved = 0,
            },
            0
        );
    }
    FLORIN_CO_TRY_VOID(add_to_reference(change, acquirer, line, value.amount - value.fee));
    explain(change, line, "reference", std::move(what));
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), subject));
    co_return true;
}

Result<void> Reconciliation::add_to_reference(
    Change& change, Acquirer const& acquirer, Line const& line, std::int64_t net
) const {
    auto const& value = line.value();
    std::string const owner = model::connector_owner(acquirer.connector, parts_.mode);
    FLORIN_TRY(
        auto const known,
        flow::load<model::PayoutReference>(parts_.ledger.documents(), owner, value.reference)
    );
    flow::Stored<model::PayoutReference> reference;
    if (known) {
        reference = *known;
    } else {
        reference.value.reference = value.reference;
        reference.value.connector = acquirer.connector;
        reference.value.currency = value.currency;
        reference.value.business_date = value.booking_date;
    }
    if (reference.value.currency != value.currency) {
        return fail(
            Errc::conflict,
            fmt::format(
                "{}: payout reference {} is in {}, the line in {}",
                line.subject(),
                value.reference,
                reference.value.currency,
                value.currency
            )
        );
    }
    reference.value.net += net;
    ++reference.value.lines;
    change.put_for(owner, value.reference, reference.value, reference.version);
    return {};
}

}  // namespace florin::recon
