// Capture, cancel and refund: decided against the payment's document at its version, so that the
// bounds on money (captured ≤ authorised, Σ refunds ≤ captured) are decided in the ledger thread.
#include "daemon/flow/payments.h"
#include "ledger/base/check.h"
#include "ledger/base/failpoint.h"

namespace florin::flow {
namespace {

namespace asio = boost::asio;
using api::ApiError;
using api::ApiResult;

// How often a decision is made anew because somebody else changed the payment first.
constexpr int kCaptureTriesMax = 200;

bool is_busy(ApiError const& error) {
    return error.code == "lock_timeout";
}

ApiError not_refundable(std::string const& charge) {
    return api::bad_parameter(
        "charge_not_refundable",
        "charge",
        "Charge " + charge + " cannot be refunded: nothing was captured by it."
    );
}

}  // namespace

asio::awaitable<ApiResult<Done>> Payments::capture(
    Caller caller, std::string intent_id, CaptureWish wish, Render render
) {
    ApiError last;
    for (int tries = 0; tries < kCaptureTriesMax; ++tries) {
        auto found = load<model::PaymentIntent>(parts_.ledger.documents(), caller.owner, intent_id);
        if (!found) {
            co_return std::unexpected{api::internal_error(found.error().context)};
        }
        if (!*found) {
            co_return std::unexpected{api::missing_resource("payment_intent", intent_id)};
        }
        Stored<model::PaymentIntent> intent = std::move(**found);
        if (intent.value.status != "requires_capture") {
            co_return std::unexpected{
                wrong_state(caller.owner, intent.value, "captured", "requires_capture")
            };
        }
        std::int64_t const wanted = wish.amount.value_or(intent.value.amount_capturable);
        if (wanted > intent.value.amount_capturable) {
            co_return std::unexpected{api::bad_parameter(
                "amount_too_large",
                "amount_to_capture",
                "The amount could not be captured because it is greater than the capturable amount."
            )};
        }
        auto original = load_known<model::Attempt>(
            parts_.ledger.documents(), caller.owner, intent.value.authorised_attempt
        );
        if (!original) {
            co_return std::unexpected{api::internal_error(original.error().context)};
        }
        auto* const connector = connector_named(original->value.connector);
        if (connector == nullptr) {
            co_return std::unexpected{bank_missing(original->value)};
        }
        Change change{caller.owner, caller.cause()};
        claim(change, caller);
        model::Attempt attempt = new_attempt("capture", *connector, intent.value, wanted);
        attempt.original = original->value.id;
        attempt.authorization_code = original->value.authorization_code;
        attempt.pending_transfer = original->value.pending_transfer;
        attempt.idempotency_key = caller.idempotency_key;
        intent.value.status = "processing";
        intent.value.live_attempt = attempt.id;
        merge_metadata(intent.value.metadata, wish.metadata);
        if (wish.statement_descriptor) {
            intent.value.statement_descriptor = *wish.statement_descriptor;
        }
        if (wish.statement_descriptor_suffix) {
            intent.value.statement_descriptor_suffix = *wish.statement_descriptor_suffix;
        }
        clear_expiry(intent.value, change);
        change.put(intent.value.id, intent);
        open_attempt(change, attempt, *connector);
        FLORIN_FAILPOINT("capture", "intent_decided");
        auto const receipt = co_await commit(std::move(change), true);
        if (!receipt) {
            last = receipt.error();
            if (is_busy(last)) {
                continue;
            }
            co_return std::unexpected{last};
        }
        Waiter waiter{.caller = caller, .render = render, .done = {}};
        co_return co_await send_and_note(attempt.id, std::move(waiter));
    }
    co_return std::unexpected{last};
}

asio::awaitable<ApiResult<Done>> Payments::cancel(
    Caller caller, std::string intent_id, std::string reason, Render render
) {
    ApiError last;
    for (int tries = 0; tries < kCaptureTriesMax; ++tries) {
        auto found = load<model::PaymentIntent>(parts_.ledger.documents(), caller.owner, intent_id);
        if (!found) {
            co_return std::unexpected{api::internal_error(found.error().context)};
        }
        if (!*found) {
            co_return std::unexpected{api::missing_resource("payment_intent", intent_id)};
        }
        Stored<model::PaymentIntent> intent = std::move(**found);
        std::string const status = intent.value.status;
        bool const is_unsent = status == "requires_payment_method" ||
                               status == "requires_confirmation" || status == "requires_action";
        if (!is_unsent && status != "requires_capture") {
            co_return std::unexpected{wrong_state(
                caller.owner,
                intent.value,
                "canceled",
                "requires_payment_method, requires_capture, requires_confirmation, requires_action"
            )};
        }
        Change change{caller.owner, caller.cause()};
        intent.value.cancellation_reason = reason;
        if (is_unsent) {
            intent.value.status = "canceled";
            intent.value.canceled_at = parts_.ids.now_s();
            Objects const objects{.owner = caller.owner, .intent = intent.value};
            Done const done = render(objects);
            answer_at_once(change, caller, done);
            change.put(intent.value.id, intent);
            announce_intent(objects, "payment_intent.canceled", change);
            auto const receipt = co_await commit(std::move(change), true);
            if (receipt) {
                co_return done;
            }
            last = receipt.error();
            if (is_busy(last)) {
                continue;
            }
            co_return std::unexpected{last};
        }
        claim(change, caller);
        intent.value.is_canceling = true;
        auto loaded = load_case(caller.owner, intent.value.authorised_attempt);
        if (!loaded) {
            co_return std::unexpected{api::internal_error(loaded.error().context)};
        }
        OwnCase const payment = std::move(*loaded);
        if (connector_named(payment->attempt.value.connector) == nullptr) {
            co_return std::unexpected{bank_missing(payment->attempt.value)};
        }
        payment->intent = intent;
        Next next;
        start_reversal(*payment, "canceled", change, next);
        clear_expiry(payment->intent.value, change);
        set_idempotency_key(change, next.drive_attempt, caller.idempotency_key);
        change.put(payment->attempt.value.id, payment->attempt);
        change.put(payment->intent.value.id, payment->intent);
        FLORIN_FAILPOINT("void", "intent_decided");
        auto const receipt = co_await commit(std::move(change), true);
        if (!receipt) {
            last = receipt.error();
            if (is_busy(last)) {
                continue;
            }
            co_return std::unexpected{last};
        }
        Waiter waiter{.caller = caller, .render = render, .done = {}};
        co_return co_await send_and_note(next.drive_attempt, std::move(waiter));
    }
    co_return std::unexpected{last};
}

asio::awaitable<ApiResult<Done>> Payments::refund(
    Caller caller, std::string intent_id, RefundWish wish, Render render
) {
    ApiError last;
    for (int tries = 0; tries < kCaptureTriesMax; ++tries) {
        auto found = load<model::PaymentIntent>(parts_.ledger.documents(), caller.owner, intent_id);
        if (!found) {
            co_return std::unexpected{api::internal_error(found.error().context)};
        }
        if (!*found) {
            co_return std::unexpected{
                api::missing_resource("payment_intent", intent_id, "payment_intent")
            };
        }
        Stored<model::PaymentIntent> intent = std::move(**found);
        // Only the charge that was captured is given back; the others of the payment took nothing.
        bool const is_captured = intent.value.status == "succeeded" &&
                                 (wish.charge.empty() || wish.charge == intent.value.latest_charge);
        if (!wish.charge.empty() && !is_captured) {
            co_return std::unexpected{not_refundable(wish.charge)};
        }
        if (intent.value.status != "succeeded") {
            co_return std::unexpected{
                wrong_state(caller.owner, intent.value, "refunded", "succeeded")
            };
        }
        std::int64_t const left = intent.value.amount_received - intent.value.amount_refunding;
        if (left <= 0) {
            co_return std::unexpected{api::bad_parameter(
                "charge_already_refunded",
                "",
                "Charge " + intent.value.latest_charge + " has already been refunded."
            )};
        }
        std::int64_t const wanted = wish.amount.value_or(left);
        if (wanted > left) {
            co_return std::unexpected{api::bad_parameter(
                "amount_too_large",
                "amount",
                "Refund amount is greater than unrefunded amount on charge."
            )};
        }
        auto original = load_known<model::Attempt>(
            parts_.ledger.documents(), caller.owner, intent.value.captured_attempt
        );
        if (!original) {
            co_return std::unexpected{api::internal_error(original.error().context)};
        }
        auto* const connector = connector_named(original->value.connector);
        if (connector == nullptr) {
            co_return std::unexpected{bank_missing(original->value)};
        }
        model::Attempt attempt = new_attempt("refund", *connector, intent.value, wanted);
        attempt.original = original->value.id;
        attempt.payment_method = original->value.payment_method;
        attempt.authorization_code = original->value.authorization_code;
        attempt.pending_transfer = to_string(model::transfer_id(attempt.id, "refund"));
        attempt.idempotency_key = caller.idempotency_key;
        model::Refund refund;
        refund.id = parts_.ids.make("re");
        refund.payment_intent = intent.value.id;
        refund.charge = intent.value.latest_charge;
        refund.currency = intent.value.currency;
        refund.status = "pending";
        refund.reason = wish.reason;
        refund.payment_method = original->value.payment_method;
        refund.customer = intent.value.customer;
        refund.amount = wanted;
        refund.created = parts_.ids.now_s();
        refund.attempt = attempt.id;
        refund.pending_transfer = attempt.pending_transfer;
        merge_metadata(refund.metadata, wish.metadata);
        attempt.refund = refund.id;
        intent.value.amount_refunding += wanted;

        Change change{caller.owner, caller.cause()};
        claim(change, caller);
        change.put(intent.value.id, intent);
        change.put(refund.id, refund, 0);
        change.put(intent.value.id + "/" + refund.id, model::PaymentRefund{refund.id}, 0);
        open_attempt(change, attempt, *connector);
        auto const currency = Currency::from_alphabetic(intent.value.currency);
        FLORIN_CHECK(currency.has_value(), "a stored intent's currency is known");
        model::Book const book{*currency, caller.mode};
        ensure_accounts(change, book, attempt.connector, caller.merchant);
        change.post(model::refund(book, attempt.id, attempt.connector, caller.merchant, wanted));
        change.event_about(parts_.ids, "refund.created", model::Kind::refund, refund.id);
        FLORIN_FAILPOINT("refund", "intent_decided");
        auto const receipt = co_await commit(std::move(change), true);
        if (!receipt) {
            last = receipt.error();
            if (is_busy(last)) {
                continue;
            }
            co_return std::unexpected{last};
        }
        Waiter waiter{.caller = caller, .render = render, .done = {}};
        co_return co_await send_and_note(attempt.id, std::move(waiter));
    }
    co_return std::unexpected{last};
}

// Sends an attempt whose intent is durable and stores what came back with the caller's answer.
asio::awaitable<ApiResult<Done>> Payments::send_and_note(
    std::string attempt_id, Waiter waiter, OwnCase known
) {
    std::string const owner = waiter.caller.owner;
    Driving const driving{*this, owner + "/" + attempt_id};
    if (known == nullptr) {
        auto loaded = load_case(owner, attempt_id);
        if (!loaded) {
            co_return std::unexpected{api::internal_error(loaded.error().context)};
        }
        known = std::move(*loaded);
    }
    OwnCase payment = std::move(known);
    payment->attempt.value.stan = stan_of(payment->attempt.value);
    CardSecrets none;
    connectors::Reply const reply = co_await send(*payment, std::move(none), false);
    model::Evidence const evidence = said(reply, 1);
    auto const next = co_await note(
        owner, attempt_id, evidence, reply, &waiter, nullptr, nullptr, std::move(payment)
    );
    if (!next) {
        co_return std::unexpected{api::internal_error(next.error().context)};
    }
    drive_in_background(owner, *next);
    if (!waiter.done) {
        co_return std::unexpected{api::internal_error("an outcome without an answer")};
    }
    co_return std::move(*waiter.done);
}

ApiError Payments::wrong_state(
    std::string const& owner,
    model::PaymentIntent const& intent,
    std::string_view wanted,
    std::string_view allowed
) const {
    ApiError error;
    error.code = "payment_intent_unexpected_state";
    error.message = "This PaymentIntent could not be " + std::string{wanted} +
                    " because it has a status of " + intent.status +
                    ". Only a PaymentIntent with one of the following statuses may be " +
                    std::string{wanted} + ": " + std::string{allowed} + ".";
    Objects const objects{.owner = owner, .intent = intent};
    error.payment_intent_json = parts_.renderer.intent(objects);
    return error;
}

void Payments::clear_expiry(model::PaymentIntent& intent, Change& change) const {
    if (intent.expiry_timer_ns != 0) {
        change.command.clear_timers.push_back(
            {.due_ns = intent.expiry_timer_ns,
             .kind = static_cast<std::uint16_t>(TimerKind::authorisation_expiry),
             .key = change.owner() + '\0' + intent.id}
        );
        intent.expiry_timer_ns = 0;
    }
}

// The reversal that a cancel waits for leaves the caller's key open until it has an outcome.
void Payments::set_idempotency_key(
    Change& change, std::string const& attempt_id, std::string const& key
) {
    auto const wanted = model::key_of(model::Kind::attempt, change.owner(), attempt_id);
    for (auto& put : change.command.puts) {
        if (put.key == wanted) {
            auto attempt = model::from_text<model::Attempt>(put.body);
            FLORIN_CHECK(attempt.has_value(), "what was just written can be read");
            attempt->idempotency_key = key;
            put.body = model::to_text(*attempt);
        }
    }
}

void merge_metadata(model::Metadata& metadata, model::Metadata const& changes) {
    for (auto const& [key, value] : changes) {
        if (value.empty()) {
            metadata.erase(key);
        } else {
            metadata[key] = value;
        }
    }
}

}  // namespace florin::flow
