// Sending: one place builds every message, from what the intent has made durable.
#include "connectors/cards.h"
#include "daemon/flow/identity.h"
#include "daemon/flow/payments.h"
#include "daemon/log/log.h"
#include "ledger/base/check.h"
#include "ledger/base/failpoint.h"

namespace florin::flow {
namespace {

namespace asio = boost::asio;
using connectors::Outcome;
using connectors::Reply;
using model::Attempt;

connectors::Identity identity_of(Attempt const& attempt) {
    return {
        .attempt = AttemptId{attempt.id},
        .stan = static_cast<std::uint32_t>(attempt.stan),
        .rrn = retrieval_reference(attempt),
        .transmission_time = attempt.transmission_time,
        .link = link_of(attempt),
    };
}

connectors::OriginalReference reference_to(Attempt const& original) {
    char const* const mti = original.operation == "authorise" ? "0100"
                            : original.operation == "capture" ? "0220"
                            : original.operation == "refund"  ? "0200"
                                                              : "0420";
    auto const currency = Currency::from_alphabetic(original.currency);
    bool const is_known = currency.has_value() && original.approved_amount > 0;
    return {
        .mti = mti,
        .stan = static_cast<std::uint32_t>(original.stan),
        .transmission_time = original.transmission_time,
        .rrn = retrieval_reference(original),
        .authorization_code = original.authorization_code,
        .approved =
            is_known ? std::optional{Money{original.approved_amount, *currency}} : std::nullopt,
    };
}

connectors::Authentication authentication_of(model::Charge const& charge, CardSecrets secrets) {
    model::ThreeDSecure const& secure = charge.three_d_secure;
    return {
        .electronic_commerce_indicator = secure.electronic_commerce_indicator,
        .cryptogram = std::move(secrets.cryptogram),
        .version = secure.version,
        .transaction_id = secure.transaction_id,
    };
}

// Off the session the merchant acts by himself; on it the cardholder does.
connectors::CredentialUse credential_use(
    model::PaymentIntent const& intent, model::PaymentMethod const& method
) {
    if (!intent.off_session.empty()) {
        return connectors::CredentialUse::merchant_further;
    }
    if (!method.customer.empty()) {
        return connectors::CredentialUse::cardholder_further;
    }
    return model::future_usage(intent).empty() ? connectors::CredentialUse::none
                                               : connectors::CredentialUse::cardholder_first;
}

connectors::Terminal terminal_of(model::Merchant const& merchant) {
    return {
        .terminal_id = merchant.terminal_id,
        .acceptor_id = merchant.acceptor_id,
        .name_location = merchant.name.substr(0, 40),
        .category_code = merchant.category_code,
    };
}

std::string original_payment(
    model::PaymentIntent const& intent, model::PaymentMethod const& method
) {
    std::string const& named = intent.card_options.network_transaction_id;
    return named.empty() ? method.network_transaction_id : named;
}

}  // namespace

model::Evidence Payments::said(Reply const& reply, std::int64_t send_number) const {
    return {
        .source = "reply",
        .outcome = std::string{connectors::outcome_name(reply.outcome)},
        .code = reply.response_code,
        .amount = reply.approved ? reply.approved->minor : reply.said_minor.value_or(0),
        .time_ms = parts_.ids.now_ms(),
        .reference = std::to_string(send_number),
    };
}

Money Payments::amount_of(Attempt const& attempt) {
    auto const currency = Currency::from_alphabetic(attempt.currency);
    FLORIN_CHECK(currency.has_value(), "a stored attempt's currency is known");
    return Money{attempt.amount, *currency};
}

std::uint32_t Payments::stan_of(Attempt const& attempt) const {
    if (attempt.stan != 0) {
        return static_cast<std::uint32_t>(attempt.stan);
    }
    auto* const connector = connector_named(attempt.connector);
    if (connector != nullptr && !connector->needs_link_identity()) {
        return 0;
    }
    {
        std::lock_guard const lock{stans_mutex_};
        if (auto const known = stans_.find(attempt.id); known != stans_.end()) {
            return known->second;
        }
    }
    // From before a restart: all of them at once, there may be thousands.
    std::uint32_t stan = 0;
    if (auto const held = parts_.ledger.documents().held(stan_counter(attempt))) {
        for (auto const& each : *held) {
            remember_stan(each.holder, each.value);
            if (each.holder == attempt.id) {
                stan = static_cast<std::uint32_t>(each.value);
            }
        }
    }
    return stan;
}

void Payments::remember_stan(std::string const& attempt_id, std::uint64_t stan) const {
    std::lock_guard const lock{stans_mutex_};
    stans_.insert_or_assign(attempt_id, static_cast<std::uint32_t>(stan));
}

// Test cards by name are not in the vault.
asio::awaitable<Result<Pan>> Payments::card_number(Case const& payment) {
    model::PaymentMethod const& method = payment.method.value;
    if (method.vault_token.empty()) {
        auto const known = connectors::test_card(method.sandbox_token);
        if (!known) {
            co_return fail(Errc::corrupt, "payment method " + method.id + " has no card");
        }
        co_return Pan{known->number};
    }
    VaultToken token{method.vault_token};
    co_return co_await parts_.vault.get(payment.owner, std::move(token));
}

// An approval counts for what it approves, whatever the rail.
asio::awaitable<Reply> Payments::send(Case const& payment, CardSecrets secrets, bool repeat) {
    Attempt const& attempt = payment.attempt.value;
    Reply reply = co_await hand_over(payment, std::move(secrets), repeat);
    connectors::hold_against(reply, amount_of(attempt), attempt.operation == "authorise");
    co_return reply;
}

asio::awaitable<Reply> Payments::hand_over(Case const& payment, CardSecrets secrets, bool repeat) {
    Attempt const& attempt = payment.attempt.value;
    auto* const connector = connector_named(attempt.connector);
    Reply failed{
        .outcome = Outcome::not_sent,
        .approved = {},
        .response_code = {},
        .authorization_code = {},
        .network_transaction_id = {},
        .detail = {}
    };
    FLORIN_FAILPOINT(attempt.operation, "intent_durable");
    if (connector == nullptr) {
        failed.detail = "connector " + attempt.connector + " is not configured";
        co_return failed;
    }
    auto pan = co_await card_number(payment);
    if (!pan) {
        log::error("vault.read_failed", {{"attempt", attempt.id}, {"what", pan.error().context}});
        failed.detail = "the card cannot be read from the vault";
        co_return failed;
    }
    Money const amount = amount_of(attempt);
    // As it was authorised: what became of the payment method since is not this payment's, and a
    // repeat is the same message.
    connectors::Card card{
        .pan = std::move(*pan),
        .exp_month = static_cast<int>(payment.charge.value.exp_month),
        .exp_year = static_cast<int>(payment.charge.value.exp_year),
        .cvv = {},
    };
    connectors::Terminal terminal = terminal_of(*payment.merchant);
    if (attempt.operation == "authorise") {
        card.cvv = std::move(secrets.cvc);
        connectors::AuthoriseRequest request{
            .identity = identity_of(attempt),
            .amount = amount,
            .card = std::move(card),
            .terminal = std::move(terminal),
            .authentication = authentication_of(payment.charge.value, std::move(secrets)),
            .credential = credential_use(payment.intent.value, payment.method.value),
            .original_network_transaction_id =
                original_payment(payment.intent.value, payment.method.value),
            .is_mail_or_telephone = payment.charge.value.moto,
        };
        co_return co_await connector->authorise(std::move(request));
    }
    FLORIN_CHECK(payment.original.has_value(), "this operation is about another one");
    connectors::OriginalReference original = reference_to(payment.original->value);
    if (attempt.operation == "capture") {
        connectors::CaptureRequest request{
            identity_of(attempt),
            amount,
            std::move(card),
            std::move(terminal),
            std::move(original),
            repeat
        };
        co_return co_await connector->capture(std::move(request));
    }
    if (attempt.operation == "refund") {
        connectors::RefundRequest request{
            identity_of(attempt),
            amount,
            std::move(card),
            std::move(terminal),
            std::move(original),
            repeat
        };
        co_return co_await connector->refund(std::move(request));
    }
    connectors::ReversalReason const reason =
        attempt.reason == "canceled"        ? connectors::ReversalReason::cancelled
        : attempt.reason == "late_approval" ? connectors::ReversalReason::late_approval
                                            : connectors::ReversalReason::no_answer;
    connectors::ReverseRequest request{
        .identity = identity_of(attempt),
        .amount = amount,
        .remaining = std::nullopt,
        .card = std::move(card),
        .terminal = std::move(terminal),
        .original = std::move(original),
        .reason = reason,
        .repeat = repeat,
    };
    co_return co_await connector->reverse(std::move(request));
}

// What became of it; by a connector that can ask.
asio::awaitable<Reply> Payments::inquire(Case const& payment) {
    Attempt const& attempt = payment.attempt.value;
    auto* const connector = connector_named(attempt.connector);
    FLORIN_CHECK(connector != nullptr, "who is driven has a connector");
    connectors::InquireRequest request{
        .identity = identity_of(attempt),
        .operation = attempt.operation == "refund" ? connectors::InquiredOperation::refund
                                                   : connectors::InquiredOperation::authorise,
        .amount = amount_of(attempt),
        .terminal = terminal_of(*payment.merchant),
    };
    Reply reply = co_await connector->inquire(std::move(request));
    connectors::hold_against(reply, amount_of(attempt), attempt.operation == "authorise");
    co_return reply;
}

}  // namespace florin::flow
