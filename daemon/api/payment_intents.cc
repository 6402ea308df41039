// /v1/payment_intents: the wire's parameters become typed values here, the flow does the rest.
#include "connectors/cards.h"
#include "daemon/api/service.h"
#include "ledger/base/money.h"

#include <nlohmann/json.hpp>

#include <map>

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;
using flow::Objects;
using flow::Stored;

constexpr std::int64_t kAmountMax = 99'999'999;  // eight digits

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

// ISO minor units; 0 where something is wrong, which has been noted.
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
    if (*wire > kAmountMax) {
        parameters.refuse(bad_parameter(
            "amount_too_large", "amount", "Amount must be no more than 99999999 in minor units."
        ));
        return 0;
    }
    if (*wire < least_amount(*currency)) {
        parameters.refuse(bad_parameter(
            "amount_too_small",
            "amount",
            "Amount must be at least " + std::to_string(least_amount(*currency)) + " " +
                currency->lower() + " in minor units."
        ));
        return 0;
    }
    bool const is_odd_thousandth = currency->stripe_digits() == 3 && *wire % 10 != 0;
    auto const minor = convert_minor(*wire, currency->stripe_digits(), currency->digits());
    if (!minor || is_odd_thousandth) {
        parameters.refuse(bad_parameter(
            "parameter_invalid_integer",
            "amount",
            "Invalid integer: this amount cannot be expressed exactly in " + currency->lower() + "."
        ));
        return 0;
    }
    return *minor;
}

void take_shipping(Parameters& parameters, model::PaymentIntent& intent) {
    Parameters* const shipping = parameters.take_hash("shipping");
    if (shipping == nullptr) {
        return;
    }
    intent.has_shipping = true;
    intent.shipping.address = take_address(shipping->take_hash("address"));
    intent.shipping.name = shipping->take_settable("name").value.value_or("");
    intent.shipping.phone = shipping->take_settable("phone").value.value_or("");
    intent.shipping.carrier = shipping->take_settable("carrier").value.value_or("");
    intent.shipping.tracking_number = shipping->take_settable("tracking_number").value.value_or("");
}

void take_text(
    Parameters& parameters, char const* name, std::string& into, std::size_t most = 5'000
) {
    auto taken = parameters.take_settable(name, most);
    if (taken.is_given) {
        into = taken.value.value_or("");
    }
}

// What create and confirm have in common: how to pay.
struct HowToPay {
    std::string payment_method;
    Parameters* payment_method_data = nullptr;
};

HowToPay take_how_to_pay(Parameters& parameters) {
    HowToPay how;
    how.payment_method = parameters.take_string("payment_method").value_or("");
    how.payment_method_data = parameters.take_hash("payment_method_data");
    if (how.payment_method_data != nullptr) {
        how.payment_method_data->take_enum("type", {"card"});
        how.payment_method_data->ignore("metadata");
        how.payment_method_data->ignore("allow_redisplay");
        how.payment_method_data->ignore("radar_options");
    }
    parameters.ignore("payment_method_options");
    parameters.take_string("return_url");
    parameters.take_boolean("off_session");
    parameters.take_boolean("error_on_requires_action");
    return how;
}

// The payment method that a request names, brings, or means by a test token.
asio::awaitable<ApiResult<std::optional<model::PaymentMethod>>> find_method(
    Call& call, HowToPay how
) {
    using Found = std::optional<model::PaymentMethod>;
    if (how.payment_method_data != nullptr) {
        std::string const by_number;
        auto made = co_await make_payment_method(call, how.payment_method_data, by_number);
        if (!made) {
            co_return std::unexpected{made.error()};
        }
        co_return Found{std::move(*made)};
    }
    if (how.payment_method.empty()) {
        co_return Found{};
    }
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    bool const is_test = call.caller.mode == model::Mode::test;
    if (is_test && connectors::test_card(how.payment_method)) {
        auto made = co_await make_payment_method(call, nullptr, how.payment_method);
        if (!made) {
            co_return std::unexpected{made.error()};
        }
        co_return Found{std::move(*made)};
    }
    auto const stored =
        flow::load<model::PaymentMethod>(call.documents(), call.owner(), how.payment_method);
    if (!stored) {
        co_return std::unexpected{internal_error(stored.error().context)};
    }
    if (!*stored) {
        co_return std::unexpected{
            missing_resource("PaymentMethod", how.payment_method, "payment_method")
        };
    }
    co_return Found{(*stored)->value};
}

// A new method is a document of its own, stored before the payment that uses it.
asio::awaitable<ApiResult<Done>> store_new_method(Call& call, model::PaymentMethod method) {
    auto const known = flow::load<model::PaymentMethod>(call.documents(), call.owner(), method.id);
    if (known && *known) {
        co_return Done{};
    }
    flow::Caller caller = call.caller;
    caller.idempotency_key.clear();
    Done nothing_to_answer;
    co_return co_await call.services.payments.store_method(
        std::move(caller), std::move(method), std::move(nothing_to_answer)
    );
}

flow::Render renderer_for(Call& call, Expansions expand) {
    return [&renderer = call.services.renderer,
            owner = call.owner(),
            expand = std::move(expand)](Objects const& objects) {
        if (objects.refused) {
            ApiError const error = renderer.card_error(objects);
            return Done{error.http_status, error.json()};
        }
        return Done{200, to_body(renderer.intent_json(owner, objects, expand))};
    };
}

asio::awaitable<ApiResult<Done>> confirm_with(
    Call& call, Stored<model::PaymentIntent> intent, model::PaymentMethod method, Expansions expand
) {
    auto const stored = co_await store_new_method(call, method);
    if (!stored) {
        co_return std::unexpected{stored.error()};
    }
    Cvv cvc = call.services.vault.take_cvc(PaymentMethodId{method.id});
    flow::Render render = renderer_for(call, std::move(expand));
    co_return co_await call.services.payments.confirm(
        call.caller, std::move(intent), std::move(method), std::move(cvc), std::move(render)
    );
}

asio::awaitable<ApiResult<Done>> create(Call& call) {
    Parameters& parameters = call.parameters;
    model::PaymentIntent intent;
    auto const currency = take_currency(parameters);
    intent.amount = take_amount(parameters, currency);
    bool const confirm = parameters.take_boolean("confirm").value_or(false);
    intent.capture_method =
        parameters.take_enum("capture_method", {"automatic", "automatic_async", "manual"})
            .value_or("automatic");
    intent.confirmation_method =
        parameters.take_enum("confirmation_method", {"automatic", "manual"}).value_or("automatic");
    HowToPay how = take_how_to_pay(parameters);
    intent.payment_method_types = parameters.take_strings("payment_method_types");
    auto const allowed = parameters.take_strings("allowed_payment_method_types");
    static_cast<void>(parameters.take_strings("excluded_payment_method_types"));
    if (intent.payment_method_types.empty()) {
        intent.payment_method_types = allowed.empty() ? std::vector<std::string>{"card"} : allowed;
    }
    if (Parameters* const automatic = parameters.take_hash("automatic_payment_methods")) {
        intent.automatic_payment_methods = automatic->take_boolean("enabled").value_or(false);
        automatic->take_enum("allow_redirects", {"always", "never"});
    }
    take_text(parameters, "customer", intent.customer);
    take_text(parameters, "description", intent.description, 1'000);
    take_text(parameters, "receipt_email", intent.receipt_email);
    take_text(parameters, "statement_descriptor", intent.statement_descriptor, 22);
    take_text(parameters, "statement_descriptor_suffix", intent.statement_descriptor_suffix, 22);
    take_text(parameters, "transfer_group", intent.transfer_group);
    intent.setup_future_usage =
        parameters.take_enum("setup_future_usage", {"off_session", "on_session"}).value_or("");
    take_shipping(parameters, intent);
    if (auto const metadata = parameters.take_metadata()) {
        flow::merge_metadata(intent.metadata, metadata->changes);
    }
    auto const expand_paths = parameters.take_strings("expand");
    if (how.payment_method_data == nullptr) {
        if (auto error = parameters.finish()) {
            co_return std::unexpected{*error};
        }
    }
    auto expand = Expansions::make(ObjectKind::payment_intent, expand_paths);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto method = co_await find_method(call, how);
    if (!method) {
        co_return std::unexpected{method.error()};
    }
    if (confirm && !*method) {
        co_return std::unexpected{bad_parameter(
            "parameter_missing",
            "payment_method",
            "You cannot confirm this PaymentIntent because it's missing a payment method."
        )};
    }
    auto& ids = call.services.ids;
    intent.id = ids.make("pi");
    intent.merchant = call.caller.merchant;
    intent.currency = currency->alphabetic();
    intent.client_secret = intent.id + "_secret_" + ids.secret(24);
    intent.created = ids.now_s();
    if (confirm) {
        intent.status = "requires_confirmation";
        Stored<model::PaymentIntent> unstored{.value = std::move(intent), .version = 0};
        co_return co_await confirm_with(
            call, std::move(unstored), std::move(**method), std::move(*expand)
        );
    }
    intent.status = *method ? "requires_confirmation" : "requires_payment_method";
    if (*method) {
        intent.payment_method = (*method)->id;
        auto const stored = co_await store_new_method(call, **method);
        if (!stored) {
            co_return std::unexpected{stored.error()};
        }
    }
    flow::Render render = renderer_for(call, std::move(*expand));
    co_return co_await call.services.payments.create(
        call.caller, std::move(intent), std::move(render)
    );
}

ApiResult<Stored<model::PaymentIntent>> find_intent(Call& call) {
    auto stored = flow::load<model::PaymentIntent>(call.documents(), call.owner(), call.id());
    if (!stored) {
        return std::unexpected{internal_error(stored.error().context)};
    }
    if (!*stored) {
        return std::unexpected{missing_resource("payment_intent", call.id())};
    }
    return std::move(**stored);
}

asio::awaitable<ApiResult<Done>> retrieve(Call& call) {
    call.parameters.take_string("client_secret");
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto const expand = Expansions::make(ObjectKind::payment_intent, paths);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const intent = find_intent(call);
    if (!intent) {
        co_return std::unexpected{intent.error()};
    }
    Objects const objects{
        .owner = call.owner(), .intent = intent->value, .charge = {}, .method = {}, .refund = {}
    };
    co_return Done{
        200, to_body(call.services.renderer.intent_json(call.owner(), objects, *expand))
    };
}

asio::awaitable<ApiResult<Done>> confirm(Call& call) {
    Parameters& parameters = call.parameters;
    HowToPay how = take_how_to_pay(parameters);
    auto const capture_method =
        parameters.take_enum("capture_method", {"automatic", "automatic_async", "manual"});
    auto const receipt_email = parameters.take_settable("receipt_email");
    auto const setup = parameters.take_settable("setup_future_usage");
    model::PaymentIntent shipped;
    take_shipping(parameters, shipped);
    auto const paths = parameters.take_strings("expand");
    if (how.payment_method_data == nullptr) {
        if (auto error = parameters.finish()) {
            co_return std::unexpected{*error};
        }
    }
    auto expand = Expansions::make(ObjectKind::payment_intent, paths);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto intent = find_intent(call);
    if (!intent) {
        co_return std::unexpected{intent.error()};
    }
    std::string const status = intent->value.status;
    if (status != "requires_payment_method" && status != "requires_confirmation") {
        ApiError error;
        error.code = "payment_intent_unexpected_state";
        error.message = "You cannot confirm this PaymentIntent because it has a status of " +
                        status +
                        ". Only a PaymentIntent with one of the following statuses may "
                        "be confirmed: requires_confirmation, requires_payment_method.";
        Objects const objects{
            .owner = call.owner(), .intent = intent->value, .charge = {}, .method = {}, .refund = {}
        };
        error.payment_intent_json = call.services.renderer.intent(objects);
        co_return std::unexpected{error};
    }
    if (how.payment_method.empty() && how.payment_method_data == nullptr) {
        how.payment_method = intent->value.payment_method;
    }
    auto method = co_await find_method(call, how);
    if (!method) {
        co_return std::unexpected{method.error()};
    }
    if (!*method) {
        co_return std::unexpected{bad_parameter(
            "parameter_missing",
            "payment_method",
            "You cannot confirm this PaymentIntent because it's missing a payment method."
        )};
    }
    if (capture_method) {
        intent->value.capture_method = *capture_method;
    }
    if (receipt_email.is_given) {
        intent->value.receipt_email = receipt_email.value.value_or("");
    }
    if (setup.is_given) {
        intent->value.setup_future_usage = setup.value.value_or("");
    }
    if (shipped.has_shipping) {
        intent->value.has_shipping = true;
        intent->value.shipping = shipped.shipping;
    }
    co_return co_await confirm_with(
        call, std::move(*intent), std::move(**method), std::move(*expand)
    );
}

asio::awaitable<ApiResult<Done>> capture(Call& call) {
    Parameters& parameters = call.parameters;
    auto const wire = parameters.take_integer("amount_to_capture", 1, kAmountMax);
    parameters.take_boolean("final_capture");
    auto const metadata = parameters.take_metadata();
    parameters.take_settable("statement_descriptor", 22);
    parameters.take_settable("statement_descriptor_suffix", 22);
    auto const paths = parameters.take_strings("expand");
    if (auto error = parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto expand = Expansions::make(ObjectKind::payment_intent, paths);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const intent = find_intent(call);
    if (!intent) {
        co_return std::unexpected{intent.error()};
    }
    std::optional<std::int64_t> amount;
    if (wire) {
        auto const currency = Currency::from_alphabetic(intent->value.currency);
        auto const minor = convert_minor(*wire, currency->stripe_digits(), currency->digits());
        if (!minor) {
            co_return std::unexpected{bad_parameter(
                "parameter_invalid_integer",
                "amount_to_capture",
                "Invalid integer for this currency."
            )};
        }
        amount = *minor;
    }
    Metadata changes;
    if (metadata) {
        changes = metadata->changes;
    }
    flow::Render render = renderer_for(call, std::move(*expand));
    co_return co_await call.services.payments.capture(
        call.caller, call.id(), amount, std::move(changes), std::move(render)
    );
}

asio::awaitable<ApiResult<Done>> cancel(Call& call) {
    auto const reason = call.parameters.take_enum(
        "cancellation_reason", {"duplicate", "fraudulent", "requested_by_customer", "abandoned"}
    );
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto expand = Expansions::make(ObjectKind::payment_intent, paths);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    flow::Render render = renderer_for(call, std::move(*expand));
    co_return co_await call.services.payments.cancel(
        call.caller, call.id(), reason.value_or(""), std::move(render)
    );
}

asio::awaitable<ApiResult<Done>> list(Call& call) {
    Page const page = take_page(call.parameters);
    CreatedFilter const created = take_created(call.parameters);
    std::string const customer = call.parameters.take_string("customer").value_or("");
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto const expand = Expansions::make(ObjectKind::payment_intent, paths, "data.");
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const render = [&](ledger::Document const& document
                        ) -> std::optional<nlohmann::ordered_json> {
        auto const intent = model::from_text<model::PaymentIntent>(document.body.value_or(""));
        if (!intent || !created.matches(intent->created) ||
            (!customer.empty() && intent->customer != customer)) {
            return std::nullopt;
        }
        Objects const objects{
            .owner = call.owner(), .intent = *intent, .charge = {}, .method = {}, .refund = {}
        };
        return call.services.renderer.intent_json(call.owner(), objects, *expand);
    };
    co_return list_page(call, model::Kind::payment_intent, page, "/v1/payment_intents", render);
}

}  // namespace

void add_payment_intents(Routes& routes) {
    routes.add(http::Method::post, "/v1/payment_intents", create);
    routes.add(http::Method::get, "/v1/payment_intents", list);
    routes.add(http::Method::get, "/v1/payment_intents/:id", retrieve);
    routes.add(http::Method::post, "/v1/payment_intents/:id/confirm", confirm);
    routes.add(http::Method::post, "/v1/payment_intents/:id/capture", capture);
    routes.add(http::Method::post, "/v1/payment_intents/:id/cancel", cancel);
}

}  // namespace florin::api
