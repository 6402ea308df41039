// /v1/charges: what was tried. They are made, captured and given back by their payments alone.
#include "daemon/api/list.h"
#include "daemon/api/objects.h"

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;
using model::Charge;
using model::Kind;

asio::awaitable<ApiResult<Done>> retrieve_charge(Call& call) {
    auto const expand = finish(call, ObjectKind::charge);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const charge = find<Charge>(call, call.id());
    if (!charge) {
        co_return std::unexpected{charge.error()};
    }
    co_return Done{
        200, call.services.renderer.charge_json(call.owner(), charge->value, *expand).text()
    };
}

// What an update changes.
struct ChargeWish {
    Settable<std::string> description, receipt_email, fraud_report;
    std::optional<MetadataChange> metadata;
};

ChargeWish take_charge_wish(Parameters& parameters) {
    ChargeWish wish;
    wish.description = parameters.take_settable("description");
    wish.receipt_email = parameters.take_settable("receipt_email");
    check_email(parameters, "receipt_email", wish.receipt_email.value.value_or(""));
    wish.metadata = parameters.take_metadata();
    if (Parameters* const fraud = parameters.take_hash("fraud_details")) {
        if (fraud->take_unset("user_report")) {
            wish.fraud_report.is_given = true;
        } else {
            wish.fraud_report.value = fraud->take_enum("user_report", {"fraudulent", "safe"});
            wish.fraud_report.is_given = wish.fraud_report.value.has_value();
            if (!fraud->has("user_report")) {
                fraud->refuse_missing("user_report");
            }
        }
    }
    return wish;
}

std::optional<ApiError> apply(ChargeWish const& wish, Charge& charge) {
    auto const set = [](Settable<std::string> const& from, std::string& into) {
        if (from.is_given) {
            into = from.value.value_or("");
        }
    };
    set(wish.description, charge.description);
    set(wish.receipt_email, charge.receipt_email);
    set(wish.fraud_report, charge.fraud_report);
    return change_metadata(charge.metadata, wish.metadata);
}

asio::awaitable<ApiResult<Done>> update_charge(Call& call) {
    ChargeWish const wish = take_charge_wish(call.parameters);
    auto const expand = finish(call, ObjectKind::charge);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const decide = [&](flow::Change& change) -> ApiResult<Done> {
        auto charge = find<Charge>(call, call.id());
        if (!charge) {
            return std::unexpected{charge.error()};
        }
        auto const& renderer = call.services.renderer;
        std::string const before = renderer.charge_json(call.owner(), charge->value, {}).text();
        if (auto error = apply(wish, charge->value)) {
            return std::unexpected{*error};
        }
        change.put(call.id(), *charge);
        std::string const after = renderer.charge_json(call.owner(), charge->value, {}).text();
        note_update(call, change, "charge.updated", before, after);
        return Done{200, renderer.charge_json(call.owner(), charge->value, *expand).text()};
    };
    co_return co_await store_change(call, decide);
}

asio::awaitable<ApiResult<Done>> list_charges(Call& call) {
    Page const page = take_page(call.parameters);
    CreatedFilter const created = take_created(call.parameters);
    auto const intent = call.parameters.take_string("payment_intent");
    auto const customer = call.parameters.take_string("customer");
    auto const group = call.parameters.take_string("transfer_group");
    auto const expand = finish(call, ObjectKind::charge, "data.");
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    if (auto error = check_named<model::PaymentIntent>(call, intent, "payment_intent")) {
        co_return std::unexpected{std::move(*error)};
    }
    if (auto error = check_named<model::Customer>(call, customer, "customer")) {
        co_return std::unexpected{std::move(*error)};
    }
    Listing listing{.kind = Kind::charge, .prefix = "ch", .url = "/v1/charges", .link = {}};
    // The one that leaves the fewest.
    if (intent) {
        listing.link = {.kind = Kind::payment_charge, .from = *intent};
    } else if (group) {
        listing.link = {.kind = Kind::group_charge, .from = model::link_digest(*group)};
    } else if (customer) {
        listing.link = {.kind = Kind::customer_charge, .from = *customer};
    }
    auto const render = [&](Charge const& charge) -> std::optional<Json> {
        if ((intent && charge.payment_intent != *intent) ||
            (customer && charge.customer != *customer) ||
            (group && charge.transfer_group != *group)) {
            return std::nullopt;
        }
        return call.services.renderer.charge_json(call.owner(), charge, *expand);
    };
    co_return list_of<Charge>(call, listing, page, created, render);
}

}  // namespace

void add_charges(Routes& routes) {
    routes.add(http::Method::get, "/v1/charges", list_charges);
    routes.add(http::Method::get, "/v1/charges/:id", retrieve_charge);
    routes.add(http::Method::post, "/v1/charges/:id", update_charge);
}

}  // namespace florin::api
