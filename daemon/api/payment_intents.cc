// /v1/payment_intents: create, retrieve, update and list. What moves money is in
// payment_operations.cc, and the flow does it.
#include "daemon/api/intents.h"
#include "daemon/api/list.h"

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;
using flow::Stored;
using Intent = model::PaymentIntent;

asio::awaitable<ApiResult<Done>> create_intent(Call& call) {
    IntentWish wish;
    bool const confirm = call.parameters.take_boolean("confirm").value_or(false);
    Intent intent = take_new_intent(call.parameters, wish);
    auto expand = finish_intent(call, wish);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    std::string const customer = wish.customer.value.value_or("");
    auto method = choose_method(call, wish, customer);
    if (!method) {
        co_return std::unexpected{method.error()};
    }
    if (!customer.empty()) {
        if (auto const known = find_customer(call, customer, "customer"); !known) {
            co_return std::unexpected{known.error()};
        }
        intent.customer = customer;
    }
    if (auto error = apply(wish, intent)) {
        co_return std::unexpected{*error};
    }
    auto& ids = call.services.ids;
    intent.id = ids.make("pi");
    intent.merchant = call.caller.merchant;
    intent.client_secret = intent.id + "_secret_" + ids.secret(24);
    intent.created = ids.now_s();
    intent.status = *method ? "requires_confirmation" : "requires_payment_method";
    if (confirm) {
        auto wanted = std::make_unique<flow::Confirmation>();
        wanted->intent.value = std::move(intent);
        co_return co_await confirm_with(
            call, std::move(wanted), std::move(*method), wish, std::move(*expand)
        );
    }
    std::optional<model::PaymentMethod> new_method;
    if (*method) {
        if (auto const kept = co_await keep_card(call, **method); !kept) {
            co_return std::unexpected{kept.error()};
        }
        intent.payment_method = (*method)->stored.value.id;
        if ((*method)->is_new()) {
            new_method = (*method)->stored.value;
        }
    }
    if (!wish.card.cryptogram.empty()) {
        call.services.vault.hold_cryptogram(PaymentId{intent.id}, std::move(wish.card.cryptogram));
    }
    flow::Render render = renderer_for(call, std::move(*expand));
    auto done = co_await call.services.payments.create(
        call.caller, std::move(intent), new_method, std::move(render)
    );
    if (!new_method) {
        co_return done;
    }
    KeptCard card{*new_method};
    co_return co_await settle_card(call, std::move(card), std::move(done));
}

asio::awaitable<ApiResult<Done>> retrieve_intent(Call& call) {
    auto const client_secret = call.parameters.take_string("client_secret");
    auto const expand = finish(call, ObjectKind::payment_intent);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const intent = find<Intent>(call, call.id());
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
    co_return Done{
        200,
        call.services.renderer.intent_json(call.owner(), only(call.owner(), intent->value), *expand)
            .text()
    };
}

// A customer can be named once, and stays.
std::optional<ApiError> set_customer(
    Call& call, Settable<std::string> const& wanted, Intent& intent, flow::Change& change
) {
    std::string const customer = wanted.value.value_or("");
    if (!wanted.is_given || customer == intent.customer) {
        return std::nullopt;
    }
    if (!intent.customer.empty()) {
        return bad_parameter(
            "",
            "customer",
            "You cannot modify customer on a PaymentIntent once it already has been set. To "
            "fulfill a payment with a different customer, cancel this PaymentIntent and create a "
            "new one."
        );
    }
    if (auto const known = find_customer(call, customer, "customer"); !known) {
        return known.error();
    }
    intent.customer = customer;
    change.link(model::Kind::customer_intent, customer, intent.id);
    return std::nullopt;
}

ApiResult<Done> change_intent(
    Call& call,
    IntentWish const& wish,
    std::optional<ChosenMethod> const& chosen,
    Expansions const& expand,
    flow::Change& change
) {
    auto intent = find<Intent>(call, call.id());
    if (!intent) {
        return std::unexpected{intent.error()};
    }
    Intent& value = intent->value;
    bool const is_open = value.status == "requires_payment_method" ||
                         value.status == "requires_confirmation" ||
                         value.status == "requires_action";
    if (wish.changes_payment() && !is_open) {
        return std::unexpected{unexpected_state(
            call,
            value,
            "This PaymentIntent's amount, currency, customer, payment method, capture method, "
            "setup_future_usage and payment_method_options could not be updated because it has a "
            "status of " +
                value.status + "."
        )};
    }
    if (auto error = apply(wish, value)) {
        return std::unexpected{*error};
    }
    if (auto error = set_customer(call, wish.customer, value, change)) {
        return std::unexpected{*error};
    }
    Stored<model::PaymentMethod> const* const method = chosen ? &chosen->stored : nullptr;
    if (method != nullptr) {
        if (auto error = check_usable(method->value, value.customer)) {
            return std::unexpected{*error};
        }
        value.payment_method = method->value.id;
        value.status = "requires_confirmation";
        if (chosen->is_new()) {
            change.put(method->value.id, *method);
        }
    }
    change.put(value.id, *intent);
    flow::Objects objects = only(call.owner(), value);
    if (method != nullptr) {
        objects.method = &method->value;
    }
    return Done{200, call.services.renderer.intent_json(call.owner(), objects, expand).text()};
}

asio::awaitable<ApiResult<Done>> update_intent(Call& call) {
    IntentWish wish = take_intent_update(call.parameters);
    auto const expand = finish_intent(call, wish);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const intent = find<Intent>(call, call.id());
    if (!intent) {
        co_return std::unexpected{intent.error()};
    }
    std::string const customer = wish.customer.value.value_or(intent->value.customer);
    auto method = choose_method(call, wish, customer);
    if (!method) {
        co_return std::unexpected{method.error()};
    }
    auto const decide = [&](flow::Change& change) {
        return change_intent(call, wish, *method, *expand, change);
    };
    if (*method && (*method)->is_new()) {
        // What is refused anyway does not put a card into the vault first.
        flow::Change not_stored{call.owner()};
        if (auto const tried = decide(not_stored); !tried) {
            co_return std::unexpected{tried.error()};
        }
        if (auto const kept = co_await keep_card(call, **method); !kept) {
            co_return std::unexpected{kept.error()};
        }
    }
    auto done = co_await store_change(call, decide);
    if (*method && (*method)->is_new()) {
        KeptCard card{(*method)->stored.value};
        done = co_await settle_card(call, std::move(card), std::move(done));
    }
    if (done && !wish.card.cryptogram.empty()) {
        call.services.vault.hold_cryptogram(PaymentId{call.id()}, std::move(wish.card.cryptogram));
    }
    co_return done;
}

asio::awaitable<ApiResult<Done>> list_intents(Call& call) {
    Page const page = take_page(call.parameters);
    CreatedFilter const created = take_created(call.parameters);
    auto const customer = call.parameters.take_string("customer");
    auto const expand = finish(call, ObjectKind::payment_intent, "data.");
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    if (auto error = check_named<model::Customer>(call, customer, "customer")) {
        co_return std::unexpected{std::move(*error)};
    }
    Listing listing{
        .kind = model::Kind::payment_intent,
        .prefix = "pi",
        .url = "/v1/payment_intents",
        .link = {}
    };
    if (customer) {
        listing.link = {.kind = model::Kind::customer_intent, .from = *customer};
    }
    auto const render = [&](Intent const& intent) -> std::optional<Json> {
        return call.services.renderer.intent_json(
            call.owner(), only(call.owner(), intent), *expand
        );
    };
    co_return list_of<Intent>(call, listing, page, created, render);
}

}  // namespace

void add_payment_intents(Routes& routes) {
    routes.add(http::Method::post, "/v1/payment_intents", create_intent);
    routes.add(http::Method::get, "/v1/payment_intents", list_intents);
    routes.add(http::Method::get, "/v1/payment_intents/:id", retrieve_intent);
    routes.add(http::Method::post, "/v1/payment_intents/:id", update_intent);
}

}  // namespace florin::api
