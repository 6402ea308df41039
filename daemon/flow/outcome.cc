// What follows from evidence: postings, documents, events, and what has to be sent next.
#include "connectors/iso8583/response_codes.h"
#include "daemon/flow/identity.h"
#include "daemon/flow/payments.h"
#include "daemon/log/log.h"
#include "daemon/model/reconciliation.h"
#include "daemon/model/settlement.h"
#include "ledger/base/check.h"

namespace florin::flow {
namespace {

namespace asio = boost::asio;
using connectors::Outcome;
using connectors::Reply;
using model::Attempt;
using model::Kind;

// Tries of a commit against others that change the same documents, before they are spaced out, and
// before somebody has to look.
constexpr int kTriesAtOnce = 16;
constexpr int kTriesMax = 10'000;
constexpr std::uint64_t kTryPauseMs = 5;

u128 transfer_of(std::string const& text) {
    auto const id = parse_u128(text);
    FLORIN_CHECK(id.has_value(), "a stored transfer id is a number");
    return *id;
}

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

// T+N: from the start of the Nth day after the capture; at once for T+0.
std::int64_t available_from(model::Merchant const& merchant, std::int64_t now_s) {
    constexpr std::int64_t kDay = 86'400;
    return merchant.availability_days == 0 ? now_s
                                           : (now_s / kDay + merchant.availability_days) * kDay;
}

// Operators decided one thing and the bank says another: somebody has to look at it.
void warn_of_contradiction(Attempt const& attempt, Reply const& reply) {
    bool const denies = attempt.state == "approved" && reply.outcome == Outcome::declined;
    bool const affirms = attempt.state == "declined" && reply.outcome == Outcome::approved;
    if (is_decided_by_operators(attempt) && (denies || affirms)) {
        log::error(
            "attempt.contradicts_operators",
            {{"attempt", attempt.id},
             {"decided", attempt.state},
             {"bank", connectors::outcome_name(reply.outcome)},
             {"code", reply.response_code}}
        );
    }
}

std::uint64_t retry_ms(FlowOptions const& options, std::int64_t sends) {
    std::uint64_t delay = options.retry_first_ms;
    for (std::int64_t i = 1; i < sends && delay < options.retry_most_ms; ++i) {
        delay *= 2;
    }
    return std::min(delay, options.retry_most_ms);
}

}  // namespace

Result<Payments::Case> Payments::load_case(std::string const& owner, std::string const& attempt_id)
    const {
    auto const& reader = parts_.ledger.documents();
    Case payment{.owner = owner};
    payment.mode = owner.ends_with("/live") ? model::Mode::live : model::Mode::test;
    FLORIN_TRY(payment.attempt, load_known<Attempt>(reader, owner, attempt_id));
    Attempt const& attempt = payment.attempt.value;
    FLORIN_TRY(
        payment.intent, load_known<model::PaymentIntent>(reader, owner, attempt.payment_intent)
    );
    FLORIN_TRY(payment.charge, load_known<model::Charge>(reader, owner, attempt.charge));
    FLORIN_TRY(
        payment.method, load_known<model::PaymentMethod>(reader, owner, attempt.payment_method)
    );
    if (!attempt.refund.empty()) {
        FLORIN_TRY(payment.refund, load_known<model::Refund>(reader, owner, attempt.refund));
    }
    if (!attempt.original.empty()) {
        FLORIN_TRY(payment.original, load_known<Attempt>(reader, owner, attempt.original));
    }
    std::string const merchant = owner.substr(0, owner.find('/'));
    FLORIN_TRY(payment.merchant, merchants_.terms(merchant, payment.mode));
    return payment;
}

asio::awaitable<Result<Payments::Next>> Payments::note(
    std::string owner,
    std::string attempt_id,
    model::Evidence evidence,
    Reply reply,
    Waiter* waiter,
    connectors::Connector* other,
    Also const* also,
    std::optional<Case> known
) {
    bool is_timer_missing = false;
    for (int tries = 0; tries < kTriesMax; ++tries) {
        if (tries >= kTriesAtOnce) {
            co_await pause(kTryPauseMs);
        }
        if (tries > 0 || !known) {
            FLORIN_CO_TRY(known, load_case(owner, attempt_id));
            if (waiter != nullptr) {
                waiter->caller.key_version = 0;  // known no better than the rest
            }
        }
        Case& payment = *known;
        Attempt& attempt = payment.attempt.value;
        attempt.stan = stan_of(attempt);
        Next next;
        Change change{owner, waiter != nullptr ? waiter->caller.cause() : model::Cause{}};
        if (also != nullptr) {
            FLORIN_CO_TRY_VOID((*also)(attempt, change));
        }
        bool const is_reply = evidence.source == "reply";
        bool const is_repeatable =
            attempt.operation != "authorise" && is_reply &&
            (reply.outcome == Outcome::unknown || reply.outcome == Outcome::not_sent);
        if (is_repeatable) {
            refresh_evidence(attempt, evidence);
        } else if (!add_evidence(attempt, evidence) && waiter == nullptr) {
            co_return next;
        }
        if (is_reply) {
            attempt.response_code = evidence.code;
        }
        if (is_reply && reply.outcome != Outcome::not_sent) {
            ++attempt.sends;
        }
        Verdict const verdict = verdict_of(attempt);
        bool const goes_on = other != nullptr && attempt.closed == 0 &&
                             attempt.operation == "authorise" &&
                             (verdict == Verdict::declined || verdict == Verdict::not_sent);
        if (goes_on) {
            go_elsewhere(payment, verdict, reply, *other, change, next);
        } else if (attempt.closed == 0) {
            if (attempt.operation == "authorise") {
                outcome_of_authorisation(payment, verdict, reply, change, next);
            } else if (attempt.operation == "capture") {
                outcome_of_capture(payment, verdict, change, next);
            } else if (attempt.operation == "refund") {
                outcome_of_refund(payment, verdict, reply, change);
            } else {
                outcome_of_void(payment, verdict, reply, change, next);
            }
        } else {
            warn_of_contradiction(attempt, reply);
            // Declined after a reversal was sent: so operators decided.
            bool const is_given_up = attempt.state == "reversed" || attempt.state == "declined";
            if (is_given_up && needs_another_reversal(attempt)) {
                start_reversal(payment, "late_approval", change, next);
            }
        }
        // The waiting request gets the first outcome; what follows at once has its own.
        bool const is_followed = !next.capture_attempt.empty() || !next.authorise_attempt.empty();
        bool const answers = waiter != nullptr && !is_followed;
        std::optional<Done> done;
        if (answers && payment.intent.value.status == "processing") {
            announce(payment, "payment_intent.processing", change);
        }
        if (answers) {
            Objects objects = payment.objects();
            objects.refused = !payment.intent.value.last_payment_error.empty() &&
                              attempt.operation == "authorise" &&
                              payment.charge.value.status == "failed";
            done = waiter->render(objects);
            complete(change, waiter->caller, *done, attempt.id);
        }
        if (answers || is_followed) {
            attempt.idempotency_key.clear();
        }
        change.put(attempt.id, payment.attempt);
        change.put(payment.intent.value.id, payment.intent);
        change.put(payment.charge.value.id, payment.charge);
        if (payment.is_method_changed) {
            change.put(payment.method.value.id, payment.method);
        }
        if (payment.refund) {
            change.put(payment.refund->value.id, *payment.refund);
        }
        if (payment.changes_original) {
            change.put(payment.original->value.id, *payment.original);
        }
        if (is_timer_missing) {
            // A timer of ours that is gone must not keep an outcome from being stored; one that is
            // left over is cleared when it fires.
            log::error("attempt.timer_missing", {{"attempt", attempt.id}});
            change.command.clear_timers.clear();
        }
        auto const receipt = co_await submit(std::move(change));
        if (!receipt) {
            if (receipt.error().code == Errc::overloaded) {
                co_await pause(kTryPauseMs);
                continue;
            }
            co_return std::unexpected{receipt.error()};
        }
        is_timer_missing = receipt->status == ledger::CommandStatus::timer_missing;
        if (receipt->committed()) {
            {
                std::lock_guard const lock{stans_mutex_};
                stans_.erase(attempt.id);
            }
            if (waiter != nullptr && done) {
                waiter->done = std::move(done);
            }
            log::info(
                "attempt.outcome",
                {{"attempt", attempt.id},
                 {"operation", attempt.operation},
                 {"payment", payment.intent.value.id},
                 {"verdict", verdict_name(verdict)},
                 {"code", evidence.code}}
            );
            co_return next;
        }
        // Numbers of a link come back when what holds them is closed.
        bool const may_try_again = receipt->status == ledger::CommandStatus::document_conflict ||
                                   receipt->status == ledger::CommandStatus::counter_exhausted ||
                                   is_timer_missing;
        if (!may_try_again) {
            co_return fail(
                Errc::conflict,
                "the outcome of " + attempt_id +
                    " was refused: " + std::string{status_name(receipt->status)} + ", " +
                    std::string{ledger::status_name(receipt->transfer_status)}
            );
        }
    }
    co_return fail(Errc::conflict, "the outcome of " + attempt_id + " found no quiet moment");
}

asio::awaitable<Result<void>> Payments::take_evidence(
    std::string owner, std::string attempt_id, model::Evidence evidence, Also also
) {
    FLORIN_CO_TRY(Case const payment, load_case(owner, attempt_id));
    Attempt const& attempt = payment.attempt.value;
    bool const needs_reversal = attempt.operation == "capture" && evidence.outcome == "declined";
    if (needs_reversal && connector_named(attempt.connector) == nullptr) {
        co_return fail(
            Errc::conflict,
            "connector " + attempt.connector +
                " is not configured: what it authorised cannot be given back"
        );
    }
    Reply reply{
        .outcome = evidence.outcome == "approved"   ? Outcome::approved
                   : evidence.outcome == "declined" ? Outcome::declined
                                                    : Outcome::unknown,
        .approved = Money{attempt.amount, payment.book().currency},
        .response_code = evidence.code,
        .authorization_code = attempt.authorization_code,
        .network_transaction_id = {},
        .detail = {},
    };
    FLORIN_CO_TRY(
        Next const next,
        co_await note(
            std::move(owner),
            std::move(attempt_id),
            std::move(evidence),
            std::move(reply),
            nullptr,
            nullptr,
            also ? &also : nullptr
        )
    );
    drive_in_background(payment.owner, next);
    co_return Result<void>{};
}

void Payments::close_attempt(Stored<Attempt>& attempt, std::string state, Change& change) const {
    Attempt& value = attempt.value;
    value.state = std::move(state);
    value.closed = parts_.ids.now_s();
    change.remove(Kind::open_attempt, value.id, 1);
    auto const* const connector = connector_named(value.connector);
    if (value.state != "approved" && connector != nullptr && is_reported(value, *connector)) {
        change.remove_for(
            model::connector_owner(value.connector, model::mode_of(change.owner())),
            Kind::expected_line,
            value.id,
            1
        );
    }
    if (value.stan != 0) {
        change.command.release_counters.push_back(
            {.counter = "stan/" + value.connector, .value = value.stan}
        );
    }
    if (value.timer_ns != 0) {
        change.command.clear_timers.push_back(
            {.due_ns = value.timer_ns,
             .kind = static_cast<std::uint16_t>(TimerKind::attempt_retry),
             .key = change.owner() + '\0' + value.id}
        );
        value.timer_ns = 0;
    }
}

void Payments::set_retry(Attempt& attempt, Change& change) const {
    std::string const key = change.owner() + '\0' + attempt.id;
    auto const kind = static_cast<std::uint16_t>(TimerKind::attempt_retry);
    if (attempt.timer_ns != 0) {
        change.command.clear_timers.push_back({attempt.timer_ns, kind, key});
    }
    attempt.timer_ns = parts_.ids.now_ns() + retry_ms(parts_.options, attempt.sends) * 1'000'000;
    change.command.set_timers.push_back({attempt.timer_ns, kind, key});
}

void Payments::announce(Case const& payment, std::string type, Change& change) const {
    Objects const objects = payment.objects();
    std::string body = type.starts_with("refund.")           ? parts_.renderer.refund(objects)
                       : type.starts_with("charge.")         ? parts_.renderer.charge(objects)
                       : type.starts_with("payment_method.") ? parts_.renderer.method(objects)
                                                             : parts_.renderer.intent(objects);
    change.event(parts_.ids, std::move(type), std::move(body));
}

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
        case Verdict::unknown:
            if (payment.attempt.value.state != "unknown") {
                payment.attempt.value.state = "unknown";
                start_reversal(payment, "no_answer", change, next);
            }
            break;
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
    if (!intent.cancellation_reason.empty()) {
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

void Payments::outcome_of_refund(
    Case& payment, Verdict verdict, Reply const& reply, Change& change
) {
    Attempt& attempt = payment.attempt.value;
    FLORIN_CHECK(payment.refund.has_value(), "a refund attempt has its refund");
    model::Refund& refund = payment.refund->value;
    model::Charge& charge = payment.charge.value;
    u128 const pending = transfer_of(attempt.pending_transfer);
    if (verdict == Verdict::approved) {
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
        announce(payment, "refund.updated", change);
        return;
    }
    if (verdict == Verdict::declined) {
        refund.status = "failed";
        refund.failure_reason = "declined";
        payment.intent.value.amount_refunding -= refund.amount;
        change.post(model::release(attempt.id, pending));
        close_attempt(payment.attempt, "declined", change);
        announce(payment, "refund.failed", change);
        return;
    }
    static_cast<void>(reply);
    attempt.state = "unknown";
    refund.status = "pending";
    set_retry(attempt, change);
}

// What a bank said to a reversal goes into the authorisation's evidence: that decides.
// What operators decided about the reversal goes there too.
void Payments::outcome_of_void(
    Case& payment, Verdict verdict, Reply const& reply, Change& change, Next& next
) {
    Attempt& attempt = payment.attempt.value;
    FLORIN_CHECK(payment.original.has_value(), "a reversal has its original");
    payment.changes_original = true;
    Attempt& original = payment.original->value;
    bool const is_not_found = reply.response_code == connectors::iso8583::kOriginalNotFound;
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
    bool const is_over =
        attempt.reason == "late_approval"
            ? is_decided || is_reversal_over(original, attempt.id)
            : verdict_of(original) == Verdict::reversed || is_decided_by_operators(original);
    if (!is_over) {
        attempt.state = "unknown";
        set_retry(attempt, change);
        return;
    }
    close_attempt(payment.attempt, "approved", change);
    if (original.state == "reversed" || original.state == "declined") {
        return;  // given back before: this was for a late approval, or operators were faster
    }
    // The authorisation's own case, with this change.
    bool const is_open = original.closed == 0;
    std::swap(payment.attempt, *payment.original);
    given_back(payment, change);
    if (is_open) {
        close_attempt(payment.attempt, "reversed", change);
    } else {
        payment.attempt.value.state = "reversed";
    }
    // The approval that nobody found may have come while this one was under way.
    if (needs_another_reversal(payment.attempt.value)) {
        start_reversal(payment, "late_approval", change, next);
    }
    std::swap(payment.attempt, *payment.original);
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
         .outcome = "",
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
    if (reason == "no_answer" && original.stan != 0) {
        change.command.puts.push_back(
            {.key = given_up_key(original.connector, original.transmission_time, original.stan),
             .expected_version = 0,
             .body = model::to_text(model::GivenUp{change.owner(), original.id})}
        );
    }
    next.drive_attempt = reversal.id;
}

}  // namespace florin::flow
