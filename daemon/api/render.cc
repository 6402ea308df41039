#include "daemon/api/render.h"

#include "ledger/base/check.h"
#include "ledger/base/money.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace florin::api {
namespace {

using flow::Objects;
using nlohmann::ordered_json;

constexpr std::size_t kExpandLevelsMax = 4;

// Expandable members, and what is behind them where this version has it.
struct Expandable {
    std::string_view name;
    std::optional<ObjectKind> kind;  // nullopt: always null here
};
std::vector<Expandable> const& expandable(ObjectKind kind) {
    static std::map<ObjectKind, std::vector<Expandable>> const table{
        {ObjectKind::payment_intent,
         {{"customer", std::nullopt},
          {"latest_charge", ObjectKind::charge},
          {"payment_method", ObjectKind::payment_method},
          {"on_behalf_of", std::nullopt},
          {"review", std::nullopt},
          {"transfer_data.destination", std::nullopt}}},
        {ObjectKind::charge,
         {{"balance_transaction", std::nullopt},
          {"customer", std::nullopt},
          {"payment_intent", ObjectKind::payment_intent},
          {"refunds", std::nullopt},
          {"review", std::nullopt},
          {"transfer", std::nullopt},
          {"application_fee", std::nullopt},
          {"on_behalf_of", std::nullopt},
          {"transfer_data.destination", std::nullopt}}},
        {ObjectKind::refund,
         {{"charge", ObjectKind::charge},
          {"payment_intent", ObjectKind::payment_intent},
          {"balance_transaction", std::nullopt},
          {"payment_method", ObjectKind::payment_method},
          {"customer", std::nullopt},
          {"transfer_reversal", std::nullopt}}},
        {ObjectKind::payment_method, {{"customer", std::nullopt}}},
        {ObjectKind::balance, {}},
    };
    return table.at(kind);
}

bool is_expandable(ObjectKind kind, std::string_view path) {
    for (Expandable const& each : expandable(kind)) {
        if (path == each.name) {
            return true;
        }
        std::string const below = std::string{each.name} + ".";
        if (path.starts_with(below) && each.kind &&
            is_expandable(*each.kind, path.substr(below.size()))) {
            return true;
        }
    }
    return false;
}

// Round brackets: json{nullptr} is a list that holds a null.
ordered_json text_or_null(std::string const& text) {
    return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}
ordered_json time_or_null(std::int64_t time) {
    return time == 0 ? ordered_json(nullptr) : ordered_json(time);
}
std::string lower(std::string const& currency) {
    auto const known = Currency::from_alphabetic(currency);
    return known ? known->lower() : currency;
}

ordered_json address_json(model::Address const& address) {
    if (address == model::Address{}) {
        return nullptr;
    }
    return {
        {"city", text_or_null(address.city)},
        {"country", text_or_null(address.country)},
        {"line1", text_or_null(address.line1)},
        {"line2", text_or_null(address.line2)},
        {"postal_code", text_or_null(address.postal_code)},
        {"state", text_or_null(address.state)},
    };
}
ordered_json billing_json(model::BillingDetails const& billing) {
    return {
        {"address", address_json(billing.address)},
        {"email", text_or_null(billing.email)},
        {"name", text_or_null(billing.name)},
        {"phone", text_or_null(billing.phone)},
        {"tax_id", nullptr},
    };
}
ordered_json shipping_json(bool is_there, model::Shipping const& shipping) {
    if (!is_there) {
        return nullptr;
    }
    return {
        {"address", address_json(shipping.address)},
        {"carrier", text_or_null(shipping.carrier)},
        {"name", text_or_null(shipping.name)},
        {"phone", text_or_null(shipping.phone)},
        {"tracking_number", text_or_null(shipping.tracking_number)},
    };
}
ordered_json metadata_json(model::Metadata const& metadata) {
    ordered_json object = ordered_json::object();
    for (auto const& [key, value] : metadata) {
        object[key] = value;
    }
    return object;
}

ordered_json refusal_json(model::PaymentError const& error) {
    ordered_json object;
    auto const add = [&](char const* name, std::string const& value) {
        if (!value.empty()) {
            object[name] = value;
        }
    };
    add("advice_code", error.advice_code);
    add("charge", error.charge);
    add("code", error.code);
    add("decline_code", error.decline_code);
    add("message", error.message);
    add("network_decline_code", error.network_decline_code);
    object["type"] = "card_error";
    return object;
}

// The network's name and the checks, as far as they are known.
ordered_json card_details_json(model::Charge const& charge) {
    return {
        {"amount_authorized",
         charge.paid ? ordered_json(wire_amount(charge.amount, charge.currency))
                     : ordered_json(nullptr)},
        {"authorization_code", text_or_null(charge.authorization_code)},
        {"brand", text_or_null(charge.brand)},
        {"checks",
         {{"address_line1_check", nullptr},
          {"address_postal_code_check", nullptr},
          {"cvc_check", nullptr}}},
        {"country", text_or_null(charge.country)},
        {"electronic_commerce_indicator", nullptr},
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
        {"three_d_secure", nullptr},
        {"transaction_link_id", nullptr},
        {"wallet", nullptr},
    };
}

ordered_json outcome_json(model::Charge const& charge) {
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

std::string to_body(ordered_json const& json) {
    return json.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

ApiResult<Expansions> Expansions::make(
    ObjectKind kind, std::vector<std::string> const& paths, std::string const& prefix
) {
    Expansions expansions;
    for (std::string const& path : paths) {
        // On lists the levels count from below "data".
        std::string_view const below =
            path.starts_with(prefix) ? std::string_view{path}.substr(prefix.size()) : "";
        auto const levels = static_cast<std::size_t>(std::ranges::count(below, '.')) + 1;
        bool const is_known = levels <= kExpandLevelsMax && is_expandable(kind, below);
        if (!is_known) {
            return std::unexpected{bad_parameter(
                "", "expand", "This property cannot be expanded (" + path.substr(0, 100) + ")."
            )};
        }
        expansions.paths_.insert(path.substr(prefix.size()));
    }
    return expansions;
}

bool Expansions::has(std::string const& name) const {
    return std::ranges::any_of(paths_, [&](std::string const& path) {
        return path == name || path.starts_with(name + ".");
    });
}

Expansions Expansions::below(std::string const& name) const {
    Expansions expansions;
    for (std::string const& path : paths_) {
        if (path.starts_with(name + ".")) {
            expansions.paths_.insert(path.substr(name.size() + 1));
        }
    }
    return expansions;
}

ordered_json ObjectRenderer::method_json(
    std::string const& owner, model::PaymentMethod const& method
) const {
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
          {"networks", {{"available", ordered_json::array({method.brand})}, {"preferred", nullptr}}
          },
          {"regulated_status", nullptr},
          {"three_d_secure_usage", {{"supported", true}}},
          {"wallet", nullptr}}},
        {"created", method.created},
        {"customer", text_or_null(method.customer)},
        {"customer_account", nullptr},
        {"livemode", is_live(owner)},
        {"metadata", metadata_json(method.metadata)},
        {"type", "card"},
    };
}

ordered_json ObjectRenderer::charge_json(
    std::string const& owner, model::Charge const& charge, Expansions const& expand
) const {
    ordered_json intent = text_or_null(charge.payment_intent);
    if (expand.has("payment_intent")) {
        auto const stored = flow::load<model::PaymentIntent>(reader_, owner, charge.payment_intent);
        if (stored && *stored) {
            Objects const objects{
                .owner = owner,
                .intent = (*stored)->value,
                .charge = charge,
                .method = {},
                .refund = {}
            };
            intent = intent_json(owner, objects, expand.below("payment_intent"));
        }
    }
    ordered_json json = {
        {"id", charge.id},
        {"object", "charge"},
        {"amount", wire_amount(charge.amount, charge.currency)},
        {"amount_captured", wire_amount(charge.amount_captured, charge.currency)},
        {"amount_refunded", wire_amount(charge.amount_refunded, charge.currency)},
        {"application", nullptr},
        {"application_fee", nullptr},
        {"application_fee_amount", nullptr},
        {"balance_transaction", nullptr},
        {"billing_details", billing_json(charge.billing_details)},
        {"calculated_statement_descriptor", text_or_null(charge.statement_descriptor)},
        {"captured", charge.captured},
        {"created", charge.created},
        {"currency", lower(charge.currency)},
        {"customer", text_or_null(charge.customer)},
        {"description", text_or_null(charge.description)},
        {"disputed", false},
        {"failure_balance_transaction", nullptr},
        {"failure_code", text_or_null(charge.failure_code)},
        {"failure_message", text_or_null(charge.failure_message)},
        {"fraud_details", ordered_json::object()},
        {"livemode", is_live(owner)},
        {"metadata", metadata_json(charge.metadata)},
        {"on_behalf_of", nullptr},
        {"outcome", outcome_json(charge)},
        {"paid", charge.paid},
        {"payment_intent", intent},
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
        constexpr std::size_t kShown = 10;
        ordered_json refunds = ordered_json::array();
        // Links of one payment stand together; '0' follows '/'.
        auto const links = reader_.list(
            {.kind = static_cast<std::uint16_t>(model::Kind::payment_refund),
             .owner = owner,
             .after = charge.payment_intent + "0",
             .newest_first = true,
             .limit = kShown + 1}
        );
        std::string const prefix = charge.payment_intent + "/";
        bool has_more = false;
        for (auto const& link : links.value_or(std::vector<ledger::Document>{})) {
            if (!link.key.id.starts_with(prefix)) {
                break;
            }
            has_more = refunds.size() == kShown;
            if (has_more) {
                break;
            }
            auto const refund =
                flow::load<model::Refund>(reader_, owner, link.key.id.substr(prefix.size()));
            if (refund && *refund) {
                refunds.push_back(refund_json(owner, (*refund)->value, {}));
            }
        }
        json["refunds"] = {
            {"object", "list"},
            {"data", refunds},
            {"has_more", has_more},
            {"url", "/v1/charges/" + charge.id + "/refunds"},
        };
    }
    return json;
}

ordered_json ObjectRenderer::intent_json(
    std::string const& owner, Objects const& objects, Expansions const& expand
) const {
    model::PaymentIntent const& intent = objects.intent;
    ordered_json last_error = nullptr;
    if (!intent.last_payment_error.empty()) {
        last_error = refusal_json(intent.last_payment_error);
        std::string const& id = intent.last_payment_error.payment_method;
        auto const method = flow::load<model::PaymentMethod>(reader_, owner, id);
        if (method && *method) {
            last_error["payment_method"] = method_json(owner, (*method)->value);
        }
    }
    ordered_json charge = text_or_null(intent.latest_charge);
    if (expand.has("latest_charge") && !intent.latest_charge.empty()) {
        if (objects.charge && objects.charge->id == intent.latest_charge) {
            charge = charge_json(owner, *objects.charge, expand.below("latest_charge"));
        } else {
            auto const stored = flow::load<model::Charge>(reader_, owner, intent.latest_charge);
            if (stored && *stored) {
                charge = charge_json(owner, (*stored)->value, expand.below("latest_charge"));
            }
        }
    }
    ordered_json method = text_or_null(intent.payment_method);
    if (expand.has("payment_method") && !intent.payment_method.empty()) {
        auto const stored = flow::load<model::PaymentMethod>(reader_, owner, intent.payment_method);
        if (stored && *stored) {
            method = method_json(owner, (*stored)->value);
        }
    }
    ordered_json types = ordered_json::array();
    for (std::string const& type : intent.payment_method_types) {
        types.push_back(type);
    }
    ordered_json automatic = nullptr;
    if (intent.automatic_payment_methods) {
        automatic = {{"allow_redirects", "always"}, {"enabled", true}};
    }
    return {
        {"id", intent.id},
        {"object", "payment_intent"},
        {"allowed_payment_method_types", nullptr},
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
        {"customer", text_or_null(intent.customer)},
        {"customer_account", nullptr},
        {"description", text_or_null(intent.description)},
        {"excluded_payment_method_types", nullptr},
        {"last_payment_error", last_error},
        {"latest_charge", charge},
        {"livemode", is_live(owner)},
        {"managed_payments", nullptr},
        {"metadata", metadata_json(intent.metadata)},
        {"next_action", nullptr},
        {"on_behalf_of", nullptr},
        {"payment_method", method},
        {"payment_method_configuration_details", nullptr},
        {"payment_method_options", ordered_json::object()},
        {"payment_method_types", types},
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

ordered_json ObjectRenderer::refund_json(
    std::string const& owner, model::Refund const& refund, Expansions const& expand
) const {
    ordered_json charge = text_or_null(refund.charge);
    if (expand.has("charge")) {
        auto const stored = flow::load<model::Charge>(reader_, owner, refund.charge);
        if (stored && *stored) {
            charge = charge_json(owner, (*stored)->value, expand.below("charge"));
        }
    }
    ordered_json intent = text_or_null(refund.payment_intent);
    if (expand.has("payment_intent")) {
        auto const stored = flow::load<model::PaymentIntent>(reader_, owner, refund.payment_intent);
        if (stored && *stored) {
            Objects const objects{
                .owner = owner, .intent = (*stored)->value, .charge = {}, .method = {}, .refund = {}
            };
            intent = intent_json(owner, objects, expand.below("payment_intent"));
        }
    }
    ordered_json method = text_or_null(refund.payment_method);
    if (expand.has("payment_method")) {
        auto const stored = flow::load<model::PaymentMethod>(reader_, owner, refund.payment_method);
        if (stored && *stored) {
            method = method_json(owner, (*stored)->value);
        }
    }
    ordered_json json = {
        {"id", refund.id},
        {"object", "refund"},
        {"amount", wire_amount(refund.amount, refund.currency)},
        {"balance_transaction", nullptr},
        {"charge", charge},
        {"created", refund.created},
        {"currency", lower(refund.currency)},
        {"customer", nullptr},
        {"customer_account", nullptr},
        {"metadata", metadata_json(refund.metadata)},
        {"payment_intent", intent},
        {"payment_method", method},
        {"reason", text_or_null(refund.reason)},
        {"receipt_number", nullptr},
        {"source_transfer_reversal", nullptr},
        {"status", refund.status},
        {"transfer_reversal", nullptr},
    };
    if (!refund.failure_reason.empty()) {
        json["failure_reason"] = refund.failure_reason;
    }
    return json;
}

std::string ObjectRenderer::intent(Objects const& objects) const {
    return intent_json(objects.owner, objects, {}).dump();
}
std::string ObjectRenderer::charge(Objects const& objects) const {
    FLORIN_CHECK(objects.charge.has_value(), "an event about a charge has one");
    return charge_json(objects.owner, *objects.charge, {}).dump();
}
std::string ObjectRenderer::refund(Objects const& objects) const {
    FLORIN_CHECK(objects.refund.has_value(), "an event about a refund has one");
    return refund_json(objects.owner, *objects.refund, {}).dump();
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
    error.payment_intent_json = intent_json(objects.owner, objects, {}).dump();
    if (objects.method) {
        error.payment_method_json = method_json(objects.owner, *objects.method).dump();
    }
    return error;
}

}  // namespace florin::api
