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

std::int64_t wire_amount(std::int64_t minor, std::string const& currency) {
    auto const known = Currency::from_alphabetic(currency);
    FLORIN_CHECK(known.has_value(), "a stored currency is known");
    auto const amount = convert_minor(minor, known->digits(), known->stripe_digits());
    FLORIN_CHECK(amount.has_value(), "an amount that came in through the API goes out again");
    return *amount;
}

std::int64_t wire_floor(std::int64_t minor, Currency const& currency) {
    if (auto const exact = convert_minor(minor, currency.digits(), currency.stripe_digits())) {
        return *exact;
    }
    std::int64_t scale = 1;
    for (unsigned i = currency.stripe_digits(); i < currency.digits(); ++i) {
        scale *= 10;
    }
    std::int64_t const rest = ((minor % scale) + scale) % scale;
    auto const floor = convert_minor(minor - rest, currency.digits(), currency.stripe_digits());
    FLORIN_CHECK(floor.has_value(), "a whole amount converts");
    return *floor;
}

ApiResult<std::int64_t> minor_amount(
    std::int64_t wire, Currency const& currency, std::string const& param
) {
    bool const is_odd_thousandth = currency.stripe_digits() == 3 && wire % 10 != 0;
    auto const minor = convert_minor(wire, currency.stripe_digits(), currency.digits());
    if (!minor || is_odd_thousandth) {
        return std::unexpected{bad_parameter(
            "parameter_invalid_integer",
            param,
            "Invalid integer: this amount cannot be expressed exactly in " + currency.lower() + "."
        )};
    }
    return *minor;
}

std::string to_body(Json const& json) {
    return json.indented();
}

Json ObjectRenderer::customer_member(
    std::string const& owner, std::string const& id, Expansions const& expand
) const {
    if (expand.has("customer") && !id.empty()) {
        auto const stored = flow::load<model::Customer>(reader_, owner, id);
        if (stored && *stored) {
            return customer_json(owner, (*stored)->value, expand.below("customer"));
        }
    }
    return text_or_null(id);
}

Json ObjectRenderer::method_member(
    std::string const& owner,
    std::string const& id,
    Expansions const& expand,
    std::string const& name
) const {
    if (expand.has(name) && !id.empty()) {
        auto const stored = flow::load<model::PaymentMethod>(reader_, owner, id);
        if (stored && *stored) {
            return method_json(owner, (*stored)->value, expand.below(name));
        }
    }
    return text_or_null(id);
}

Json ObjectRenderer::charge_member(
    std::string const& owner,
    std::string const& id,
    Expansions const& expand,
    std::string const& name,
    model::Charge const* known,
    Row const* unstored
) const {
    if (expand.has(name) && !id.empty()) {
        if (known != nullptr && known->id == id) {
            return charge_json(owner, *known, expand.below(name), unstored);
        }
        auto const stored = flow::load<model::Charge>(reader_, owner, id);
        if (stored && *stored) {
            return charge_json(owner, (*stored)->value, expand.below(name));
        }
    }
    return text_or_null(id);
}

Json ObjectRenderer::intent_member(
    std::string const& owner,
    std::string const& id,
    Expansions const& expand,
    model::Charge const* charge
) const {
    if (expand.has("payment_intent") && !id.empty()) {
        auto const stored = flow::load<model::PaymentIntent>(reader_, owner, id);
        if (stored && *stored) {
            Objects const objects{.owner = owner, .intent = (*stored)->value, .charge = charge};
            return intent_json(owner, objects, expand.below("payment_intent"));
        }
    }
    return text_or_null(id);
}

Json ObjectRenderer::customer_json(
    std::string const& owner,
    model::Customer const& customer,
    Expansions const& expand,
    std::optional<model::PaymentMethod> const& unstored
) const {
    if (customer.deleted) {
        return {{"id", customer.id}, {"object", "customer"}, {"deleted", true}};
    }
    constexpr char const* kDefault = "default_payment_method";
    Expansions const settings = expand.below("invoice_settings");
    bool const is_unstored = unstored && unstored->id == customer.default_payment_method;
    Json const method =
        is_unstored && settings.has(kDefault)
            ? method_json(owner, *unstored, settings.below(kDefault))
            : method_member(owner, customer.default_payment_method, settings, kDefault);
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
    std::string const& owner, model::PaymentMethod const& method, Expansions const& expand
) const {
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
        {"customer", customer_member(owner, method.customer, expand)},
        {"customer_account", nullptr},
        {"livemode", is_live(owner)},
        {"metadata", metadata_json(method.metadata)},
        {"type", "card"},
    };
}

// The newest refunds; a payment may have more than one charge, but only one is refunded.
Json ObjectRenderer::refunds_of(std::string const& owner, model::Charge const& charge) const {
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
        auto const refund =
            flow::load<model::Refund>(reader_, owner, link.key.id.substr(prefix.size()));
        if (!refund || !*refund || (*refund)->value.charge != charge.id) {
            continue;
        }
        has_more = shown == kShown;
        if (has_more) {
            break;
        }
        ++shown;
        refunds.push_back(refund_json(owner, (*refund)->value, {}));
    }
    return {
        {"object", "list"},
        {"data", refunds},
        {"has_more", has_more},
        {"url", "/v1/charges/" + charge.id + "/refunds"},
    };
}

Json ObjectRenderer::transaction_member(
    std::string const& owner, std::string const& id, Expansions const& expand, Row const* unstored
) const {
    constexpr char const* kName = "balance_transaction";
    if (expand.has(kName) && !id.empty()) {
        if (unstored != nullptr && unstored->id == id) {
            return transaction_json(owner, *unstored, expand.below(kName), false);
        }
        auto stored = flow::load<model::BalanceTransaction>(reader_, owner, id);
        if (stored && *stored) {
            (*stored)->value.id = id;
            return transaction_json(owner, (*stored)->value, expand.below(kName), true);
        }
    }
    return text_or_null(id);
}

Json ObjectRenderer::source_member(
    std::string const& owner, model::BalanceTransaction const& row, Expansions const& expand
) const {
    if (expand.has("source") && row.type == "charge") {
        return charge_member(owner, row.source, expand, "source");
    }
    if (expand.has("source") && row.type == "refund") {
        auto const stored = flow::load<model::Refund>(reader_, owner, row.source);
        if (stored && *stored) {
            return refund_json(owner, (*stored)->value, expand.below("source"));
        }
    }
    return row.source;
}

Json ObjectRenderer::transaction_json(
    std::string const& owner, model::BalanceTransaction const& row, Expansions const& expand
) const {
    return transaction_json(owner, row, expand, true);
}

Json ObjectRenderer::transaction_json(
    std::string const& owner,
    model::BalanceTransaction const& row,
    Expansions const& expand,
    bool is_stored
) const {
    auto const currency = Currency::from_alphabetic(row.currency);
    FLORIN_CHECK(currency.has_value(), "a stored currency is known");
    // The document that goes when the money is made available comes with the row.
    bool is_pending = row.due != 0;
    if (is_pending && is_stored) {
        auto const waiting = reader_.get(model::key_of(
            model::Kind::availability, owner, model::availability_id(row.currency, row.due, row.id)
        ));
        is_pending = !waiting || waiting->has_value();
    }
    std::int64_t const amount = wire_floor(row.amount, *currency);
    std::int64_t const net = wire_floor(row.net(), *currency);
    std::int64_t const fee = amount - net;
    Json fees = Json::array();
    if (fee != 0) {
        fees.push_back(
            {{"amount", fee},
             {"application", nullptr},
             {"currency", currency->lower()},
             {"description", "Processing fee"},
             {"type", "stripe_fee"}}
        );
    }
    return {
        {"id", row.id},
        {"object", "balance_transaction"},
        {"amount", amount},
        {"available_on", row.due == 0 ? row.created() : row.due},
        {"balance_type", "payments"},
        {"created", row.created()},
        {"currency", currency->lower()},
        {"description", text_or_null(row.description)},
        {"exchange_rate", nullptr},
        {"fee", fee},
        {"fee_details", fees},
        {"net", net},
        {"reporting_category", row.type == "payout_failure" ? "payout_reversal" : row.type},
        {"source", source_member(owner, row, expand)},
        {"status", is_pending ? "pending" : "available"},
        {"type", row.type},
    };
}

Json ObjectRenderer::balance_json(flow::Balance const& balance) const {
    auto const entry = [](std::int64_t amount, Currency const& currency) -> Json {
        std::int64_t const wire = wire_floor(amount, currency);
        return {
            {"amount", wire}, {"currency", currency.lower()}, {"source_types", {{"card", wire}}}
        };
    };
    Json available = Json::array();
    Json pending = Json::array();
    for (flow::CurrencyBalance const& each : balance.currencies) {
        available.push_back(entry(each.available, each.currency));
        pending.push_back(entry(each.pending, each.currency));
    }
    return {
        {"object", "balance"},
        {"available", available},
        {"livemode", balance.mode == model::Mode::live},
        {"pending", pending},
    };
}

Json ObjectRenderer::charge_json(
    std::string const& owner,
    model::Charge const& charge,
    Expansions const& expand,
    Row const* unstored
) const {
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
        {"customer", customer_member(owner, charge.customer, expand)},
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
        {"payment_intent", intent_member(owner, charge.payment_intent, expand, &charge)},
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
        json.add("refunds", refunds_of(owner, charge));
    }
    return json;
}

Json ObjectRenderer::intent_json(
    std::string const& owner, Objects const& objects, Expansions const& expand
) const {
    model::PaymentIntent const& intent = objects.intent;
    Json last_error = nullptr;
    if (!intent.last_payment_error.empty()) {
        last_error = refusal_json(intent.last_payment_error);
        std::string const& id = intent.last_payment_error.payment_method;
        auto const method = flow::load<model::PaymentMethod>(reader_, owner, id);
        if (method && *method) {
            last_error.add("payment_method", method_json(owner, (*method)->value, {}));
        }
    }
    // As it stands after the operation, which is not stored yet.
    bool const is_method_known = objects.method && objects.method->id == intent.payment_method &&
                                 expand.has("payment_method");
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
        {"customer", customer_member(owner, intent.customer, expand)},
        {"customer_account", nullptr},
        {"description", text_or_null(intent.description)},
        {"excluded_payment_method_types", texts_or_null(intent.excluded_payment_method_types)},
        {"last_payment_error", last_error},
        {"latest_charge",
         charge_member(
             owner,
             intent.latest_charge,
             expand,
             "latest_charge",
             objects.charge,
             objects.transaction
         )},
        {"livemode", is_live(owner)},
        {"managed_payments", nullptr},
        {"metadata", metadata_json(intent.metadata)},
        {"next_action", nullptr},
        {"on_behalf_of", nullptr},
        {"payment_method",
         is_method_known ? method_json(owner, *objects.method, expand.below("payment_method"))
                         : method_member(owner, intent.payment_method, expand)},
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
    Row const* unstored
) const {
    Json json = {
        {"id", refund.id},
        {"object", "refund"},
        {"amount", wire_amount(refund.amount, refund.currency)},
        {"balance_transaction",
         transaction_member(owner, refund.balance_transaction, expand, unstored)},
        {"charge", charge_member(owner, refund.charge, expand, "charge")},
        {"created", refund.created},
        {"currency", lower(refund.currency)},
        {"customer", customer_member(owner, refund.customer, expand)},
        {"customer_account", nullptr},
        {"destination_details", destination_json(refund)},
        {"metadata", metadata_json(refund.metadata)},
        {"payment_intent", intent_member(owner, refund.payment_intent, expand)},
        {"payment_method", method_member(owner, refund.payment_method, expand)},
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
