#include "daemon/api/intent_parameters.h"

#include <algorithm>
#include <map>

namespace florin::api {
namespace {

using Intent = model::PaymentIntent;

// Smallest amounts, in the API's minor units.
std::int64_t least_amount(Currency const& currency) {
    static std::map<std::string_view, std::int64_t> const least{
        {"USD", 50}, {"EUR", 50}, {"GBP", 30}, {"JPY", 50}, {"PLN", 200}
    };
    auto const found = least.find(currency.alphabetic());
    return found == least.end() ? 1 : found->second;
}

std::optional<Currency> take_currency(Parameters& parameters) {
    std::string const code = parameters.require_string("currency", 20);
    auto const currency = Currency::from_alphabetic(code);
    if (!currency && !code.empty()) {
        parameters.refuse(bad_parameter("", "currency", "Invalid currency: " + code + "."));
    }
    return currency;
}

// ISO minor units of an amount that a payment may have.
ApiResult<std::int64_t> checked_amount(std::int64_t wire, Currency const& currency) {
    if (wire > kAmountMax) {
        return std::unexpected{bad_parameter(
            "amount_too_large", "amount", "Amount must be no more than 99999999 in minor units."
        )};
    }
    if (wire < least_amount(currency)) {
        return std::unexpected{bad_parameter(
            "amount_too_small",
            "amount",
            "Amount must be at least " + std::to_string(least_amount(currency)) + " " +
                currency.lower() + " in minor units."
        )};
    }
    return minor_amount(wire, currency, "amount");
}

// 0 where something is wrong, which has been noted.
std::int64_t take_amount(Parameters& parameters, std::optional<Currency> const& currency) {
    auto const wire = parameters.take_integer("amount", -kAmountMax, INT64_MAX);
    if (!wire) {
        if (!parameters.has("amount")) {
            parameters.refuse_missing("amount");
        }
        return 0;
    }
    if (!currency) {
        return 0;
    }
    auto const minor = checked_amount(*wire, *currency);
    if (!minor) {
        parameters.refuse(minor.error());
    }
    return minor.value_or(0);
}

// Names of payment method types, of which cards are the only one there is.
std::vector<std::string> take_type_names(Parameters& parameters, char const* name) {
    auto const types = parameters.take_strings(name);
    for (std::string const& type : types) {
        bool const is_name =
            !type.empty() && type.size() <= 40 && std::ranges::all_of(type, [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
            });
        if (!is_name) {
            parameters.refuse(bad_parameter(
                "", parameters.name_of(name), "Invalid payment method type in " + std::string{name}
            ));
            return {};
        }
    }
    return types;
}

void refuse_types(Parameters& parameters, char const* name) {
    parameters.refuse(bad_parameter(
        "",
        parameters.name_of(name),
        "None of these payment method types is available; card is: " + std::string{name}
    ));
}

// A list that leaves cards out leaves nothing to pay with.
std::vector<std::string> take_method_types(Parameters& parameters, char const* name) {
    auto types = take_type_names(parameters, name);
    if (!types.empty() && std::ranges::find(types, "card") == types.end()) {
        refuse_types(parameters, name);
        return {};
    }
    return types;
}

void take_types(Parameters& parameters, Intent& intent) {
    constexpr char const* kExcluded = "excluded_payment_method_types";
    intent.payment_method_types = take_method_types(parameters, "payment_method_types");
    intent.allowed_payment_method_types =
        take_method_types(parameters, "allowed_payment_method_types");
    intent.excluded_payment_method_types = take_type_names(parameters, kExcluded);
    auto const& excluded = intent.excluded_payment_method_types;
    if (std::ranges::find(excluded, "card") != excluded.end()) {
        refuse_types(parameters, kExcluded);
    }
    if (intent.payment_method_types.empty()) {
        auto const& allowed = intent.allowed_payment_method_types;
        intent.payment_method_types = allowed.empty() ? std::vector<std::string>{"card"} : allowed;
    }
    if (Parameters* const automatic = parameters.take_hash("automatic_payment_methods")) {
        auto const enabled = automatic->take_boolean("enabled");
        if (!automatic->has("enabled")) {
            automatic->refuse_missing("enabled");
        }
        intent.automatic_payment_methods = enabled.value_or(false) ? "enabled" : "disabled";
        intent.allow_redirects =
            automatic->take_enum("allow_redirects", {"always", "never"}).value_or("");
    }
}

void take_text_change(
    Parameters& parameters,
    char const* name,
    std::string Intent::* member,
    IntentWish& wish,
    std::size_t most = 5'000
) {
    auto taken = parameters.take_settable(name, most);
    if (taken.is_given) {
        wish.texts.emplace_back(member, taken.value.value_or(""));
    }
}

Settable<std::string> take_settable_enum(
    Parameters& parameters, char const* name, std::initializer_list<std::string_view> allowed
) {
    if (parameters.take_unset(name)) {
        return {.is_given = true, .value = std::nullopt};
    }
    auto value = parameters.take_enum(name, allowed);
    bool const is_given = value.has_value();
    return {.is_given = is_given, .value = std::move(value)};
}

void take_future_usage(Parameters& parameters, IntentWish& wish) {
    auto usage =
        take_settable_enum(parameters, "setup_future_usage", {"off_session", "on_session"});
    if (usage.is_given) {
        wish.texts.emplace_back(&Intent::setup_future_usage, usage.value.value_or(""));
    }
}

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

// The base64 of 20 bytes, as the directory servers give it; a few more for other schemes.
bool is_cryptogram(std::string_view text) {
    constexpr std::size_t kLengthMax = 40;
    auto const padding = text.find('=');
    auto const body = text.substr(0, padding);
    bool const is_base64 = std::ranges::all_of(body, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '+' || c == '/';
    });
    bool const is_padded =
        padding == std::string_view::npos ||
        (text.size() - padding <= 2 && text.find_first_not_of('=', padding) == std::string::npos);
    return is_base64 && is_padded && body.size() >= 20 && text.size() <= kLengthMax;
}

// Digits, letters and the like that go to a bank as they are.
std::string take_bank_text(Parameters& parameters, char const* name, std::size_t length_max) {
    std::string text = parameters.take_string(name, length_max).value_or("");
    if (!is_printable(text)) {
        parameters.refuse(bad_parameter(
            "", parameters.name_of(name), "Invalid string: only printable characters are allowed."
        ));
    }
    return text;
}

void take_three_d_secure(Parameters& card, CardWish& wish) {
    Parameters* const given = card.take_hash("three_d_secure");
    if (given == nullptr) {
        return;
    }
    model::ThreeDSecure secure;
    std::string cryptogram = given->require_string("cryptogram", 100);
    if (!cryptogram.empty() && !is_cryptogram(cryptogram)) {
        given->refuse(bad_parameter(
            "",
            given->name_of("cryptogram"),
            "Invalid string: the cryptogram must be 20 bytes, base64-encoded."
        ));
    }
    wish.cryptogram = connectors::Cryptogram{std::move(cryptogram)};
    secure.transaction_id = take_bank_text(*given, "transaction_id", 36);
    if (secure.transaction_id.empty() && !given->has("transaction_id")) {
        given->refuse_missing("transaction_id");
    }
    secure.version =
        given->take_enum("version", {"1.0.2", "2.1.0", "2.2.0", "2.3.0", "2.3.1"}).value_or("");
    if (secure.version.empty() && !given->has("version")) {
        given->refuse_missing("version");
    }
    secure.electronic_commerce_indicator =
        given->take_enum("electronic_commerce_indicator", {"01", "02", "05", "06", "07"})
            .value_or("");
    secure.trans_status =
        given->take_enum("ares_trans_status", {"A", "C", "I", "N", "R", "U", "Y"}).value_or("");
    secure.exemption = given->take_enum("exemption_indicator", {"low_risk", "none"}).value_or("");
    given->take_string("requestor_challenge_indicator", 2);
    wish.three_d_secure = std::move(secure);
}

void take_card_options(Parameters& parameters, CardWish& wish) {
    if (parameters.take_unset("payment_method_options")) {
        wish.clears = true;
        return;
    }
    Parameters* const options = parameters.take_hash("payment_method_options");
    if (options == nullptr) {
        return;
    }
    if (options->take_unset("card")) {
        wish.clears = true;
        return;
    }
    Parameters* const card = options->take_hash("card");
    if (card == nullptr) {
        return;
    }
    wish.request_three_d_secure =
        take_settable_enum(*card, "request_three_d_secure", {"automatic", "any", "challenge"});
    wish.capture_method = take_settable_enum(*card, "capture_method", {"manual"});
    wish.setup_future_usage =
        take_settable_enum(*card, "setup_future_usage", {"none", "off_session", "on_session"});
    wish.moto = card->take_boolean("moto");
    wish.network_transaction_id = card->take_settable("network_transaction_id", 35);
    if (!is_printable(wish.network_transaction_id.value.value_or(""))) {
        card->refuse(bad_parameter(
            "",
            card->name_of("network_transaction_id"),
            "Invalid string: only printable characters are allowed."
        ));
    }
    take_three_d_secure(*card, wish);
}

// What all endpoints that may pay have.
void take_how_to_pay(Parameters& parameters, IntentWish& wish) {
    wish.payment_method = parameters.take_string("payment_method").value_or("");
    wish.payment_method_data = parameters.take_hash("payment_method_data");
    if (wish.payment_method_data != nullptr) {
        Parameters& data = *wish.payment_method_data;
        data.take_enum("type", {"card"});
        wish.method_metadata = data.take_metadata();
        data.take_enum("allow_redisplay", {"always", "limited", "unspecified"});
        if (Parameters* const radar = data.take_hash("radar_options")) {
            radar->take_string("session");
        }
        if (!wish.payment_method.empty()) {
            parameters.refuse(bad_parameter(
                "parameters_exclusive",
                "payment_method_data",
                "Received both payment_method and payment_method_data; only one may be used."
            ));
        }
    }
    take_card_options(parameters, wish.card);
    wish.capture_method =
        parameters.take_enum("capture_method", {"automatic", "automatic_async", "manual"});
    auto email = parameters.take_settable("receipt_email");
    check_email(parameters, "receipt_email", email.value.value_or(""));
    if (email.is_given) {
        wish.texts.emplace_back(&Intent::receipt_email, email.value.value_or(""));
    }
    take_future_usage(parameters, wish);
    wish.is_shipping_given = take_shipping(parameters, wish.has_shipping, wish.shipping);
}

// What goes with a confirmation. Nothing here ever asks the customer for something, so that
// error_on_requires_action has nothing to stop.
void take_confirming(Parameters& parameters, IntentWish& wish) {
    take_text_change(parameters, "return_url", &Intent::return_url, wish);
    parameters.take_boolean("error_on_requires_action");
    // A boolean, as the Python SDK writes it too, or how the merchant goes on.
    auto const off_session = parameters.take_enum(
        "off_session", {"true", "false", "True", "False", "one_off", "recurring"}
    );
    if (off_session == "false" || off_session == "False") {
        wish.off_session = "";
    } else if (off_session) {
        wish.off_session = *off_session == "True" ? "true" : *off_session;
    }
}

void take_details(Parameters& parameters, IntentWish& wish) {
    wish.customer = parameters.take_settable("customer");
    take_text_change(parameters, "description", &Intent::description, wish);
    take_text_change(parameters, "statement_descriptor", &Intent::statement_descriptor, wish, 22);
    take_text_change(
        parameters, "statement_descriptor_suffix", &Intent::statement_descriptor_suffix, wish, 22
    );
    take_text_change(parameters, "transfer_group", &Intent::transfer_group, wish);
    wish.metadata = parameters.take_metadata();
}

void apply_card(CardWish const& wish, model::CardOptions& options) {
    if (wish.clears) {
        options = {};
    }
    auto const set = [](Settable<std::string> const& from, std::string& into) {
        if (from.is_given) {
            into = from.value.value_or("");
        }
    };
    set(wish.request_three_d_secure, options.request_three_d_secure);
    set(wish.capture_method, options.capture_method);
    set(wish.setup_future_usage, options.setup_future_usage);
    set(wish.network_transaction_id, options.network_transaction_id);
    options.moto = wish.moto.value_or(options.moto);
    options.three_d_secure = wish.three_d_secure.value_or(options.three_d_secure);
}

}  // namespace

void refuse_splits(Parameters& parameters) {
    for (char const* const name : {"application_fee_amount", "on_behalf_of", "transfer_data"}) {
        if (!parameters.has(name)) {
            continue;
        }
        parameters.ignore(name);
        parameters.refuse(bad_parameter(
            "",
            name,
            "The parameter " + std::string{name} +
                " is for payments with connected accounts; this server has none (Connect is not "
                "supported)."
        ));
    }
}

model::PaymentIntent take_new_intent(Parameters& parameters, IntentWish& wish) {
    Intent intent;
    auto const currency = take_currency(parameters);
    intent.amount = take_amount(parameters, currency);
    intent.currency = currency ? currency->alphabetic() : "";
    intent.confirmation_method =
        parameters.take_enum("confirmation_method", {"automatic", "manual"}).value_or("automatic");
    take_types(parameters, intent);
    refuse_splits(parameters);
    take_details(parameters, wish);
    take_how_to_pay(parameters, wish);
    take_confirming(parameters, wish);
    return intent;
}

IntentWish take_intent_update(Parameters& parameters) {
    IntentWish wish;
    wish.wire_amount = parameters.take_integer("amount", -kAmountMax, INT64_MAX);
    if (parameters.has("currency")) {
        wish.currency = take_currency(parameters);
    }
    take_details(parameters, wish);
    take_how_to_pay(parameters, wish);
    return wish;
}

IntentWish take_confirmation(Parameters& parameters) {
    IntentWish wish;
    take_how_to_pay(parameters, wish);
    take_confirming(parameters, wish);
    return wish;
}

std::optional<ApiError> apply(IntentWish const& wish, model::PaymentIntent& intent) {
    if (wish.wire_amount || wish.currency) {
        auto const before = Currency::from_alphabetic(intent.currency);
        Currency const currency = wish.currency.value_or(*before);
        std::int64_t const wire =
            wish.wire_amount.value_or(wire_amount(intent.amount, intent.currency));
        auto const minor = checked_amount(wire, currency);
        if (!minor) {
            return minor.error();
        }
        intent.amount = *minor;
        intent.currency = currency.alphabetic();
    }
    if (wish.capture_method) {
        intent.capture_method = *wish.capture_method;
    }
    for (auto const& [member, value] : wish.texts) {
        intent.*member = value;
    }
    if (wish.off_session) {
        intent.off_session = *wish.off_session;
    }
    if (wish.is_shipping_given) {
        intent.has_shipping = wish.has_shipping;
        intent.shipping = wish.shipping;
    }
    apply_card(wish.card, intent.card_options);
    return change_metadata(intent.metadata, wish.metadata);
}

}  // namespace florin::api
