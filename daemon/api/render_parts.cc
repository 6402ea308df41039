#include "daemon/api/render_parts.h"

#include "daemon/api/render.h"
#include "ledger/base/money.h"

namespace florin::api {

Json text_or_null(std::string const& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}
Json texts_or_null(std::vector<std::string> const& texts) {
    return texts.empty() ? Json(nullptr) : Json(texts);
}
Json time_or_null(std::int64_t time) {
    return time == 0 ? Json(nullptr) : Json(time);
}
std::string lower(std::string const& currency) {
    auto const known = Currency::from_alphabetic(currency);
    return known ? known->lower() : currency;
}

namespace {

Json address_members(model::Address const& address) {
    return {
        {"city", text_or_null(address.city)},
        {"country", text_or_null(address.country)},
        {"line1", text_or_null(address.line1)},
        {"line2", text_or_null(address.line2)},
        {"postal_code", text_or_null(address.postal_code)},
        {"state", text_or_null(address.state)},
    };
}

}  // namespace

Json address_json(model::Address const& address) {
    return address == model::Address{} ? Json(nullptr) : address_members(address);
}
Json billing_json(model::BillingDetails const& billing) {
    return {
        {"address", address_json(billing.address)},
        {"email", text_or_null(billing.email)},
        {"name", text_or_null(billing.name)},
        {"phone", text_or_null(billing.phone)},
        {"tax_id", text_or_null(billing.tax_id)},
    };
}
Json shipping_json(bool is_there, model::Shipping const& shipping) {
    if (!is_there) {
        return nullptr;
    }
    // By the wire's types the address is never null, and a name is a text or not there.
    Json json = {
        {"address", address_members(shipping.address)},
        {"carrier", text_or_null(shipping.carrier)},
    };
    if (!shipping.name.empty()) {
        json.add("name", shipping.name);
    }
    json.add("phone", text_or_null(shipping.phone));
    json.add("tracking_number", text_or_null(shipping.tracking_number));
    return json;
}
Json metadata_json(model::Metadata const& metadata) {
    return metadata;
}

Json refusal_json(model::PaymentError const& error) {
    Json object = Json::object();
    auto const add = [&](char const* name, std::string const& value) {
        if (!value.empty()) {
            object.add(name, value);
        }
    };
    add("advice_code", error.advice_code);
    add("charge", error.charge);
    add("code", error.code);
    add("decline_code", error.decline_code);
    add("message", error.message);
    add("network_decline_code", error.network_decline_code);
    object.add("type", "card_error");
    return object;
}

// What the cardholder sees: Florin adds nothing of its own to what the merchant says.
std::string calculated_descriptor(model::Charge const& charge) {
    return charge.statement_descriptor_suffix.empty() ? charge.statement_descriptor
                                                      : charge.statement_descriptor_suffix;
}

// What the ARes or RReq says (EMV 3-D Secure), in the words of the API.
Json three_d_secure_json(model::ThreeDSecure const& secure) {
    if (secure == model::ThreeDSecure{}) {
        return nullptr;
    }
    std::string const& status = secure.trans_status;
    bool const is_exempt = secure.exemption == "low_risk";
    std::string const result = status == "Y"                    ? "authenticated"
                               : status == "A"                  ? "attempt_acknowledged"
                               : status == "I"                  ? "data_share_only"
                               : status == "N" || status == "R" ? "failed"
                               : status == "U"                  ? "processing_error"
                               : is_exempt                      ? "exempted"
                                                                : "";
    return {
        {"authentication_flow", nullptr},
        {"electronic_commerce_indicator", text_or_null(secure.electronic_commerce_indicator)},
        {"exemption_indicator", text_or_null(secure.exemption)},
        {"result", text_or_null(result)},
        {"result_reason", nullptr},
        {"transaction_id", text_or_null(secure.transaction_id)},
        {"version", text_or_null(secure.version)},
    };
}

// What is kept of payment_method_options[card] and may be shown.
Json card_options_json(model::CardOptions const& options) {
    bool const asks = !options.request_three_d_secure.empty();
    Json json = {
        {"installments", nullptr},
        {"mandate_options", nullptr},
        {"network", nullptr},
        {"request_three_d_secure", asks ? options.request_three_d_secure : "automatic"},
    };
    if (!options.capture_method.empty()) {
        json.add("capture_method", options.capture_method);
    }
    if (!options.setup_future_usage.empty()) {
        json.add("setup_future_usage", options.setup_future_usage);
    }
    return json;
}

// The money goes to the card; the number is what the bank can find it by.
Json destination_json(model::Refund const& refund) {
    Json card = {{"type", refund.status == "succeeded" ? "refund" : "pending"}};
    if (!refund.reference.empty()) {
        card.add("reference", refund.reference);
        card.add("reference_status", "available");
        card.add("reference_type", "system_trace_audit_number");
    }
    return {{"type", "card"}, {"card", card}};
}

// The network's name and the checks, as far as they are known.
Json card_details_json(model::Charge const& charge) {
    Json json = {
        {"amount_authorized",
         charge.paid ? Json(wire_amount(charge.amount, charge.currency)) : Json(nullptr)},
        {"authorization_code", text_or_null(charge.authorization_code)},
        {"brand", text_or_null(charge.brand)},
        {"checks",
         {{"address_line1_check", nullptr},
          {"address_postal_code_check", nullptr},
          {"cvc_check", nullptr}}},
        {"country", text_or_null(charge.country)},
        {"electronic_commerce_indicator",
         text_or_null(charge.three_d_secure.electronic_commerce_indicator)},
        {"exp_month", charge.exp_month},
        {"exp_year", charge.exp_year},
        {"fingerprint", text_or_null(charge.fingerprint)},
        {"funding", text_or_null(charge.funding)},
        {"installments", nullptr},
        {"last4", text_or_null(charge.last4)},
        {"mandate", nullptr},
        {"network", text_or_null(charge.brand)},
        {"network_transaction_id", text_or_null(charge.network_transaction_id)},
        {"regulated_status", nullptr},
        {"three_d_secure", three_d_secure_json(charge.three_d_secure)},
        {"transaction_link_id", nullptr},
        {"wallet", nullptr},
    };
    if (charge.moto) {
        json.add("moto", true);
    }
    if (!charge.off_session.empty()) {
        bool const is_recurring = charge.off_session == "recurring";
        json.add("stored_credential_usage", is_recurring ? "recurring" : "unscheduled");
    }
    return json;
}

Json outcome_json(model::Charge const& charge) {
    if (charge.outcome_type.empty()) {
        return nullptr;
    }
    return {
        {"advice_code", text_or_null(charge.outcome_advice_code)},
        {"network_advice_code", nullptr},
        {"network_decline_code", text_or_null(charge.outcome_network_decline_code)},
        {"network_status", text_or_null(charge.outcome_network_status)},
        {"reason", text_or_null(charge.outcome_reason)},
        {"seller_message", text_or_null(charge.outcome_seller_message)},
        {"type", charge.outcome_type},
    };
}

}  // namespace florin::api
