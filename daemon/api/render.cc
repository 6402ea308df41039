#include "daemon/api/render.h"

#include "daemon/api/render_parts.h"
#include "daemon/model/settlement.h"
#include "ledger/base/check.h"
#include "ledger/base/money.h"

namespace florin::api {
namespace {

using flow::Objects;

bool is_live(std::string const& owner) {
    return owner.ends_with("/live");
}

}  // namespace

Unstored unstored_of(Objects const& objects) {
    return {
        .intent = &objects.intent,
        .charge = objects.charge,
        .method = objects.method,
        .refund = objects.refund,
        .transaction = objects.transaction,
    };
}

Json ObjectRenderer::customer_member(
    std::string const& owner, std::string const& id, Expansions const& expand, Unstored unstored
) const {
    std::optional<model::Customer> place;
    if (expand.has("customer") && !id.empty()) {
        if (auto const* const found = look_up(owner, id, unstored.customer, place)) {
            return customer_json(owner, *found, expand.below("customer"), unstored);
        }
    }
    return text_or_null(id);
}

Json ObjectRenderer::method_member(
    std::string const& owner,
    std::string const& id,
    Expansions const& expand,
    std::string const& name,
    Unstored unstored
) const {
    std::optional<model::PaymentMethod> place;
    if (expand.has(name) && !id.empty()) {
        if (auto const* const found = look_up(owner, id, unstored.method, place)) {
            return method_json(owner, *found, expand.below(name), unstored);
        }
    }
    return text_or_null(id);
}

Json ObjectRenderer::charge_member(
    std::string const& owner,
    std::string const& id,
    Expansions const& expand,
    std::string const& name,
    Unstored unstored
) const {
    std::optional<model::Charge> place;
    if (expand.has(name) && !id.empty()) {
        if (auto const* const found = look_up(owner, id, unstored.charge, place)) {
            return charge_json(owner, *found, expand.below(name), unstored);
        }
    }
    return text_or_null(id);
}

Json ObjectRenderer::intent_member(
    std::string const& owner, std::string const& id, Expansions const& expand, Unstored unstored
) const {
    constexpr char const* kName = "payment_intent";
    std::optional<model::PaymentIntent> place;
    if (expand.has(kName) && !id.empty()) {
        if (auto const* const found = look_up(owner, id, unstored.intent, place)) {
            return intent_json(owner, *found, expand.below(kName), unstored);
        }
    }
    return text_or_null(id);
}

Json ObjectRenderer::customer_json(
    std::string const& owner,
    model::Customer const& customer,
    Expansions const& expand,
    Unstored unstored
) const {
    unstored.customer = &customer;
    if (customer.deleted) {
        return {{"id", customer.id}, {"object", "customer"}, {"deleted", true}};
    }
    constexpr char const* kDefault = "default_payment_method";
    Expansions const settings = expand.below("invoice_settings");
    Json const method =
        method_member(owner, customer.default_payment_method, settings, kDefault, unstored);
    return {
        {"id", customer.id},
        {"object", "customer"},
        {"address", address_json(customer.address)},
        {"balance", 0},
        {"created", customer.created},
        {"currency", nullptr},
        {"default_source", nullptr},
        {"delinquent", false},
        {"description", text_or_null(customer.description)},
        {"email", text_or_null(customer.email)},
        {"invoice_settings",
         {{"custom_fields", nullptr},
          {kDefault, method},
          {"footer", nullptr},
          {"rendering_options", nullptr}}},
        {"livemode", is_live(owner)},
        {"metadata", metadata_json(customer.metadata)},
        {"name", text_or_null(customer.name)},
        {"phone", text_or_null(customer.phone)},
        {"shipping", shipping_json(customer.has_shipping, customer.shipping)},
    };
}

Json ObjectRenderer::method_json(
    std::string const& owner,
    model::PaymentMethod const& method,
    Expansions const& expand,
    Unstored unstored
) const {
    unstored.method = &method;
    Json networks = nullptr;
    if (method.brand != "unknown") {
        networks = {{"available", std::vector<std::string>{method.brand}}, {"preferred", nullptr}};
    }
    return {
        {"id", method.id},
        {"object", "payment_method"},
        {"billing_details", billing_json(method.billing_details)},
        {"card",
         {{"brand", method.brand},
          {"checks",
           {{"address_line1_check", nullptr},
            {"address_postal_code_check", nullptr},
            {"cvc_check", text_or_null(method.cvc_check)}}},
          {"country", text_or_null(method.country)},
          {"display_brand", method.brand},
          {"exp_month", method.exp_month},
          {"exp_year", method.exp_year},
          {"fingerprint", text_or_null(method.fingerprint)},
          {"funding", method.funding},
          {"generated_from", nullptr},
          {"last4", method.last4},
          {"networks", networks},
          {"regulated_status", nullptr},
          {"three_d_secure_usage", {{"supported", true}}},
          {"wallet", nullptr}}},
        {"created", method.created},
        {"customer", customer_member(owner, method.customer, expand, unstored)},
        {"customer_account", nullptr},
        {"livemode", is_live(owner)},
        {"metadata", metadata_json(method.metadata)},
        {"type", "card"},
    };
}

// The newest refunds; a payment may have more than one charge, but only one is refunded.
Json ObjectRenderer::refunds_of(
    std::string const& owner, model::Charge const& charge, Unstored const& unstored
) const {
    constexpr std::size_t kShown = 10;
    Json refunds = Json::array();
    std::size_t shown = 0;
    // Links of one payment stand together; '0' follows '/'.
    auto const links = reader_.list(
        {.kind = static_cast<std::uint16_t>(model::Kind::payment_refund),
         .owner = owner,
         .after = charge.payment_intent + "0",
         .newest_first = true,
         .limit = kShown + 1}
    );
    std::string const prefix = model::link_id(charge.payment_intent, "");
    bool has_more = false;
    for (auto const& link : links.value_or(std::vector<ledger::Document>{})) {
        if (!link.key.id.starts_with(prefix)) {
            break;
        }
        std::optional<model::Refund> place;
        auto const* const refund =
            look_up(owner, link.key.id.substr(prefix.size()), unstored.refund, place);
        if (refund == nullptr || refund->charge != charge.id) {
            continue;
        }
        has_more = shown == kShown;
        if (has_more) {
            break;
        }
        ++shown;
        refunds.push_back(refund_json(owner, *refund, {}));
    }
    return {
        {"object", "list"},
        {"data", refunds},
        {"has_more", has_more},
        {"url", "/v1/charges/" + charge.id + "/refunds"},
    };
}

Json ObjectRenderer::charge_json(
    std::string const& owner,
    model::Charge const& charge,
    Expansions const& expand,
    Unstored unstored
) const {
    unstored.charge = &charge;
    Json fraud = Json::object();
    if (!charge.fraud_report.empty()) {
        fraud.add("user_report", charge.fraud_report);
    }
    Json json = {
        {"id", charge.id},
        {"object", "charge"},
        {"amount", wire_amount(charge.amount, charge.currency)},
        {"amount_captured", wire_amount(charge.amount_captured, charge.currency)},
        {"amount_refunded", wire_amount(charge.amount_refunded, charge.currency)},
        {"application", nullptr},
        {"application_fee", nullptr},
        {"application_fee_amount", nullptr},
        {"balance_transaction",
         transaction_member(owner, charge.balance_transaction, expand, unstored)},
        {"billing_details", billing_json(charge.billing_details)},
        {"calculated_statement_descriptor", text_or_null(calculated_descriptor(charge))},
        {"captured", charge.captured},
        {"created", charge.created},
        {"currency", lower(charge.currency)},
        {"customer", customer_member(owner, charge.customer, expand, unstored)},
        {"description", text_or_null(charge.description)},
        {"disputed", false},
        {"failure_balance_transaction", nullptr},
        {"failure_code", text_or_null(charge.failure_code)},
        {"failure_message", text_or_null(charge.failure_message)},
        {"fraud_details", fraud},
        {"livemode", is_live(owner)},
        {"metadata", metadata_json(charge.metadata)},
        {"on_behalf_of", nullptr},
        {"outcome", outcome_json(charge)},
        {"paid", charge.paid},
        {"payment_intent", intent_member(owner, charge.payment_intent, expand, unstored)},
        {"payment_method", text_or_null(charge.payment_method)},
        {"payment_method_details", {{"card", card_details_json(charge)}, {"type", "card"}}},
        {"receipt_email", text_or_null(charge.receipt_email)},
        {"receipt_number", nullptr},
        {"receipt_url", nullptr},
        {"refunded", charge.refunded},
        {"review", nullptr},
        {"shipping", shipping_json(charge.has_shipping, charge.shipping)},
        {"source", nullptr},
        {"source_transfer", nullptr},
        {"statement_descriptor", text_or_null(charge.statement_descriptor)},
        {"statement_descriptor_suffix", text_or_null(charge.statement_descriptor_suffix)},
        {"status", charge.status},
        {"transfer_data", nullptr},
        {"transfer_group", text_or_null(charge.transfer_group)},
    };
    if (expand.has("refunds")) {
        json.add("refunds", refunds_of(owner, charge, unstored));
    }
    return json;
}

Json ObjectRenderer::intent_json(
    std::string const& owner, Objects const& objects, Expansions const& expand
) const {
    return intent_json(owner, objects.intent, expand, unstored_of(objects));
}

Json ObjectRenderer::intent_json(
    std::string const& owner,
    model::PaymentIntent const& intent,
    Expansions const& expand,
    Unstored unstored
) const {
    unstored.intent = &intent;
    Json last_error = nullptr;
    if (!intent.last_payment_error.empty()) {
        last_error = refusal_json(intent.last_payment_error);
        std::optional<model::PaymentMethod> place;
        if (auto const* const method =
                look_up(owner, intent.last_payment_error.payment_method, unstored.method, place)) {
            last_error.add("payment_method", method_json(owner, *method, {}));
        }
    }
    Json automatic = nullptr;
    if (!intent.automatic_payment_methods.empty()) {
        bool const says = !intent.allow_redirects.empty();
        automatic = {
            {"allow_redirects", says ? intent.allow_redirects : "always"},
            {"enabled", intent.automatic_payment_methods == "enabled"}
        };
    }
    return {
        {"id", intent.id},
        {"object", "payment_intent"},
        {"allowed_payment_method_types", texts_or_null(intent.allowed_payment_method_types)},
        {"amount", wire_amount(intent.amount, intent.currency)},
        {"amount_capturable", wire_amount(intent.amount_capturable, intent.currency)},
        {"amount_received", wire_amount(intent.amount_received, intent.currency)},
        {"application", nullptr},
        {"application_fee_amount", nullptr},
        {"automatic_payment_methods", automatic},
        {"canceled_at", time_or_null(intent.canceled_at)},
        {"cancellation_reason", text_or_null(intent.cancellation_reason)},
        {"capture_method", intent.capture_method},
        {"client_secret", text_or_null(intent.client_secret)},
        {"confirmation_method", intent.confirmation_method},
        {"created", intent.created},
        {"currency", lower(intent.currency)},
        {"customer", customer_member(owner, intent.customer, expand, unstored)},
        {"customer_account", nullptr},
        {"description", text_or_null(intent.description)},
        {"excluded_payment_method_types", texts_or_null(intent.excluded_payment_method_types)},
        {"last_payment_error", last_error},
        {"latest_charge",
         charge_member(owner, intent.latest_charge, expand, "latest_charge", unstored)},
        {"livemode", is_live(owner)},
        {"managed_payments", nullptr},
        {"metadata", metadata_json(intent.metadata)},
        {"next_action", nullptr},
        {"on_behalf_of", nullptr},
        {"payment_method",
         method_member(owner, intent.payment_method, expand, "payment_method", unstored)},
        {"payment_method_configuration_details", nullptr},
        {"payment_method_options", {{"card", card_options_json(intent.card_options)}}},
        {"payment_method_types", intent.payment_method_types},
        {"payment_record", nullptr},
        {"processing", nullptr},
        {"receipt_email", text_or_null(intent.receipt_email)},
        {"review", nullptr},
        {"setup_future_usage", text_or_null(intent.setup_future_usage)},
        {"shipping", shipping_json(intent.has_shipping, intent.shipping)},
        {"source", nullptr},
        {"statement_descriptor", text_or_null(intent.statement_descriptor)},
        {"statement_descriptor_suffix", text_or_null(intent.statement_descriptor_suffix)},
        {"status", intent.status},
        {"transfer_group", text_or_null(intent.transfer_group)},
    };
}

Json ObjectRenderer::refund_json(
    std::string const& owner,
    model::Refund const& refund,
    Expansions const& expand,
    Unstored unstored
) const {
    unstored.refund = &refund;
    Json json = {
        {"id", refund.id},
        {"object", "refund"},
        {"amount", wire_amount(refund.amount, refund.currency)},
        {"balance_transaction",
         transaction_member(owner, refund.balance_transaction, expand, unstored)},
        {"charge", charge_member(owner, refund.charge, expand, "charge", unstored)},
        {"created", refund.created},
        {"currency", lower(refund.currency)},
        {"customer", customer_member(owner, refund.customer, expand, unstored)},
        {"customer_account", nullptr},
        {"destination_details", destination_json(refund)},
        {"metadata", metadata_json(refund.metadata)},
        {"payment_intent", intent_member(owner, refund.payment_intent, expand, unstored)},
        {"payment_method",
         method_member(owner, refund.payment_method, expand, "payment_method", unstored)},
        {"reason", text_or_null(refund.reason)},
        {"receipt_number", nullptr},
        {"source_transfer_reversal", nullptr},
        {"status", refund.status},
        {"transfer_reversal", nullptr},
    };
    if (!refund.failure_reason.empty()) {
        json.add("failure_reason", refund.failure_reason);
    }
    return json;
}

std::string ObjectRenderer::intent(Objects const& objects) const {
    return intent_json(objects.owner, objects, {}).text();
}
std::string ObjectRenderer::charge(Objects const& objects) const {
    FLORIN_CHECK(objects.charge != nullptr, "an event about a charge has one");
    return charge_json(objects.owner, *objects.charge, {}).text();
}
std::string ObjectRenderer::refund(Objects const& objects) const {
    FLORIN_CHECK(objects.refund != nullptr, "an event about a refund has one");
    return refund_json(objects.owner, *objects.refund, {}).text();
}

std::string ObjectRenderer::method(Objects const& objects) const {
    FLORIN_CHECK(objects.method != nullptr, "an event about a payment method has one");
    return method_json(objects.owner, *objects.method, {}).text();
}

std::string ObjectRenderer::balance(flow::Balance const& balance) const {
    return balance_json(balance).text();
}

Result<std::string> ObjectRenderer::document(
    model::Kind kind, std::string const& owner, std::string_view text
) const {
    if (kind == model::Kind::payment_intent) {
        FLORIN_TRY(auto const intent, model::from_text<model::PaymentIntent>(text));
        return intent_json(owner, intent, {}, {}).text();
    }
    if (kind == model::Kind::charge) {
        FLORIN_TRY(auto const charge, model::from_text<model::Charge>(text));
        return charge_json(owner, charge, {}).text();
    }
    if (kind == model::Kind::refund) {
        FLORIN_TRY(auto const refund, model::from_text<model::Refund>(text));
        return refund_json(owner, refund, {}).text();
    }
    if (kind == model::Kind::payment_method) {
        FLORIN_TRY(auto const method, model::from_text<model::PaymentMethod>(text));
        return method_json(owner, method, {}).text();
    }
    return fail(
        Errc::unsupported,
        "documents of kind " + std::to_string(static_cast<int>(kind)) + " are not rendered"
    );
}

std::string ObjectRenderer::previous(std::string const& before, std::string const& after) const {
    return previous_attributes(before, after);
}

ApiError ObjectRenderer::card_error(Objects const& objects) const {
    model::PaymentError const& refused = objects.intent.last_payment_error;
    ApiError error;
    error.http_status = 402;
    error.type = ErrorType::card_error;
    error.code = refused.code;
    error.decline_code = refused.decline_code;
    error.advice_code = refused.advice_code;
    error.network_decline_code = refused.network_decline_code;
    error.message = refused.message;
    error.charge = refused.charge;
    error.payment_intent_json = intent_json(objects.owner, objects, {}).text();
    if (objects.method) {
        error.payment_method_json = method_json(objects.owner, *objects.method, {}).text();
    }
    return error;
}

}  // namespace florin::api
