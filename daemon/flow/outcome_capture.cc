// What follows from the evidence about a capture and about a refund: money is booked as taken or as
// given back, or as neither.
#include "daemon/flow/identity.h"
#include "daemon/flow/payments.h"
#include "daemon/log/log.h"
#include "daemon/model/reconciliation.h"
#include "daemon/model/settlement.h"
#include "ledger/base/check.h"

#include <algorithm>

namespace florin::flow {
namespace {

using connectors::Reply;
using model::Attempt;

// T+N: from the start of the Nth day after the capture; at once for T+0.
std::int64_t available_from(model::Merchant const& merchant, std::int64_t now_s) {
    constexpr std::int64_t kDay = 86'400;
    return merchant.availability_days == 0 ? now_s
                                           : (now_s / kDay + merchant.availability_days) * kDay;
}

}  // namespace

void Payments::captured(Case& payment, std::int64_t amount, Change& change) {
    model::PaymentIntent& intent = payment.intent.value;
    model::Charge& charge = payment.charge.value;
    charge.captured = true;
    charge.amount_captured = amount;
    charge.statement_descriptor = intent.statement_descriptor;
    charge.statement_descriptor_suffix = intent.statement_descriptor_suffix;
    charge.fee = model::fee_of(*payment.merchant, amount);
    intent.status = "succeeded";
    intent.amount_received = amount;
    intent.amount_capturable = 0;
    intent.live_attempt.clear();
    intent.captured_attempt = payment.attempt.value.id;
    std::int64_t const due = available_from(*payment.merchant, parts_.ids.now_s());
    model::BalanceTransaction row{
        .id = {},
        .source = charge.id,
        .currency = intent.currency,
        .description = charge.description,
        .amount = amount,
        .fee = charge.fee,
        .due = due,
    };
    write_row(change, parts_.ids, row);
    charge.balance_transaction = row.id;
    change.put(
        model::availability_id(intent.currency, due, row.id),
        model::Availability{
            .attempt = intent.captured_attempt,
            .currency = intent.currency,
            .gross = amount,
            .fee = charge.fee,
            .due = due,
        },
        0
    );
    payment.transaction = std::move(row);
    bool const was_held = model::is_captured_later(intent);
    announce(payment, was_held ? "charge.captured" : "charge.succeeded", change);
    announce(payment, "payment_intent.succeeded", change);
}

// The bank will not book this capture: operators say so, and nobody else can. What it authorised is
// given back, and the payment fails when the bank has acknowledged that.
void Payments::not_captured(Case& payment, Change& change, Next& next) {
    FLORIN_CHECK(payment.original.has_value(), "a capture has its authorisation");
    close_attempt(payment.attempt, "declined", change);
    remember_given_up(payment.attempt.value, change);
    std::swap(payment.attempt, *payment.original);
    start_reversal(payment, "capture_declined", change, next);
    std::swap(payment.attempt, *payment.original);
    payment.changes_original = true;
}

void Payments::outcome_of_capture(Case& payment, Verdict verdict, Change& change, Next& next) {
    Attempt& attempt = payment.attempt.value;
    if (verdict == Verdict::declined && is_decided_by_operators(attempt)) {
        not_captured(payment, change, next);
        return;
    }
    if (verdict != Verdict::approved) {
        // An advice is repeated until it is answered, whatever the bank says meanwhile.
        attempt.state = "unknown";
        payment.intent.value.status = "processing";
        set_retry(attempt, change);
        return;
    }
    std::int64_t const fee = model::fee_of(*payment.merchant, attempt.amount);
    change.post(model::capture(
        payment.book(),
        attempt.id,
        transfer_of(attempt.pending_transfer),
        payment.merchant->id,
        attempt.amount,
        fee
    ));
    captured(payment, attempt.amount, change);
    close_attempt(payment.attempt, "approved", change);
}

// A refund that no merchant asked for: of what a bank booked though it was given up. No balance of
// a merchant is touched; the money waits in suspense.
void Payments::start_stray_refund(Case& payment, Change& change, Next& next) {
    Attempt& stray = payment.attempt.value;
    auto const* const connector = connector_named(stray.connector);
    FLORIN_CHECK(connector != nullptr, "an attempt's connector is configured");
    Attempt refund = new_attempt("refund", *connector, payment.intent.value, stray.amount);
    refund.original = stray.id;
    refund.charge = stray.charge;
    refund.payment_method = stray.payment_method;
    refund.authorization_code = stray.authorization_code;
    refund.reason = "second_success";
    refund.pending_transfer = to_string(model::transfer_id(refund.id, "refund"));
    add_evidence(
        stray,
        {.source = "refund_intent",
         .outcome = "",
         .code = "",
         .amount = stray.amount,
         .time_ms = parts_.ids.now_ms(),
         .reference = refund.id}
    );
    if (payment.original) {
        // Of a capture: the bank may refuse to reverse what it authorised.
        add_evidence(payment.original->value, stray.evidence.back());
        payment.changes_original = true;
    }
    model::Book const book = payment.book();
    auto const accounts = model::suspense_accounts(book, stray.connector);
    change.command.ensure_accounts.insert(
        change.command.ensure_accounts.end(), accounts.begin(), accounts.end()
    );
    change.post(model::stray_capture(book, refund.id, stray.connector, stray.amount));
    open_attempt(change, refund, *connector);
    next.drive_attempt = refund.id;
}

// Of what a bank booked though it was given up: nobody but the books is told.
void Payments::outcome_of_stray_refund(Case& payment, Verdict verdict, Change& change) {
    Attempt& attempt = payment.attempt.value;
    u128 const pending = transfer_of(attempt.pending_transfer);
    if (verdict == Verdict::approved) {
        change.post(model::refund_confirmed(attempt.id, pending));
        close_attempt(payment.attempt, "approved", change);
    } else if (verdict == Verdict::declined) {
        // The money stays in suspense, where somebody has to look at it.
        log::error(
            "attempt.second_success_kept",
            {{"attempt", attempt.original},
             {"refund", attempt.id},
             {"payment", attempt.payment_intent},
             {"connector", attempt.connector},
             {"code", attempt.response_code}}
        );
        change.post(model::release(attempt.id, pending));
        close_attempt(payment.attempt, "declined", change);
        remember_given_up(attempt, change);
    } else {
        attempt.state = "unknown";
        set_retry(attempt, change);
    }
}

// The bank made it when it was over as failed. The merchant was told so, may have refunded again or
// in another way, and is not charged behind its back: the books say what the bank did, and persons
// what becomes of it.
Result<void> Payments::book_stray_refund(Case& payment, Change& change) const {
    Attempt& attempt = payment.attempt.value;
    model::Book const book = payment.book();
    auto const accounts = model::suspense_accounts(book, attempt.connector);
    change.command.ensure_accounts.insert(
        change.command.ensure_accounts.end(), accounts.begin(), accounts.end()
    );
    ledger::Transfer const entry =
        model::stray_refund(book, attempt.id, attempt.connector, attempt.amount);
    change.post({entry});
    // The line of this very change is booked by who brings it.
    bool const has_line =
        std::ranges::count(attempt.evidence, "report_line", &model::Evidence::source) > 0;
    add_evidence(
        attempt,
        {.source = "suspense_entry",
         .outcome = "",
         .code = "",
         .amount = attempt.amount,
         .time_ms = parts_.ids.now_ms(),
         .reference = to_string(entry.id)}
    );
    FLORIN_TRY(
        auto const expected,
        load<model::ExpectedLine>(
            parts_.ledger.documents(),
            model::connector_owner(attempt.connector, model::mode_of(payment.owner)),
            attempt.id
        )
    );
    if (attempt.stan != 0 && !has_line && !expected) {
        expect_line(change, attempt);
    }
    log::error(
        "attempt.refunded_after_refusal",
        {{"attempt", attempt.id},
         {"refund", attempt.refund},
         {"payment", attempt.payment_intent},
         {"connector", attempt.connector},
         {"currency", attempt.currency},
         {"amount_minor", attempt.amount}}
    );
    return {};
}

void Payments::outcome_of_refund(
    Case& payment, Verdict verdict, Reply const& reply, Change& change
) {
    Attempt& attempt = payment.attempt.value;
    if (attempt.refund.empty()) {
        outcome_of_stray_refund(payment, verdict, change);
        return;
    }
    FLORIN_CHECK(payment.refund.has_value(), "a refund attempt has its refund");
    model::Refund& refund = payment.refund->value;
    model::Charge& charge = payment.charge.value;
    u128 const pending = transfer_of(attempt.pending_transfer);
    if (verdict == Verdict::approved) {
        std::string const before = parts_.renderer.refund(payment.objects());
        refund.status = "succeeded";
        refund.reference = attempt.stan != 0 ? stan_text(attempt) : "";
        charge.amount_refunded += refund.amount;
        charge.refunded = charge.amount_refunded >= charge.amount_captured;
        model::BalanceTransaction row{
            .id = {},
            .type = "refund",
            .source = refund.id,
            .currency = refund.currency,
            .description = charge.description,
            .amount = -refund.amount,
        };
        write_row(change, parts_.ids, row);
        list_with_next_payout(change, parts_.ledger.documents(), row);
        refund.balance_transaction = row.id;
        payment.transaction = std::move(row);
        change.post(model::refund_confirmed(attempt.id, pending));
        close_attempt(payment.attempt, "approved", change);
        announce(payment, "charge.refunded", change);
        std::string after = parts_.renderer.refund(payment.objects());
        std::string previous = parts_.renderer.previous(before, after);
        change.event(parts_.ids, "refund.updated", std::move(after), std::move(previous));
        return;
    }
    if (verdict == Verdict::declined) {
        refund.status = "failed";
        refund.failure_reason = "declined";
        payment.intent.value.amount_refunding -= refund.amount;
        change.post(model::release(attempt.id, pending));
        close_attempt(payment.attempt, "declined", change);
        remember_given_up(attempt, change);
        announce(payment, "refund.failed", change);
        return;
    }
    static_cast<void>(reply);
    attempt.state = "unknown";
    refund.status = "pending";
    set_retry(attempt, change);
}

}  // namespace florin::flow
