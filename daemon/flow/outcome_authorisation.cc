// What follows from the evidence about an authorisation and about its reversal: the payment is
// authorised, has failed, goes another way, or is given back.
#include "connectors/iso8583/response_codes.h"
#include "daemon/flow/identity.h"
#include "daemon/flow/payments.h"
#include "ledger/base/check.h"

#include <utility>

namespace florin::flow {
namespace {

using connectors::Outcome;
using connectors::Reply;
using model::Attempt;
using model::Kind;

// The refusal in the words of the merchant API.
model::PaymentError refusal(Reply const& reply, Verdict verdict) {
    using connectors::iso8583::DeclineReason;
    model::PaymentError error;
    if (verdict != Verdict::declined) {
        error.code = "processing_error";
        error.message = "An error occurred while processing your card. Try again in a little bit.";
        return error;
    }
    error.network_decline_code = reply.response_code;
    if (reply.response_code == "GD") {
        error.code = "card_declined";
        error.decline_code = "generic_decline";
        error.network_decline_code.clear();
        error.message = "Your card was declined.";
        return error;
    }
    auto const& meaning = connectors::iso8583::meaning_of(reply.response_code);
    error.advice_code = connectors::iso8583::advice_name(meaning.advice);
    std::string const reason{connectors::iso8583::decline_reason_name(meaning.reason)};
    bool const is_code = meaning.reason == DeclineReason::expired_card ||
                         meaning.reason == DeclineReason::incorrect_cvc ||
                         meaning.reason == DeclineReason::processing_error;
    error.code = is_code ? reason : "card_declined";
    error.decline_code = is_code ? "" : reason;
    if (meaning.reason == DeclineReason::expired_card) {
        error.message = "Your card has expired.";
    } else if (meaning.reason == DeclineReason::incorrect_cvc) {
        error.message = "Your card's security code is incorrect.";
    } else if (meaning.reason == DeclineReason::processing_error) {
        error.message = "An error occurred while processing your card. Try again in a little bit.";
    } else if (meaning.reason == DeclineReason::insufficient_funds) {
        error.message = "Your card has insufficient funds.";
    } else {
        error.message = "Your card was declined.";
    }
    return error;
}

}  // namespace

void Payments::outcome_of_authorisation(
    Case& payment, Verdict verdict, Reply const& reply, Change& change, Next& next
) {
    switch (verdict) {
        case Verdict::approved: authorised(payment, reply, change, next); break;
        case Verdict::declined:
        case Verdict::not_sent: not_authorised(payment, verdict, reply, change); break;
        case Verdict::reversed:
            given_back(payment, change);
            close_attempt(payment.attempt, "reversed", change);
            break;
        case Verdict::open:
        case Verdict::pending: payment.attempt.value.state = "pending"; break;
        case Verdict::unknown: not_answered(payment, change, next); break;
    }
}

// Whoever can be asked is asked before anything is reversed, and again as long as the answer is
// "not yet". A reversal that was begun is never taken back.
void Payments::not_answered(Case& payment, Change& change, Next& next) {
    Attempt& attempt = payment.attempt.value;
    bool const is_new = attempt.state != "unknown";
    attempt.state = "unknown";
    if (is_being_reversed(attempt)) {
        return;
    }
    auto const* const connector = connector_named(attempt.connector);
    bool const may_ask =
        connector != nullptr && connector->can_inquire() && !is_inquired_in_vain(attempt);
    if (!may_ask) {
        clear_retry(attempt, change);
        start_reversal(payment, "no_answer", change, next);
    } else if (is_new) {
        next.drive_attempt = attempt.id;
    } else {
        set_retry(attempt, change);
    }
}

void Payments::authorised(Case& payment, Reply const& reply, Change& change, Next& next) {
    Attempt& attempt = payment.attempt.value;
    model::PaymentIntent& intent = payment.intent.value;
    model::Charge& charge = payment.charge.value;
    auto* const connector = connector_named(attempt.connector);
    attempt.authorization_code = reply.authorization_code;
    attempt.approved_amount = reply.approved ? reply.approved->minor : attempt.amount;
    charge.authorization_code = reply.authorization_code;
    charge.network_transaction_id = reply.network_transaction_id;
    charge.paid = true;
    charge.outcome_type = "authorized";
    charge.outcome_network_status = "approved_by_network";
    charge.outcome_seller_message = "Payment complete.";
    charge.status = "succeeded";
    intent.last_payment_error = {};
    intent.authorised_attempt = attempt.id;
    intent.live_attempt.clear();
    close_attempt(payment.attempt, "approved", change);
    // Less than was asked for, and no merchant takes that here: give it back.
    if (attempt.approved_amount < attempt.amount) {
        charge.paid = false;
        charge.status = "pending";
        start_reversal(payment, "partial_approval", change, next);
        return;
    }
    keep_method(payment, reply, change);
    bool const captures = !model::is_captured_later(intent);
    if (captures && connector != nullptr && connector->captures_at_once()) {
        captured(payment, intent.amount, change);
        change.post(model::capture(
            payment.book(),
            attempt.id,
            transfer_of(attempt.pending_transfer),
            payment.merchant->id,
            intent.amount,
            payment.charge.value.fee
        ));
        return;
    }
    intent.amount_capturable = intent.amount;
    if (!captures && connector != nullptr) {
        announce(payment, "charge.succeeded", change);
        intent.status = "requires_capture";
        intent.expiry_timer_ns =
            parts_.ids.now_ns() + parts_.options.authorisation_days * 86'400 * 1'000'000'000ULL;
        change.command.set_timers.push_back(
            {.due_ns = intent.expiry_timer_ns,
             .kind = static_cast<std::uint16_t>(TimerKind::authorisation_expiry),
             .key = change.owner() + '\0' + intent.id}
        );
        announce(payment, "payment_intent.amount_capturable_updated", change);
        return;
    }
    FLORIN_CHECK(connector != nullptr, "an attempt's connector is configured");
    Attempt capture = new_attempt("capture", *connector, intent, intent.amount);
    capture.original = attempt.id;
    capture.authorization_code = attempt.authorization_code;
    capture.pending_transfer = attempt.pending_transfer;
    capture.idempotency_key = attempt.idempotency_key;
    intent.status = "processing";
    intent.live_attempt = capture.id;
    open_attempt(change, capture, *connector);
    next.capture_attempt = capture.id;
    payment.capture = std::move(capture);
}

// The case of the capture that an approval began, once both are stored: nobody has to read them.
Payments::OwnCase Payments::case_of_capture(OwnCase approved) {
    Case& payment = *approved;
    Stored<Attempt> capture{.value = std::move(*payment.capture), .version = 1};
    payment.capture.reset();
    ++payment.attempt.version;
    ++payment.intent.version;
    ++payment.charge.version;
    payment.method.version += payment.is_method_changed ? 1 : 0;
    payment.is_method_changed = false;
    payment.original = std::exchange(payment.attempt, std::move(capture));
    return approved;
}

// For later payments, where this one asked for that: the method becomes the customer's, and what
// names this payment to the network goes with it. Without a customer it may be attached to one.
void Payments::keep_method(Case& payment, Reply const& reply, Change& change) {
    model::PaymentIntent const& intent = payment.intent.value;
    model::PaymentMethod& method = payment.method.value;
    if (model::future_usage(intent).empty()) {
        return;
    }
    if (method.network_transaction_id.empty() && !reply.network_transaction_id.empty()) {
        method.network_transaction_id = reply.network_transaction_id;
        payment.is_method_changed = true;
    }
    if (!method.customer.empty()) {
        return;
    }
    method.spent_by.clear();
    payment.is_method_changed = true;
    auto const customer =
        load<model::Customer>(parts_.ledger.documents(), change.owner(), intent.customer);
    if (!customer || !*customer || (*customer)->value.deleted) {
        return;
    }
    method.customer = intent.customer;
    change.guard(Kind::customer, intent.customer, (*customer)->version);
    change.link(Kind::customer_method, intent.customer, method.id);
    announce(payment, "payment_method.attached", change);
}

// Nothing was taken with it: it may be tried again.
void Payments::give_method_back(Case& payment) {
    model::PaymentMethod& method = payment.method.value;
    if (method.spent_by == payment.intent.value.id) {
        method.spent_by.clear();
        payment.is_method_changed = true;
    }
}

// Money that was reserved and is certainly not taken: the charge says why.
model::PaymentError Payments::fail_charge(Case& payment, Verdict verdict, Reply const& reply) {
    model::Charge& charge = payment.charge.value;
    model::PaymentError error = refusal(reply, verdict);
    error.charge = charge.id;
    error.payment_method = payment.method.value.id;
    charge.status = "failed";
    charge.failure_code = error.code;
    charge.failure_message = error.message;
    charge.outcome_type = verdict == Verdict::declined ? "issuer_declined" : "invalid";
    charge.outcome_network_status =
        verdict == Verdict::declined ? "declined_by_network" : "not_sent_to_network";
    charge.outcome_reason = error.decline_code.empty() ? error.code : error.decline_code;
    charge.outcome_seller_message = "The bank did not approve the payment.";
    charge.outcome_network_decline_code = error.network_decline_code;
    charge.outcome_advice_code = error.advice_code;
    return error;
}

void Payments::not_authorised(Case& payment, Verdict verdict, Reply const& reply, Change& change) {
    Attempt const& attempt = payment.attempt.value;
    model::PaymentIntent& intent = payment.intent.value;
    model::PaymentError const error = fail_charge(payment, verdict, reply);
    intent.status = "requires_payment_method";
    intent.payment_method.clear();
    intent.live_attempt.clear();
    intent.last_payment_error = error;
    intent.card_options.three_d_secure = {};  // was good for one authorisation
    give_method_back(payment);
    change.post(model::release(attempt.id, transfer_of(attempt.pending_transfer)));
    close_attempt(payment.attempt, verdict == Verdict::declined ? "declined" : "not_sent", change);
    remember_given_up(attempt, change);
    announce(payment, "charge.failed", change);
    announce(payment, "payment_intent.payment_failed", change);
}

// This route gives its reservation back and another one makes its own, as a whole: after a crash
// the payment is on the one or on the other.
void Payments::go_elsewhere(
    Case& payment,
    Verdict verdict,
    Reply const& reply,
    connectors::Connector const& other,
    Change& change,
    Next& next
) {
    Attempt& attempt = payment.attempt.value;
    static_cast<void>(fail_charge(payment, verdict, reply));
    change.post(model::release(attempt.id, transfer_of(attempt.pending_transfer)));
    close_attempt(payment.attempt, verdict == Verdict::declined ? "declined" : "not_sent", change);
    remember_given_up(attempt, change);
    announce(payment, "charge.failed", change);
    next.authorise_attempt =
        begin_authorisation(payment, other, attempt.idempotency_key, change).attempt.id;
}

// The reversal of an authorisation is certain: payment.attempt is the authorisation.
void Payments::given_back(Case& payment, Change& change) {
    Attempt const& attempt = payment.attempt.value;
    model::PaymentIntent& intent = payment.intent.value;
    model::Charge& charge = payment.charge.value;
    change.post(model::release(attempt.id, transfer_of(attempt.pending_transfer)));
    intent.amount_capturable = 0;
    intent.live_attempt.clear();
    if (intent.is_canceling) {
        intent.is_canceling = false;
        intent.status = "canceled";
        intent.canceled_at = parts_.ids.now_s();
        charge.refunded = true;
        charge.amount_refunded = charge.amount;
        bool const is_expired = intent.cancellation_reason == "automatic";
        announce(payment, is_expired ? "charge.expired" : "charge.refunded", change);
        announce(payment, "payment_intent.canceled", change);
        return;
    }
    model::PaymentError error = refusal({}, Verdict::unknown);
    error.charge = charge.id;
    error.payment_method = payment.method.value.id;
    intent.card_options.three_d_secure = {};
    give_method_back(payment);
    charge.status = "failed";
    charge.paid = false;
    charge.failure_code = error.code;
    charge.failure_message = error.message;
    charge.outcome_type = "invalid";
    charge.outcome_network_status = "reversed_after_approval";
    intent.status = "requires_payment_method";
    intent.payment_method.clear();
    intent.last_payment_error = error;
    announce(payment, "charge.failed", change);
    announce(payment, "payment_intent.payment_failed", change);
}

// What a bank said to a reversal goes into the authorisation's evidence: that decides.
// What operators decided about the reversal goes there too.
Result<void> Payments::outcome_of_void(
    Case& payment, Verdict verdict, Reply const& reply, Change& change, Next& next
) {
    Attempt& attempt = payment.attempt.value;
    FLORIN_CHECK(payment.original.has_value(), "a reversal has its original");
    payment.changes_original = true;
    Attempt& original = payment.original->value;
    bool const is_not_found = connectors::iso8583::is_original_not_found(reply.response_code);
    // No bank says "reversed" of a reversal itself.
    bool const is_decided = verdict == Verdict::reversed;
    if (is_decided) {
        add_evidence(original, attempt.evidence.back());
    } else if (reply.outcome == Outcome::approved || is_not_found) {
        add_evidence(
            original,
            {.source = "reversal_ack",
             .outcome = is_not_found ? "not_found" : "reversed",
             .code = reply.response_code,
             .amount = attempt.amount,
             .time_ms = parts_.ids.now_ms(),
             .reference = reversal_reference(attempt.id, attempt.sends)}
        );
    }
    // A reversal for a late approval stands for itself: that the one before it found nothing proves
    // nothing about what came after. Operators may have decided on the authorisation meanwhile.
    // What the bank has booked, and gives back as a refund, it will not reverse as well.
    bool const is_refused = reply.outcome == Outcome::declined && is_being_refunded(original);
    bool const is_over = is_refused || (attempt.reason == "late_approval"
                                            ? is_decided || is_reversal_over(original, attempt.id)
                                            : verdict_of(original) == Verdict::reversed ||
                                                  is_decided_by_operators(original));
    if (!is_over) {
        attempt.state = "unknown";
        set_retry(attempt, change);
        return {};
    }
    close_attempt(payment.attempt, is_refused ? "declined" : "approved", change);
    // The authorisation's own case, with this change. It may have been given back before: then this
    // was for a late approval, or operators or a report were faster.
    std::swap(payment.attempt, *payment.original);
    if (!is_given_up(payment.attempt.value)) {
        bool const is_open = payment.attempt.value.closed == 0;
        given_back(payment, change);
        if (is_open) {
            close_attempt(payment.attempt, "reversed", change);
        } else {
            payment.attempt.value.state = "reversed";
        }
    }
    // The approval that nobody found may have come while this one was under way.
    Result<void> given_back_once_more;
    if (needs_another_reversal(payment.attempt.value)) {
        given_back_once_more = reverse_second_success(payment, change, next);
    }
    std::swap(payment.attempt, *payment.original);
    return given_back_once_more;
}

void Payments::start_reversal(Case& payment, std::string reason, Change& change, Next& next) {
    Attempt& original = payment.attempt.value;
    auto* const connector = connector_named(original.connector);
    FLORIN_CHECK(connector != nullptr, "an attempt's connector is configured");
    Attempt reversal = new_attempt("void", *connector, payment.intent.value, original.amount);
    reversal.original = original.id;
    reversal.charge = original.charge;
    reversal.payment_method = original.payment_method;
    reversal.reason = reason;
    add_evidence(
        original,
        {.source = "reversal_intent",
         .outcome = reason == "late_approval" ? reason : "",
         .code = "",
         .amount = original.amount,
         .time_ms = parts_.ids.now_ms(),
         .reference = reversal.id}
    );
    if (reason != "late_approval") {
        payment.intent.value.status = "processing";
        payment.intent.value.live_attempt = reversal.id;
    }
    open_attempt(change, reversal, *connector);
    // Also what was approved before: where this one finds nothing, the bank may approve it yet.
    remember_given_up(original, change);
    next.drive_attempt = reversal.id;
    next.gives_back = reason == "late_approval" ? "reversal" : "";
}

}  // namespace florin::flow
