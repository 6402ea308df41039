// /v1/payment_methods.
#include "daemon/api/methods.h"

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;

asio::awaitable<ApiResult<Done>> create_method(Call& call) {
    Parameters& parameters = call.parameters;
    parameters.take_enum("type", {"card"});
    if (!parameters.has("type")) {
        parameters.refuse_missing("type");
    }
    auto const metadata = parameters.take_metadata();
    parameters.take_enum("allow_redisplay", {"always", "limited", "unspecified"});
    auto const paths = parameters.take_strings("expand");
    auto method = make_payment_method(call, &parameters, "");
    if (!method) {
        co_return std::unexpected{method.error()};
    }
    model::PaymentMethod& value = method->stored.value;
    if (metadata) {
        flow::merge_metadata(value.metadata, metadata->changes);
    }
    auto const expand = Expansions::make(ObjectKind::payment_method, paths, call.key);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    if (auto const kept = co_await keep_card(call, *method); !kept) {
        co_return std::unexpected{kept.error()};
    }
    Done const done{200, call.services.renderer.method_json(call.owner(), value, *expand).text()};
    auto stored = co_await call.services.payments.store_method(call.caller, value, done);
    KeptCard card{value};
    co_return co_await settle_card(call, std::move(card), std::move(stored));
}

asio::awaitable<ApiResult<Done>> retrieve_method(Call& call) {
    auto const expand = finish(call, ObjectKind::payment_method);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const method = find<model::PaymentMethod>(call, call.id());
    if (!method) {
        co_return std::unexpected{method.error()};
    }
    co_return Done{
        200, call.services.renderer.method_json(call.owner(), method->value, *expand).text()
    };
}

// What an update changes.
struct MethodWish {
    std::optional<MetadataChange> metadata;
    std::optional<std::int64_t> exp_month, exp_year;
    Settable<std::string> email, name, phone, tax_id;
    bool is_address_given = false;
    model::Address address;
};

MethodWish take_method_wish(Parameters& parameters) {
    MethodWish wish;
    wish.metadata = parameters.take_metadata();
    parameters.take_enum("allow_redisplay", {"always", "limited", "unspecified"});
    if (Parameters* const card = parameters.take_hash("card")) {
        wish.exp_month = card->take_integer("exp_month", -1'000'000, 1'000'000);
        wish.exp_year = card->take_integer("exp_year", -1'000'000, 1'000'000);
    }
    if (Parameters* const billing = parameters.take_hash("billing_details")) {
        wish.email = billing->take_settable("email");
        check_email(*billing, "email", wish.email.value.value_or(""));
        wish.name = billing->take_settable("name");
        wish.phone = billing->take_settable("phone");
        wish.tax_id = billing->take_settable("tax_id");
        wish.is_address_given = billing->has("address");
        if (!billing->take_unset("address")) {
            wish.address = take_address(billing->take_hash("address"));
        }
    }
    return wish;
}

std::optional<ApiError> apply(
    MethodWish const& wish, model::PaymentMethod& method, std::int64_t now_s
) {
    method.exp_month = wish.exp_month.value_or(method.exp_month);
    method.exp_year = full_year(wish.exp_year.value_or(method.exp_year));
    if (wish.exp_month || wish.exp_year) {
        if (auto error = check_expiry(method.exp_month, method.exp_year, now_s)) {
            return error;
        }
    }
    auto const set = [](Settable<std::string> const& from, std::string& into) {
        if (from.is_given) {
            into = from.value.value_or("");
        }
    };
    set(wish.email, method.billing_details.email);
    set(wish.name, method.billing_details.name);
    set(wish.phone, method.billing_details.phone);
    set(wish.tax_id, method.billing_details.tax_id);
    if (wish.is_address_given) {
        method.billing_details.address = wish.address;
    }
    return change_metadata(method.metadata, wish.metadata);
}

asio::awaitable<ApiResult<Done>> update_method(Call& call) {
    MethodWish const wish = take_method_wish(call.parameters);
    auto const expand = finish(call, ObjectKind::payment_method);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const decide = [&](flow::Change& change) -> ApiResult<Done> {
        auto method = find<model::PaymentMethod>(call, call.id());
        if (!method) {
            return std::unexpected{method.error()};
        }
        auto const& renderer = call.services.renderer;
        std::string const before = renderer.method_json(call.owner(), method->value, {}).text();
        if (auto error = apply(wish, method->value, call.services.ids.now_s())) {
            return std::unexpected{*error};
        }
        change.put(call.id(), *method);
        std::string const after = renderer.method_json(call.owner(), method->value, {}).text();
        note_update(call, change, "payment_method.updated", before, after);
        return Done{200, renderer.method_json(call.owner(), method->value, *expand).text()};
    };
    co_return co_await store_change(call, decide);
}

// A test token makes a method, which is attached with the same command.
asio::awaitable<ApiResult<Done>> attach_to_customer(Call& call) {
    std::string const customer_id = call.parameters.require_string("customer");
    auto const expand = finish(call, ObjectKind::payment_method);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    if (auto const customer = find_customer(call, customer_id, "customer"); !customer) {
        co_return std::unexpected{customer.error()};
    }
    auto chosen = find_method(call, call.id(), "");
    if (!chosen) {
        co_return std::unexpected{chosen.error()};
    }
    if (auto const kept = co_await keep_card(call, *chosen); !kept) {
        co_return std::unexpected{kept.error()};
    }
    auto const* const first = &chosen->stored;
    auto const decide = [&](flow::Change& change) -> ApiResult<Done> {
        auto customer = find_customer(call, customer_id, "customer");
        if (!customer) {
            return std::unexpected{customer.error()};
        }
        flow::Stored<model::PaymentMethod> method = *first;
        if (first->version != 0) {
            auto stored = find<model::PaymentMethod>(call, first->value.id);
            if (!stored) {
                return std::unexpected{stored.error()};
            }
            method = std::move(*stored);
        }
        if (auto error = attach(call, change, method, *customer)) {
            return std::unexpected{*error};
        }
        auto const& renderer = call.services.renderer;
        return Done{200, renderer.method_json(call.owner(), method.value, *expand).text()};
    };
    co_return co_await store_change(call, decide);
}

asio::awaitable<ApiResult<Done>> detach_from_customer(Call& call) {
    auto const expand = finish(call, ObjectKind::payment_method);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const decide = [&](flow::Change& change) -> ApiResult<Done> {
        auto method = find<model::PaymentMethod>(call, call.id());
        if (!method) {
            return std::unexpected{method.error()};
        }
        if (method->value.customer.empty()) {
            return std::unexpected{bad_parameter(
                "payment_method_unexpected_state",
                "",
                "The payment method you provided is not attached to a customer so detachment is "
                "impossible."
            )};
        }
        auto const& renderer = call.services.renderer;
        auto customer = find<model::Customer>(call, method->value.customer, "customer");
        if (customer && customer->value.default_payment_method == call.id()) {
            auto const json = [&] {
                return renderer.customer_json(call.owner(), customer->value, {}).text();
            };
            std::string const before = json();
            customer->value.default_payment_method.clear();
            change.put(customer->value.id, *customer);
            note_update(call, change, "customer.updated", before, json());
        }
        detach(call, change, *method);
        return Done{200, renderer.method_json(call.owner(), method->value, *expand).text()};
    };
    co_return co_await store_change(call, decide);
}

asio::awaitable<ApiResult<Done>> list_methods(Call& call) {
    auto const customer = call.parameters.take_string("customer");
    co_return list_methods_of(call, customer.value_or(""), "/v1/payment_methods");
}

}  // namespace

void add_payment_methods(Routes& routes) {
    routes.add(http::Method::post, "/v1/payment_methods", create_method);
    routes.add(http::Method::get, "/v1/payment_methods", list_methods);
    routes.add(http::Method::get, "/v1/payment_methods/:id", retrieve_method);
    routes.add(http::Method::post, "/v1/payment_methods/:id", update_method);
    routes.add(http::Method::post, "/v1/payment_methods/:id/attach", attach_to_customer);
    routes.add(http::Method::post, "/v1/payment_methods/:id/detach", detach_from_customer);
}

}  // namespace florin::api
