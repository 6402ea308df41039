// /v1/customers.
//
// A deleted customer keeps its id and nothing else; its methods are detached. Customers of an
// e-mail address are found by a keyed digest of it, so that no address is in the journal for good.
#include "daemon/api/list.h"
#include "daemon/api/methods.h"

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Change;
using flow::Done;
using flow::Stored;
using model::Customer;
using model::Kind;

constexpr char const* kCustomersUrl = "/v1/customers";
constexpr char const* kDefaultMethod = "invoice_settings[default_payment_method]";

std::string email_digest(Call const& call, std::string const& email) {
    auto const digest =
        call.services.keys.pepper().of("customer email\n" + call.owner() + "\n" + email);
    return crypto::hex(digest).substr(0, 32);
}

// What create and update have in common; applied to whatever version is there.
struct CustomerWish {
    Settable<std::string> email, name, phone, description, default_method;
    bool is_address_given = false, is_shipping_given = false;
    Customer given;  // address and shipping
    std::optional<MetadataChange> metadata;
};

CustomerWish take_customer_wish(Parameters& parameters) {
    constexpr std::size_t kEmailMax = 512;
    CustomerWish wish;
    wish.email = parameters.take_settable("email", kEmailMax);
    check_email(parameters, "email", wish.email.value.value_or(""));
    wish.name = parameters.take_settable("name");
    wish.phone = parameters.take_settable("phone");
    wish.description = parameters.take_settable("description");
    wish.is_address_given = parameters.has("address");
    if (!parameters.take_unset("address")) {
        wish.given.address = take_address(parameters.take_hash("address"));
    }
    wish.is_shipping_given =
        take_shipping(parameters, wish.given.has_shipping, wish.given.shipping);
    if (Parameters* const invoice = parameters.take_hash("invoice_settings")) {
        wish.default_method = invoice->take_settable("default_payment_method");
    }
    wish.metadata = parameters.take_metadata();
    return wish;
}

// Everything but the default method, which has to be the customer's.
std::optional<ApiError> apply(CustomerWish const& wish, Customer& customer) {
    auto const set = [](Settable<std::string> const& from, std::string& into) {
        if (from.is_given) {
            into = from.value.value_or("");
        }
    };
    set(wish.email, customer.email);
    set(wish.name, customer.name);
    set(wish.phone, customer.phone);
    set(wish.description, customer.description);
    if (wish.is_address_given) {
        customer.address = wish.given.address;
    }
    if (wish.is_shipping_given) {
        customer.has_shipping = wish.given.has_shipping;
        customer.shipping = wish.given.shipping;
    }
    return change_metadata(customer.metadata, wish.metadata);
}

asio::awaitable<ApiResult<Done>> create_customer(Call& call) {
    CustomerWish const wish = take_customer_wish(call.parameters);
    auto const method_id = call.parameters.take_string("payment_method");
    auto const expand = finish(call, ObjectKind::customer);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    Stored<Customer> customer;
    customer.value.id = call.services.ids.make("cus");
    customer.value.created = call.services.ids.now_s();
    if (auto error = apply(wish, customer.value)) {
        co_return std::unexpected{*error};
    }
    Change change{call.owner(), call.caller.cause()};
    auto const& renderer = call.services.renderer;
    std::optional<model::PaymentMethod> attached;
    if (method_id) {
        auto chosen = find_method(call, *method_id, "payment_method");
        if (!chosen) {
            co_return std::unexpected{chosen.error()};
        }
        if (auto const kept = co_await keep_card(call, *chosen); !kept) {
            co_return std::unexpected{kept.error()};
        }
        auto* const method = &chosen->stored;
        if (auto error = attach(call, change, *method, customer)) {
            co_return std::unexpected{*error};
        }
        if (wish.default_method.value == method_id) {
            customer.value.default_payment_method = method->value.id;
            attached = method->value;
        }
    }
    if (wish.default_method.value && customer.value.default_payment_method.empty()) {
        co_return std::unexpected{
            missing_resource("PaymentMethod", *wish.default_method.value, kDefaultMethod)
        };
    }
    change.put(customer.value.id, customer);
    if (!customer.value.email.empty()) {
        change.link(
            Kind::email_customer, email_digest(call, customer.value.email), customer.value.id
        );
    }
    change.event(
        call.services.ids,
        "customer.created",
        renderer.customer_json(call.owner(), customer.value, {}).text()
    );
    Unstored const unstored{.method = attached ? &*attached : nullptr};
    Done done{200, renderer.customer_json(call.owner(), customer.value, *expand, unstored).text()};
    co_return co_await call.services.payments.store(
        call.caller, std::move(change), std::move(done)
    );
}

asio::awaitable<ApiResult<Done>> retrieve_customer(Call& call) {
    auto const expand = finish(call, ObjectKind::customer);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const customer = find<Customer>(call, call.id());
    if (!customer) {
        co_return std::unexpected{customer.error()};
    }
    co_return Done{
        200, call.services.renderer.customer_json(call.owner(), customer->value, *expand).text()
    };
}

// A method of this customer, or none.
std::optional<ApiError> set_default_method(
    Call& call, Settable<std::string> const& wanted, Customer& customer
) {
    if (!wanted.is_given) {
        return std::nullopt;
    }
    customer.default_payment_method = wanted.value.value_or("");
    if (!wanted.value) {
        return std::nullopt;
    }
    auto const method = find<model::PaymentMethod>(call, *wanted.value, kDefaultMethod);
    if (!method) {
        return method.error();
    }
    if (method->value.customer != customer.id) {
        return bad_parameter(
            "payment_method_unexpected_state",
            kDefaultMethod,
            "The customer does not have a payment method with the ID " + method->value.id +
                ". The payment method must be attached to the customer."
        );
    }
    return std::nullopt;
}

ApiResult<Done> change_customer(
    Call& call, CustomerWish const& wish, Expansions const& expand, Change& change
) {
    auto customer = find_customer(call, call.id());
    if (!customer) {
        return std::unexpected{customer.error()};
    }
    Customer const before = customer->value;
    if (auto error = apply(wish, customer->value)) {
        return std::unexpected{*error};
    }
    if (auto error = set_default_method(call, wish.default_method, customer->value)) {
        return std::unexpected{*error};
    }
    change.put(before.id, *customer);
    if (before.email != customer->value.email) {
        if (!before.email.empty()) {
            change.unlink(Kind::email_customer, email_digest(call, before.email), before.id);
        }
        if (!customer->value.email.empty()) {
            change.link(Kind::email_customer, email_digest(call, customer->value.email), before.id);
        }
    }
    auto const& renderer = call.services.renderer;
    note_update(
        call,
        change,
        "customer.updated",
        renderer.customer_json(call.owner(), before, {}).text(),
        renderer.customer_json(call.owner(), customer->value, {}).text()
    );
    return Done{200, renderer.customer_json(call.owner(), customer->value, expand).text()};
}

asio::awaitable<ApiResult<Done>> update_customer(Call& call) {
    CustomerWish const wish = take_customer_wish(call.parameters);
    auto const expand = finish(call, ObjectKind::customer);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const decide = [&](Change& change) {
        return change_customer(call, wish, *expand, change);
    };
    co_return co_await store_change(call, decide);
}

// Some of a customer's methods, detached; whether there are more.
ApiResult<bool> detach_some(Call& call, std::string const& customer, Change& change) {
    constexpr std::size_t kAtOnce = 100;
    std::string const prefix = model::link_id(customer, "");
    auto const links = call.documents().list(
        {.kind = static_cast<std::uint16_t>(Kind::customer_method),
         .owner = call.owner(),
         .after = prefix,
         .newest_first = false,
         .limit = kAtOnce + 1}
    );
    if (!links) {
        return std::unexpected{internal_error(links.error().context)};
    }
    for (std::size_t i = 0; i < links->size() && (*links)[i].key.id.starts_with(prefix); ++i) {
        if (i == kAtOnce) {
            return true;
        }
        auto method =
            find<model::PaymentMethod>(call, (*links)[i].key.id.substr(prefix.size()), "customer");
        if (!method) {
            return std::unexpected{method.error()};
        }
        detach(call, change, *method);
    }
    return false;
}

ApiResult<Done> delete_customer(Call& call, Change& change, bool& has_more) {
    auto customer = find_customer(call, call.id());
    if (!customer) {
        return std::unexpected{customer.error()};
    }
    auto const more = detach_some(call, call.id(), change);
    if (!more) {
        return std::unexpected{more.error()};
    }
    has_more = *more;
    if (has_more) {
        change.guard(Kind::customer, call.id(), customer->version);
        return Done{};
    }
    Customer const before = customer->value;
    customer->value = Customer{};
    customer->value.id = before.id;
    customer->value.created = before.created;
    customer->value.deleted = true;
    change.put(before.id, *customer);
    if (!before.email.empty()) {
        change.unlink(Kind::email_customer, email_digest(call, before.email), before.id);
    }
    auto const& renderer = call.services.renderer;
    change.event(
        call.services.ids,
        "customer.deleted",
        renderer.customer_json(call.owner(), before, {}).text()
    );
    return Done{200, renderer.customer_json(call.owner(), customer->value, {}).text()};
}

asio::awaitable<ApiResult<Done>> remove_customer(Call& call) {
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    bool has_more = true;
    auto const decide = [&](Change& change) { return delete_customer(call, change, has_more); };
    ApiResult<Done> done;
    while (has_more) {
        done = co_await store_change(call, decide);
        if (!done) {
            co_return done;
        }
    }
    // A method that was attached after the look and before the deletion; later ones are refused.
    auto const sweep = [&](Change& change) -> ApiResult<Done> {
        auto const more = detach_some(call, call.id(), change);
        if (!more) {
            return std::unexpected{more.error()};
        }
        has_more = *more;
        return Done{};
    };
    do {
        if (auto const swept = co_await store_change(call, sweep); !swept) {
            co_return std::unexpected{swept.error()};
        }
    } while (has_more);
    co_return done;
}

asio::awaitable<ApiResult<Done>> list_customers(Call& call) {
    Page const page = take_page(call.parameters);
    CreatedFilter const created = take_created(call.parameters);
    auto const email = call.parameters.take_string("email");
    auto const expand = finish(call, ObjectKind::customer, "data.");
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    Listing listing{.kind = Kind::customer, .prefix = "cus", .url = kCustomersUrl, .link = {}};
    if (email) {
        listing.link = {.kind = Kind::email_customer, .from = email_digest(call, *email)};
    }
    auto const render = [&](Customer const& customer) -> std::optional<Json> {
        if (customer.deleted || (email && customer.email != *email)) {
            return std::nullopt;
        }
        return call.services.renderer.customer_json(call.owner(), customer, *expand);
    };
    co_return list_of<Customer>(call, listing, page, created, render);
}

asio::awaitable<ApiResult<Done>> list_customer_methods(Call& call) {
    auto const customer = find_customer(call, call.id());
    if (!customer) {
        co_return std::unexpected{customer.error()};
    }
    co_return list_methods_of(
        call, call.id(), std::string{kCustomersUrl} + "/" + call.id() + "/payment_methods"
    );
}

asio::awaitable<ApiResult<Done>> retrieve_customer_method(Call& call) {
    auto const expand = finish(call, ObjectKind::payment_method);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    if (auto const customer = find_customer(call, call.id()); !customer) {
        co_return std::unexpected{customer.error()};
    }
    std::string const& id = call.path.find("method")->second;
    auto const method = find<model::PaymentMethod>(call, id);
    if (!method) {
        co_return std::unexpected{method.error()};
    }
    if (method->value.customer != call.id()) {
        co_return std::unexpected{missing_resource("PaymentMethod", id)};
    }
    co_return Done{
        200, call.services.renderer.method_json(call.owner(), method->value, *expand).text()
    };
}

}  // namespace

void add_customers(Routes& routes) {
    routes.add(http::Method::post, kCustomersUrl, create_customer);
    routes.add(http::Method::get, kCustomersUrl, list_customers);
    routes.add(http::Method::get, "/v1/customers/:id", retrieve_customer);
    routes.add(http::Method::post, "/v1/customers/:id", update_customer);
    routes.add(http::Method::delete_, "/v1/customers/:id", remove_customer);
    routes.add(http::Method::get, "/v1/customers/:id/payment_methods", list_customer_methods);
    routes.add(
        http::Method::get, "/v1/customers/:id/payment_methods/:method", retrieve_customer_method
    );
}

}  // namespace florin::api
