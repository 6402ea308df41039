// /v1/payment_intents: the wire's parameters become typed values here, the flow does the rest.
#include "connectors/cards.h"
#include "daemon/api/service.h"
#include "ledger/base/money.h"

#include <nlohmann/json.hpp>

#include <algorithm>
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

void take_shipping(Parameters& parameters, model::PaymentIntent& intent) {
    if (parameters.take_unset("shipping")) {
        intent.has_shipping = false;
        intent.shipping = {};
        return;
    }
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

// There are no customers yet: whichever is named does not exist.
void take_customer(Parameters& parameters) {
    auto const customer = parameters.take_settable("customer");
    if (customer.value) {
        parameters.refuse(missing_resource("customer", *customer.value, "customer"));
    }
}

// Cards are the one type there is; a list that leaves them out leaves nothing to pay with.
std::vector<std::string> take_method_types(Parameters& parameters, char const* name) {
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
    if (!types.empty() && std::ranges::find(types, "card") == types.end()) {
        parameters.refuse(bad_parameter(
            "",
            parameters.name_of(name),
            "None of these payment method types is available; card is: " + std::string{name}
        ));
        return {};
    }
    return types;
}

// What create and confirm have in common: how to pay.
struct HowToPay {
    std::string payment_method;
    Parameters* payment_method_data = nullptr;
    std::optional<MetadataChange> metadata;  // of the method that comes with it
};

HowToPay take_how_to_pay(Parameters& parameters, bool may_confirm) {
    HowToPay how;
    how.payment_method = parameters.take_string("payment_method").value_or("");
    how.payment_method_data = parameters.take_hash("payment_method_data");
    if (how.payment_method_data != nullptr) {
        how.payment_method_data->take_enum("type", {"card"});
        how.metadata = how.payment_method_data->take_metadata();
        how.payment_method_data->take_enum("allow_redisplay", {"always", "limited", "unspecified"});
        if (Parameters* const radar = how.payment_method_data->take_hash("radar_options")) {
            radar->take_string("session");
        }
        if (!how.payment_method.empty()) {
            parameters.refuse(bad_parameter(
                "parameters_exclusive",
                "payment_method_data",
                "Received both payment_method and payment_method_data; only one may be used."
            ));
        }
    }
    if (Parameters* const options = parameters.take_hash("payment_method_options")) {
        if (Parameters* const card = options->take_hash("card")) {
            card->take_enum("request_three_d_secure", {"automatic", "any", "challenge"});
            card->take_enum("capture_method", {"manual"});
            card->take_boolean("moto");
            card->take_settable("setup_future_usage");
        }
    }
    if (may_confirm) {
        parameters.take_string("return_url");
        parameters.take_boolean("off_session");
        parameters.take_boolean("error_on_requires_action");
    }
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
        if (how.metadata) {
            flow::merge_metadata(made->metadata, how.metadata->changes);
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
    HowToPay how = take_how_to_pay(parameters, true);
    intent.payment_method_types = take_method_types(parameters, "payment_method_types");
    auto const allowed = take_method_types(parameters, "allowed_payment_method_types");
    static_cast<void>(parameters.take_strings("excluded_payment_method_types"));
    if (intent.payment_method_types.empty()) {
        intent.payment_method_types = allowed.empty() ? std::vector<std::string>{"card"} : allowed;
    }
    if (Parameters* const automatic = parameters.take_hash("automatic_payment_methods")) {
        intent.automatic_payment_methods = automatic->take_boolean("enabled").value_or(false);
        automatic->take_enum("allow_redirects", {"always", "never"});
    }
    take_customer(parameters);
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
    auto const client_secret = call.parameters.take_string("client_secret");
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
    if (client_secret && *client_secret != intent->value.client_secret) {
        co_return std::unexpected{bad_parameter(
            "",
            "client_secret",
            "The client_secret provided does not match the client_secret associated with the "
            "PaymentIntent."
        )};
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
    HowToPay how = take_how_to_pay(parameters, true);
    auto const capture_method =
        parameters.take_enum("capture_method", {"automatic", "automatic_async", "manual"});
    auto const receipt_email = parameters.take_settable("receipt_email");
    auto const setup = parameters.take_settable("setup_future_usage");
    bool const is_shipping_given = parameters.has("shipping");
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
    if (is_shipping_given) {
        intent->value.has_shipping = shipped.has_shipping;
        intent->value.shipping = shipped.shipping;
    }
    co_return co_await confirm_with(
        call, std::move(*intent), std::move(**method), std::move(*expand)
    );
}

// What an update changes; the parameters are taken once, and applied to whatever version is there.
struct Update {
    std::optional<std::int64_t> wire_amount;
    std::optional<Currency> currency;
    std::optional<std::string> capture_method;
    std::optional<MetadataChange> metadata;
    std::optional<model::PaymentMethod> method;
    bool is_shipping_given = false;
    model::PaymentIntent shipped;
    std::vector<std::pair<std::string model::PaymentIntent::*, std::string>> texts;

    // Only before a confirmation.
    bool changes_payment() const { return wire_amount || currency || capture_method || method; }
};

std::optional<ApiError> apply(Update const& update, model::PaymentIntent& intent) {
    if (update.wire_amount || update.currency) {
        auto const before = Currency::from_alphabetic(intent.currency);
        Currency const currency = update.currency.value_or(*before);
        std::int64_t const wire =
            update.wire_amount.value_or(wire_amount(intent.amount, intent.currency));
        auto const minor = checked_amount(wire, currency);
        if (!minor) {
            return minor.error();
        }
        intent.amount = *minor;
        intent.currency = currency.alphabetic();
    }
    if (update.capture_method) {
        intent.capture_method = *update.capture_method;
    }
    for (auto const& [member, value] : update.texts) {
        intent.*member = value;
    }
    if (update.is_shipping_given) {
        intent.has_shipping = update.shipped.has_shipping;
        intent.shipping = update.shipped.shipping;
    }
    if (update.metadata) {
        Metadata const changes = update.metadata->against(intent.metadata);
        if (auto error = check_metadata_size(intent.metadata, changes)) {
            return error;
        }
        flow::merge_metadata(intent.metadata, changes);
    }
    if (update.method) {
        intent.payment_method = update.method->id;
        intent.status = "requires_confirmation";
    }
    return std::nullopt;
}

void take_text_change(
    Parameters& parameters,
    char const* name,
    std::string model::PaymentIntent::* member,
    Update& update,
    std::size_t most = 5'000
) {
    auto taken = parameters.take_settable(name, most);
    if (taken.is_given) {
        update.texts.emplace_back(member, taken.value.value_or(""));
    }
}

asio::awaitable<ApiResult<Done>> update(Call& call) {
    using Intent = model::PaymentIntent;
    Parameters& parameters = call.parameters;
    Update wanted;
    wanted.wire_amount = parameters.take_integer("amount", -kAmountMax, INT64_MAX);
    if (parameters.has("currency")) {
        wanted.currency = take_currency(parameters);
    }
    wanted.capture_method =
        parameters.take_enum("capture_method", {"automatic", "automatic_async", "manual"});
    take_customer(parameters);
    take_text_change(parameters, "description", &Intent::description, wanted, 1'000);
    take_text_change(parameters, "receipt_email", &Intent::receipt_email, wanted);
    take_text_change(parameters, "statement_descriptor", &Intent::statement_descriptor, wanted, 22);
    take_text_change(
        parameters, "statement_descriptor_suffix", &Intent::statement_descriptor_suffix, wanted, 22
    );
    take_text_change(parameters, "transfer_group", &Intent::transfer_group, wanted);
    if (parameters.take_unset("setup_future_usage")) {
        wanted.texts.emplace_back(&Intent::setup_future_usage, "");
    } else if (auto usage =
                   parameters.take_enum("setup_future_usage", {"off_session", "on_session"})) {
        wanted.texts.emplace_back(&Intent::setup_future_usage, std::move(*usage));
    }
    wanted.is_shipping_given = parameters.has("shipping");
    take_shipping(parameters, wanted.shipped);
    wanted.metadata = parameters.take_metadata();
    HowToPay how = take_how_to_pay(parameters, false);
    auto const paths = parameters.take_strings("expand");
    if (how.payment_method_data == nullptr) {
        if (auto error = parameters.finish()) {
            co_return std::unexpected{*error};
        }
    }
    auto const expand = Expansions::make(ObjectKind::payment_intent, paths);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    if (auto const intent = find_intent(call); !intent) {
        co_return std::unexpected{intent.error()};
    }
    auto method = co_await find_method(call, how);
    if (!method) {
        co_return std::unexpected{method.error()};
    }
    wanted.method = std::move(*method);
    if (wanted.method) {
        if (auto const stored = co_await store_new_method(call, *wanted.method); !stored) {
            co_return std::unexpected{stored.error()};
        }
    }
    constexpr int kTriesMax = 20;  // when somebody else changes the same intent
    for (int tries = 0;; ++tries) {
        auto intent = find_intent(call);
        if (!intent) {
            co_return std::unexpected{intent.error()};
        }
        std::string const status = intent->value.status;
        bool const is_open = status == "requires_payment_method" ||
                             status == "requires_confirmation" || status == "requires_action";
        if (wanted.changes_payment() && !is_open) {
            ApiError error;
            error.code = "payment_intent_unexpected_state";
            error.message =
                "This PaymentIntent's amount, currency, payment method and capture "
                "method could not be updated because it has a status of " +
                status + ".";
            Objects const objects{
                .owner = call.owner(),
                .intent = intent->value,
                .charge = {},
                .method = {},
                .refund = {}
            };
            error.payment_intent_json = call.services.renderer.intent(objects);
            co_return std::unexpected{error};
        }
        if (auto error = apply(wanted, intent->value)) {
            co_return std::unexpected{*error};
        }
        Objects const objects{
            .owner = call.owner(), .intent = intent->value, .charge = {}, .method = {}, .refund = {}
        };
        Done done{200, to_body(call.services.renderer.intent_json(call.owner(), objects, *expand))};
        flow::Change change{call.owner()};
        change.put(intent->value.id, *intent);
        auto saved =
            co_await call.services.payments.store(call.caller, std::move(change), std::move(done));
        if (saved || saved.error().code != "lock_timeout" || tries >= kTriesMax) {
            co_return saved;
        }
    }
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
        auto const minor = minor_amount(*wire, *currency, "amount_to_capture");
        if (!minor) {
            co_return std::unexpected{minor.error()};
        }
        amount = *minor;
    }
    Metadata changes;
    if (metadata) {
        changes = metadata->against(intent->value.metadata);
        if (auto error = check_metadata_size(intent->value.metadata, changes)) {
            co_return std::unexpected{*error};
        }
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
    routes.add(http::Method::post, "/v1/payment_intents/:id", update);
    routes.add(http::Method::post, "/v1/payment_intents/:id/confirm", confirm);
    routes.add(http::Method::post, "/v1/payment_intents/:id/capture", capture);
    routes.add(http::Method::post, "/v1/payment_intents/:id/cancel", cancel);
}

}  // namespace florin::api
