// The documents of the journal as the daemon knows them: merchants, keys, payments and what belongs
// to them. Stored as JSON; a field that is missing on reading has its default.
//
// Amounts are ISO 4217 minor units; times are seconds since 1970 UTC unless a name says otherwise.
// Thread rule: values.
#pragma once

#include "ledger/base/result.h"
#include "ledger/effects.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace florin::model {

// Kinds of documents; stored, never reused.
enum class Kind : std::uint16_t {
    merchant = 1,
    api_key = 2,
    payment_intent = 3,
    charge = 4,
    refund = 5,
    payment_method = 6,
    attempt = 7,
    idempotency_key = 8,
    route = 9,
    open_attempt = 10,       // a mark, by the id of each attempt whose outcome is not final
    merchant_currency = 11,  // one for each currency a merchant has accounts in
    ledger_currency = 12,    // the frozen exponent of a ledger number
    payment_refund = 13,     // id "<payment>/<refund>": refunds of a payment
    given_up = 16,           // an attempt that was given up, by what the bank knows it by
    settlement_batch = 20,
    payout = 21,
    statement_line = 22,
    recon_break = 23,
    cursor = 24,
    availability = 25,         // one for each captured payment whose money is still pending
    settlement_position = 26,  // one for each merchant and currency
    batch_payout = 27,         // id "<batch>/<merchant>/<currency>"
    expected_line = 28,        // one for each attempt that an acquirer has to report
    statement = 29,
    unmatched_line = 30,        // one for each statement line that nothing explains yet
    payout_reference = 31,      // what an acquirer says it pays together
    reported_transaction = 32,  // one for each attempt that an acquirer has reported
    balance_transaction = 33,   // one for each posting that changed a merchant's balance
    totals = 34,                // id "<date>/<currency>": what was compared at the cut-over
    totals_cursor = 35,         // the last business date whose totals were made
    webhook_endpoint = 40,
    webhook_queue = 41,        // what an endpoint has been told so far
    webhook_delivery = 42,     // id "<queue>/<event>": one for each that failed
    webhook_due = 43,          // id "<queue>/<time>/<event>": when it is tried again
    webhook_gap = 44,          // id "<queue>/<sequence>/<index>": events nobody was told in time
    webhook_endpoints = 45,    // one for each owner: how many were made
    attempt_resolutions = 50,  // what operators decided about an attempt
    customer = 60,
    // Links, without a body: id "<what is asked for>/<what is found>" (link_id below).
    customer_intent = 61,
    customer_charge = 62,
    customer_method = 63,
    payment_charge = 64,
    email_customer = 65,      // by a keyed digest of the address
    group_charge = 66,        // by a digest of the transfer_group
    payout_transaction = 67,  // by payout_rows() of model/balance.h: what a payout is made of
};

// Test and live are separate worlds: part of every key.
enum class Mode { test, live };
std::string_view mode_name(Mode mode);

// Whose a document is: "acct_x/test". Platform-wide ones belong to "platform/test".
std::string owner_of(std::string_view merchant, Mode mode);
Mode mode_of(std::string_view owner);
ledger::DocumentKey key_of(Kind kind, std::string owner, std::string id);
// Links from one thing stand together, in the order of what they lead to.
std::string link_id(std::string_view from, std::string_view to);
// What stands for a text in a link: texts may be long, and a slash in one would blur where it ends.
std::string link_digest(std::string_view text);

using Metadata = std::map<std::string, std::string>;

struct Address {
    std::string city, country, line1, line2, postal_code, state;
    friend bool operator==(Address const&, Address const&) = default;
};
struct BillingDetails {
    Address address;
    std::string email, name, phone, tax_id;
};
struct Shipping {
    Address address;
    std::string name, phone, carrier, tracking_number;
};

struct Merchant {
    static constexpr Kind kKind = Kind::merchant;
    std::string id, name, country;
    std::string default_currency;          // alphabetic, upper case
    std::int64_t fee_basis_points = 0;     // of each capture
    std::int64_t fee_fixed_minor = 0;      // of each capture, in the charge's currency
    std::int64_t availability_days = 0;    // T+N
    std::string category_code;             // ISO 18245
    std::string acceptor_id, terminal_id;  // fields 42 and 41 of ISO 8583
    std::string iban, account_holder;      // where payouts go
    std::int64_t created = 0;
};

struct ApiKey {
    static constexpr Kind kKind = Kind::api_key;
    std::string id;        // the public part
    std::string kind;      // secret, restricted, publishable, admin
    std::string merchant;  // empty for admin keys
    std::string mode;
    std::string hash;                           // hexadecimal HMAC-SHA256 of the whole key
    std::string name;                           // of an admin key: the person who has it
    std::map<std::string, std::string> rights;  // resource to "read" or "write" (api/rights.h)
    bool revoked = false;
    std::int64_t created = 0;
    std::int64_t expires = 0;            // not accepted from then on; 0: never
    std::string created_by, revoked_by;  // the person with the admin key, or how it came about
    // The persons behind the key that this one was made or rolled with, the first one last: what
    // one person makes through others is theirs too. Not in it: created_by.
    std::vector<std::string> makers;
    // 0: what the configuration says for its mode.
    std::int64_t requests_per_second = 0, burst_requests = 0, in_flight_max = 0;
};

struct Customer {
    static constexpr Kind kKind = Kind::customer;
    std::string id, email, name, phone, description;
    std::string default_payment_method;
    Address address;
    bool has_shipping = false;
    Shipping shipping;
    Metadata metadata;
    std::int64_t created = 0;
    bool deleted = false;  // then nothing but the id is left
};

struct PaymentMethod {
    static constexpr Kind kKind = Kind::payment_method;
    std::string id, brand, last4, funding, country, fingerprint, vault_token;
    std::string sandbox_token;  // the test token it was made from, e.g. "pm_card_visa"
    std::int64_t exp_month = 0, exp_year = 0, created = 0;
    std::string customer, cvc_check;
    // Not to be used again: the payment that used it without a customer, or "detached".
    std::string spent_by;
    std::string network_transaction_id;  // of the payment that it was kept from
    BillingDetails billing_details;
    Metadata metadata;
};

// What the last refusal was, for last_payment_error and the 402.
struct PaymentError {
    std::string code, decline_code, advice_code, network_decline_code, message, charge,
        payment_method;
    bool empty() const { return code.empty(); }
};

// What a 3-D Secure server of the merchant's own choice found. The cryptogram is never stored.
struct ThreeDSecure {
    std::string electronic_commerce_indicator, version, transaction_id;
    std::string trans_status;  // of the ARes or RReq: A, C, I, N, R, U, Y
    std::string exemption;     // low_risk, none
    friend bool operator==(ThreeDSecure const&, ThreeDSecure const&) = default;
};

// payment_method_options[card]; empty: not given.
struct CardOptions {
    std::string request_three_d_secure, capture_method, setup_future_usage;
    std::string network_transaction_id;  // of an earlier payment, which this one follows
    bool moto = false;                   // the order came by mail or telephone
    ThreeDSecure three_d_secure;
    friend bool operator==(CardOptions const&, CardOptions const&) = default;
};

struct PaymentIntent {
    static constexpr Kind kKind = Kind::payment_intent;
    std::string id, merchant, currency;  // alphabetic, upper case
    std::int64_t amount = 0;
    std::string status;  // as on the wire
    std::string capture_method = "automatic";
    std::string confirmation_method = "automatic";
    std::string client_secret, payment_method, latest_charge;
    std::int64_t amount_capturable = 0, amount_received = 0;
    std::int64_t amount_refunding = 0;  // refunded or on its way
    std::int64_t created = 0, canceled_at = 0;
    // A cancel or the expiry was decided: when what was authorised is given back, it is canceled.
    bool is_canceling = false;
    std::string cancellation_reason, customer, description, receipt_email, return_url,
        setup_future_usage, statement_descriptor, statement_descriptor_suffix, transfer_group;
    std::string off_session;  // of the last confirmation: "", "one_off", "recurring", "true"
    std::vector<std::string> payment_method_types, allowed_payment_method_types,
        excluded_payment_method_types;
    std::string automatic_payment_methods;  // "": not said; "enabled", "disabled"
    std::string allow_redirects;
    CardOptions card_options;
    bool has_shipping = false;
    Shipping shipping;
    Metadata metadata;
    PaymentError last_payment_error;
    std::string live_attempt;      // the one attempt under way or authorised
    std::string pending_transfer;  // decimal id of the reservation in the ledger
    std::string connector;         // that authorised it
    std::string authorised_attempt, captured_attempt;
    std::uint64_t expiry_timer_ns = 0;  // an uncaptured authorisation is given back then; 0: never
};

struct Charge {
    static constexpr Kind kKind = Kind::charge;
    std::string id, payment_intent, currency, status;  // succeeded, pending, failed
    std::int64_t amount = 0, amount_captured = 0, amount_refunded = 0, fee = 0;
    bool captured = false, paid = false, refunded = false;
    std::int64_t created = 0;
    std::string payment_method, failure_code, failure_message, description, customer, receipt_email,
        statement_descriptor, statement_descriptor_suffix, transfer_group;
    std::string authorization_code, network_transaction_id;
    std::string outcome_type, outcome_network_status, outcome_reason, outcome_seller_message,
        outcome_network_decline_code, outcome_advice_code;
    std::string brand, last4, funding, country, fingerprint;
    std::int64_t exp_month = 0, exp_year = 0;
    ThreeDSecure three_d_secure;
    std::string off_session;  // as the intent has it
    bool moto = false;
    std::string fraud_report;         // what the merchant says: "", "fraudulent", "safe"
    std::string balance_transaction;  // empty: not captured
    BillingDetails billing_details;
    bool has_shipping = false;
    Shipping shipping;
    Metadata metadata;
};

// The options of the card go before those of the payment.
bool is_captured_later(PaymentIntent const& intent);
// "", "on_session" or "off_session".
std::string future_usage(PaymentIntent const& intent);

struct Refund {
    static constexpr Kind kKind = Kind::refund;
    std::string id, payment_intent, charge, currency, status, reason, failure_reason,
        payment_method, customer;
    std::string reference;  // the STAN that the bank knows it by; empty: none (yet)
    std::int64_t amount = 0, created = 0;
    std::string attempt, pending_transfer;
    std::string balance_transaction;  // empty: not booked
    Metadata metadata;
};

// What somebody said about an attempt. States follow from the set of these (flow/evidence.h).
struct Evidence {
    std::string source;   // reply, late_reply, reversal_ack, inquiry, report_line, statement_line,
                          // operator; reversal_intent, refund_intent, suspense_entry: what was done
                          // because of these
    std::string outcome;  // approved, declined, pending, unknown, not_sent, reversed, not_found; of
                          // a reversal_intent: late_approval, or nothing
    std::string code;     // field 39 where there is one
    std::int64_t amount = 0;
    std::int64_t time_ms = 0;
    std::string reference;
};

struct Attempt {
    static constexpr Kind kKind = Kind::attempt;
    std::string id, operation;  // authorise, capture, void, refund
    std::string payment_intent, charge, refund, connector, payment_method;
    std::string original;  // the authorisation that a capture, void or refund is about
    std::string currency;
    std::int64_t amount = 0, approved_amount = 0;
    std::string state;  // intent, approved, declined, pending, unknown, not_sent, reversed, closed
    std::uint64_t stan = 0;
    std::string rrn, transmission_time, authorization_code, response_code;
    std::string pending_transfer;
    std::vector<Evidence> evidence;
    std::string idempotency_key;  // left open by this attempt; empty once completed
    std::int64_t sends = 0, created = 0, closed = 0;
    std::int64_t not_found = 0;  // answers "not found" to a reversal
    // Of a void: canceled, no_answer, partial_approval, late_approval, capture_declined. Of a
    // refund that no merchant asked for: second_success.
    std::string reason;
    std::uint64_t timer_ns = 0;  // when it is driven again; 0: no timer is set
    std::uint64_t link = 0;      // of the connector that its STAN is of; 0: the first
};

struct IdempotencyKey {
    static constexpr Kind kKind = Kind::idempotency_key;
    std::string fingerprint;  // hexadecimal HMAC-SHA-256 of endpoint and parameters
    std::string request_id;   // of the first request
    bool done = false;
    std::int64_t status = 0;
    std::string body;
    bool sealed = false;  // the body holds a secret and is encrypted (webhooks/secrets.h)
    std::int64_t created = 0;
    std::string attempt;  // whose first outcome the answer is; the key is kept while it is open
};

// Finds an attempt that was given up and of which something may still be heard, however late. Owner
// "connector/<connector>", id "<field 7>/<field 11>", and "/<link>" where that is not the first; or
// the attempt's id where there is no STAN.
struct GivenUp {
    static constexpr Kind kKind = Kind::given_up;
    std::string owner, attempt;
};

struct MerchantCurrency {
    static constexpr Kind kKind = Kind::merchant_currency;
    std::string currency;
};

struct LedgerCurrency {
    static constexpr Kind kKind = Kind::ledger_currency;
    std::string currency;
    std::int64_t digits = 0;
};

struct PaymentRefund {
    static constexpr Kind kKind = Kind::payment_refund;
    std::string refund;
};

// JSON text of a document, and back; Errc::corrupt names the kind.
template <class T>
std::string to_text(T const& document);
template <class T>
Result<T> from_text(std::string_view text);

}  // namespace florin::model
