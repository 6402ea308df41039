#include "daemon/model/documents.h"

#include "crypto/hash.h"
#include "daemon/model/json_document.h"

namespace florin::model {

// Field names as stored: those of the structs. What is not there keeps its default.
FLORIN_FIELDS(Address, city, country, line1, line2, postal_code, state)
FLORIN_FIELDS(BillingDetails, address, email, name, phone, tax_id)
FLORIN_FIELDS(Shipping, address, name, phone, carrier, tracking_number)
FLORIN_FIELDS(
    Merchant,
    id,
    name,
    country,
    default_currency,
    fee_basis_points,
    fee_fixed_minor,
    availability_days,
    category_code,
    acceptor_id,
    terminal_id,
    iban,
    account_holder,
    created
)
FLORIN_FIELDS(
    ApiKey,
    id,
    kind,
    merchant,
    mode,
    hash,
    name,
    rights,
    revoked,
    created,
    expires,
    created_by,
    revoked_by,
    makers,
    requests_per_second,
    burst_requests,
    in_flight_max
)
FLORIN_FIELDS(
    Customer,
    id,
    email,
    name,
    phone,
    description,
    default_payment_method,
    address,
    has_shipping,
    shipping,
    metadata,
    created,
    deleted
)
FLORIN_FIELDS(
    PaymentMethod,
    id,
    brand,
    last4,
    funding,
    country,
    fingerprint,
    vault_token,
    sandbox_token,
    exp_month,
    exp_year,
    created,
    customer,
    cvc_check,
    spent_by,
    network_transaction_id,
    billing_details,
    metadata
)
FLORIN_FIELDS(
    PaymentError,
    code,
    decline_code,
    advice_code,
    network_decline_code,
    message,
    charge,
    payment_method
)
FLORIN_FIELDS(
    ThreeDSecure, electronic_commerce_indicator, version, transaction_id, trans_status, exemption
)
FLORIN_FIELDS(
    CardOptions,
    request_three_d_secure,
    capture_method,
    setup_future_usage,
    network_transaction_id,
    moto,
    three_d_secure
)
FLORIN_FIELDS(
    PaymentIntent,
    id,
    merchant,
    currency,
    amount,
    status,
    capture_method,
    confirmation_method,
    client_secret,
    payment_method,
    latest_charge,
    amount_capturable,
    amount_received,
    amount_refunding,
    created,
    canceled_at,
    is_canceling,
    cancellation_reason,
    customer,
    description,
    receipt_email,
    return_url,
    setup_future_usage,
    statement_descriptor,
    statement_descriptor_suffix,
    transfer_group,
    off_session,
    payment_method_types,
    allowed_payment_method_types,
    excluded_payment_method_types,
    automatic_payment_methods,
    allow_redirects,
    card_options,
    has_shipping,
    shipping,
    metadata,
    last_payment_error,
    live_attempt,
    pending_transfer,
    connector,
    authorised_attempt,
    captured_attempt,
    expiry_timer_ns
)
FLORIN_FIELDS(
    Charge,
    id,
    payment_intent,
    currency,
    status,
    amount,
    amount_captured,
    amount_refunded,
    fee,
    captured,
    paid,
    refunded,
    created,
    payment_method,
    failure_code,
    failure_message,
    description,
    customer,
    receipt_email,
    statement_descriptor,
    statement_descriptor_suffix,
    transfer_group,
    authorization_code,
    network_transaction_id,
    outcome_type,
    outcome_network_status,
    outcome_reason,
    outcome_seller_message,
    outcome_network_decline_code,
    outcome_advice_code,
    brand,
    last4,
    funding,
    country,
    fingerprint,
    exp_month,
    exp_year,
    three_d_secure,
    off_session,
    moto,
    fraud_report,
    balance_transaction,
    billing_details,
    has_shipping,
    shipping,
    metadata
)
FLORIN_FIELDS(
    Refund,
    id,
    payment_intent,
    charge,
    currency,
    status,
    reason,
    failure_reason,
    payment_method,
    customer,
    reference,
    amount,
    created,
    attempt,
    pending_transfer,
    balance_transaction,
    metadata
)
FLORIN_FIELDS(Evidence, source, outcome, code, amount, time_ms, reference)
FLORIN_FIELDS(
    Attempt,
    id,
    operation,
    payment_intent,
    charge,
    refund,
    connector,
    payment_method,
    original,
    currency,
    amount,
    approved_amount,
    state,
    stan,
    rrn,
    transmission_time,
    authorization_code,
    response_code,
    pending_transfer,
    evidence,
    idempotency_key,
    sends,
    created,
    closed,
    not_found,
    reason,
    timer_ns,
    link
)
FLORIN_FIELDS(IdempotencyKey, fingerprint, request_id, done, status, body, sealed, created, attempt)
FLORIN_FIELDS(GivenUp, owner, attempt)
FLORIN_FIELDS(MerchantCurrency, currency)
FLORIN_FIELDS(LedgerCurrency, currency, digits)
FLORIN_FIELDS(PaymentRefund, refund)

std::string_view mode_name(Mode mode) {
    return mode == Mode::test ? "test" : "live";
}

std::string owner_of(std::string_view merchant, Mode mode) {
    return std::string{merchant} + "/" + std::string{mode_name(mode)};
}

Mode mode_of(std::string_view owner) {
    return owner.ends_with("/live") ? Mode::live : Mode::test;
}

std::string link_id(std::string_view from, std::string_view to) {
    return std::string{from} + "/" + std::string{to};
}

std::string link_digest(std::string_view text) {
    return crypto::hex(crypto::sha256(text)).substr(0, 32);
}

bool is_captured_later(PaymentIntent const& intent) {
    return intent.capture_method == "manual" || intent.card_options.capture_method == "manual";
}

std::string future_usage(PaymentIntent const& intent) {
    std::string const& usage = intent.card_options.setup_future_usage.empty()
                                   ? intent.setup_future_usage
                                   : intent.card_options.setup_future_usage;
    return usage == "none" ? "" : usage;
}

ledger::DocumentKey key_of(Kind kind, std::string owner, std::string id) {
    return {static_cast<std::uint16_t>(kind), std::move(owner), std::move(id)};
}

FLORIN_DOCUMENT(Merchant)
FLORIN_DOCUMENT(ApiKey)
FLORIN_DOCUMENT(Customer)
FLORIN_DOCUMENT(PaymentMethod)
FLORIN_DOCUMENT(PaymentIntent)
FLORIN_DOCUMENT(Charge)
FLORIN_DOCUMENT(Refund)
FLORIN_DOCUMENT(Attempt)
FLORIN_DOCUMENT(IdempotencyKey)
FLORIN_DOCUMENT(GivenUp)
FLORIN_DOCUMENT(MerchantCurrency)
FLORIN_DOCUMENT(LedgerCurrency)
FLORIN_DOCUMENT(PaymentRefund)

}  // namespace florin::model
