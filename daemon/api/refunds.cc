// /v1/refunds.
#include "daemon/api/list.h"
#include "daemon/api/objects.h"
#include "ledger/base/money.h"

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;
using flow::Objects;
using model::Refund;

constexpr std::int64_t kAmountMax = 99'999'999;

// The payment that is named, by itself or by its charge.
ApiResult<model::PaymentIntent> find_payment(
    Call& call, std::string intent_id, std::string const& charge_id
) {
    if (!charge_id.empty()) {
        auto const charge = find<model::Charge>(call, charge_id, "charge");
        if (!charge) {
            return std::unexpected{charge.error()};
        }
        if (!intent_id.empty() && intent_id != charge->value.payment_intent) {
            return std::unexpected{bad_parameter(
                "", "charge", "The charge does not belong to the payment_intent that was given."
            )};
        }
        // All of it, or what was held and never captured.
        if (charge->value.refunded) {
            return std::unexpected{bad_parameter(
                "charge_already_refunded",
                "charge",
                "Charge " + charge_id + " has already been refunded."
            )};
        }
        intent_id = charge->value.payment_intent;
    }
    auto intent = find<model::PaymentIntent>(call, intent_id, "payment_intent");
    if (!intent) {
        return std::unexpected{intent.error()};
    }
    return std::move(intent->value);
}

asio::awaitable<ApiResult<Done>> create_refund(Call& call) {
    Parameters& parameters = call.parameters;
    std::string const intent_id = parameters.take_string("payment_intent").value_or("");
    flow::RefundWish wish;
    wish.charge = parameters.take_string("charge").value_or("");
    auto const wire = parameters.take_integer("amount", 1, kAmountMax);
    auto const reason =
        parameters.take_enum("reason", {"duplicate", "fraudulent", "requested_by_customer"});
    auto const metadata = parameters.take_metadata();
    if (intent_id.empty() && wish.charge.empty()) {
        parameters.refuse(bad_parameter(
            "parameter_missing",
            "",
            "One of the following params should be provided for this request: payment_intent or "
            "charge."
        ));
    }
    auto const expand = finish(call, ObjectKind::refund);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const intent = find_payment(call, intent_id, wish.charge);
    if (!intent) {
        co_return std::unexpected{intent.error()};
    }
    if (wire) {
        auto const currency = Currency::from_alphabetic(intent->currency);
        auto const minor = minor_amount(*wire, *currency, "amount");
        if (!minor) {
            co_return std::unexpected{minor.error()};
        }
        wish.amount = *minor;
    }
    flow::Render render = [&renderer = call.services.renderer,
                           owner = call.owner(),
                           expansions = *expand](Objects const& objects) {
        Json const json =
            renderer.refund_json(owner, *objects.refund, expansions, unstored_of(objects));
        return Done{200, json.text()};
    };
    wish.reason = reason.value_or("");
    if (metadata) {
        wish.metadata = metadata->changes;
    }
    co_return co_await call.services.payments.refund(
        call.caller, intent->id, std::move(wish), std::move(render)
    );
}

asio::awaitable<ApiResult<Done>> retrieve_refund(Call& call) {
    auto const expand = finish(call, ObjectKind::refund);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const refund = find<Refund>(call, call.id());
    if (!refund) {
        co_return std::unexpected{refund.error()};
    }
    co_return Done{
        200, call.services.renderer.refund_json(call.owner(), refund->value, *expand).text()
    };
}

asio::awaitable<ApiResult<Done>> update_refund(Call& call) {
    auto const metadata = call.parameters.take_metadata();
    auto const expand = finish(call, ObjectKind::refund);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const decide = [&](flow::Change& change) -> ApiResult<Done> {
        auto refund = find<Refund>(call, call.id());
        if (!refund) {
            return std::unexpected{refund.error()};
        }
        auto const& renderer = call.services.renderer;
        std::string const before = renderer.refund_json(call.owner(), refund->value, {}).text();
        if (auto error = change_metadata(refund->value.metadata, metadata)) {
            return std::unexpected{*error};
        }
        change.put(call.id(), *refund);
        std::string const after = renderer.refund_json(call.owner(), refund->value, {}).text();
        note_update(call, change, "refund.updated", before, after);
        return Done{200, renderer.refund_json(call.owner(), refund->value, *expand).text()};
    };
    co_return co_await store_change(call, decide);
}

// /v1/charges/:id/refunds, where the refunds of an expanded charge go on.
asio::awaitable<ApiResult<Done>> list_of_charge(Call& call) {
    Page const page = take_page(call.parameters);
    CreatedFilter const created = take_created(call.parameters);
    auto const expand = finish(call, ObjectKind::refund, "data.");
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const charge = find<model::Charge>(call, call.id());
    if (!charge) {
        co_return std::unexpected{charge.error()};
    }
    Listing const listing{
        .kind = model::Kind::refund,
        .prefix = "re",
        .url = "/v1/charges/" + call.id() + "/refunds",
        .link =
            Listing::Link{
                .kind = model::Kind::payment_refund, .from = charge->value.payment_intent
            },
    };
    auto const render = [&](Refund const& refund) -> std::optional<Json> {
        if (refund.charge != call.id()) {
            return std::nullopt;
        }
        return call.services.renderer.refund_json(call.owner(), refund, *expand);
    };
    co_return list_of<Refund>(call, listing, page, created, render);
}

asio::awaitable<ApiResult<Done>> list_refunds(Call& call) {
    Page const page = take_page(call.parameters);
    CreatedFilter const created = take_created(call.parameters);
    auto intent = call.parameters.take_string("payment_intent");
    auto const charge = call.parameters.take_string("charge");
    auto const expand = finish(call, ObjectKind::refund, "data.");
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    Listing listing{.kind = model::Kind::refund, .prefix = "re", .url = "/v1/refunds", .link = {}};
    if (auto error = check_named<model::PaymentIntent>(call, intent, "payment_intent")) {
        co_return std::unexpected{std::move(*error)};
    }
    if (charge) {
        auto const known = find<model::Charge>(call, *charge, "charge");
        if (!known) {
            co_return std::unexpected{known.error()};
        }
        intent = intent.value_or(known->value.payment_intent);
    }
    if (intent) {
        listing.link = {.kind = model::Kind::payment_refund, .from = *intent};
    }
    auto const render = [&](Refund const& refund) -> std::optional<Json> {
        if ((intent && refund.payment_intent != *intent) || (charge && refund.charge != *charge)) {
            return std::nullopt;
        }
        return call.services.renderer.refund_json(call.owner(), refund, *expand);
    };
    co_return list_of<Refund>(call, listing, page, created, render);
}

}  // namespace

void add_refunds(Routes& routes) {
    routes.add(http::Method::post, "/v1/refunds", create_refund);
    routes.add(http::Method::get, "/v1/refunds", list_refunds);
    routes.add(http::Method::get, "/v1/charges/:id/refunds", list_of_charge);
    routes.add(http::Method::get, "/v1/refunds/:id", retrieve_refund);
    routes.add(http::Method::post, "/v1/refunds/:id", update_refund);
}

}  // namespace florin::api
