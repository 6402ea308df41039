// /v1/refunds and /v1/charges.
#include "daemon/api/service.h"
#include "ledger/base/money.h"

#include <nlohmann/json.hpp>

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;
using flow::Objects;

constexpr std::int64_t kAmountMax = 99'999'999;
constexpr int kTriesMax = 20;  // when somebody else changes the same refund

template <class T>
ApiResult<T> find(Call& call, std::string const& id, char const* kind, char const* param) {
    auto stored = flow::load<T>(call.documents(), call.owner(), id);
    if (!stored) {
        return std::unexpected{internal_error(stored.error().context)};
    }
    if (!*stored) {
        return std::unexpected{missing_resource(kind, id, param)};
    }
    return std::move((*stored)->value);
}

asio::awaitable<ApiResult<Done>> create_refund(Call& call) {
    Parameters& parameters = call.parameters;
    std::string intent_id = parameters.take_string("payment_intent").value_or("");
    std::string const charge_id = parameters.take_string("charge").value_or("");
    auto const wire = parameters.take_integer("amount", 1, kAmountMax);
    auto const reason =
        parameters.take_enum("reason", {"duplicate", "fraudulent", "requested_by_customer"});
    auto const metadata = parameters.take_metadata();
    auto const paths = parameters.take_strings("expand");
    if (intent_id.empty() && charge_id.empty()) {
        parameters.refuse(bad_parameter(
            "parameter_missing",
            "",
            "One of the following params should be provided for this request: payment_intent or "
            "charge."
        ));
    }
    if (auto error = parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto expand = Expansions::make(ObjectKind::refund, paths);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    if (!charge_id.empty()) {
        auto const charge = find<model::Charge>(call, charge_id, "charge", "charge");
        if (!charge) {
            co_return std::unexpected{charge.error()};
        }
        if (!intent_id.empty() && intent_id != charge->payment_intent) {
            co_return std::unexpected{bad_parameter(
                "", "charge", "The charge does not belong to the payment_intent that was given."
            )};
        }
        intent_id = charge->payment_intent;
    }
    auto const intent =
        find<model::PaymentIntent>(call, intent_id, "payment_intent", "payment_intent");
    if (!intent) {
        co_return std::unexpected{intent.error()};
    }
    std::optional<std::int64_t> amount;
    if (wire) {
        auto const currency = Currency::from_alphabetic(intent->currency);
        auto const minor = minor_amount(*wire, *currency, "amount");
        if (!minor) {
            co_return std::unexpected{minor.error()};
        }
        amount = *minor;
    }
    flow::Render render = [&renderer = call.services.renderer,
                           owner = call.owner(),
                           expansions = *expand](Objects const& objects) {
        return Done{200, to_body(renderer.refund_json(owner, *objects.refund, expansions))};
    };
    Metadata changes;
    if (metadata) {
        changes = metadata->changes;
    }
    co_return co_await call.services.payments.refund(
        call.caller, intent_id, amount, reason.value_or(""), std::move(changes), std::move(render)
    );
}

asio::awaitable<ApiResult<Done>> retrieve_refund(Call& call) {
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto const expand = Expansions::make(ObjectKind::refund, paths);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const refund = find<model::Refund>(call, call.id(), "refund", "");
    if (!refund) {
        co_return std::unexpected{refund.error()};
    }
    co_return Done{
        200, to_body(call.services.renderer.refund_json(call.owner(), *refund, *expand))
    };
}

asio::awaitable<ApiResult<Done>> list_refunds(Call& call) {
    Page const page = take_page(call.parameters);
    CreatedFilter const created = take_created(call.parameters);
    std::string const intent_id = call.parameters.take_string("payment_intent").value_or("");
    std::string const charge_id = call.parameters.take_string("charge").value_or("");
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto const expand = Expansions::make(ObjectKind::refund, paths, "data.");
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const render = [&](ledger::Document const& document
                        ) -> std::optional<nlohmann::ordered_json> {
        auto const refund = model::from_text<model::Refund>(document.body.value_or(""));
        if (!refund || !created.matches(refund->created) ||
            (!intent_id.empty() && refund->payment_intent != intent_id) ||
            (!charge_id.empty() && refund->charge != charge_id)) {
            return std::nullopt;
        }
        return call.services.renderer.refund_json(call.owner(), *refund, *expand);
    };
    co_return list_page(call, model::Kind::refund, page, "/v1/refunds", render);
}

asio::awaitable<ApiResult<Done>> retrieve_charge(Call& call) {
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto const expand = Expansions::make(ObjectKind::charge, paths);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const charge = find<model::Charge>(call, call.id(), "charge", "");
    if (!charge) {
        co_return std::unexpected{charge.error()};
    }
    co_return Done{
        200, to_body(call.services.renderer.charge_json(call.owner(), *charge, *expand))
    };
}

asio::awaitable<ApiResult<Done>> update_refund(Call& call) {
    auto const metadata = call.parameters.take_metadata();
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto const expand = Expansions::make(ObjectKind::refund, paths);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    for (int tries = 0;; ++tries) {
        auto stored = flow::load<model::Refund>(call.documents(), call.owner(), call.id());
        if (!stored) {
            co_return std::unexpected{internal_error(stored.error().context)};
        }
        if (!*stored) {
            co_return std::unexpected{missing_resource("refund", call.id())};
        }
        flow::Stored<model::Refund> refund = std::move(**stored);
        if (metadata) {
            Metadata const changes = metadata->against(refund.value.metadata);
            if (auto error = check_metadata_size(refund.value.metadata, changes)) {
                co_return std::unexpected{*error};
            }
            flow::merge_metadata(refund.value.metadata, changes);
        }
        Done done{
            200, to_body(call.services.renderer.refund_json(call.owner(), refund.value, *expand))
        };
        flow::Change change{call.owner()};
        change.put(refund.value.id, refund);
        auto saved =
            co_await call.services.payments.store(call.caller, std::move(change), std::move(done));
        if (saved || saved.error().code != "lock_timeout" || tries >= kTriesMax) {
            co_return saved;
        }
    }
}

asio::awaitable<ApiResult<Done>> list_charges(Call& call) {
    Page const page = take_page(call.parameters);
    CreatedFilter const created = take_created(call.parameters);
    std::string const intent_id = call.parameters.take_string("payment_intent").value_or("");
    std::string const customer = call.parameters.take_string("customer").value_or("");
    std::string const group = call.parameters.take_string("transfer_group").value_or("");
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto const expand = Expansions::make(ObjectKind::charge, paths, "data.");
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const render = [&](ledger::Document const& document
                        ) -> std::optional<nlohmann::ordered_json> {
        auto const charge = model::from_text<model::Charge>(document.body.value_or(""));
        if (!charge || !created.matches(charge->created) ||
            (!intent_id.empty() && charge->payment_intent != intent_id) ||
            (!customer.empty() && charge->customer != customer) ||
            (!group.empty() && charge->transfer_group != group)) {
            return std::nullopt;
        }
        return call.services.renderer.charge_json(call.owner(), *charge, *expand);
    };
    co_return list_page(call, model::Kind::charge, page, "/v1/charges", render);
}

}  // namespace

void add_refunds(Routes& routes) {
    routes.add(http::Method::post, "/v1/refunds", create_refund);
    routes.add(http::Method::get, "/v1/refunds", list_refunds);
    routes.add(http::Method::get, "/v1/refunds/:id", retrieve_refund);
    routes.add(http::Method::post, "/v1/refunds/:id", update_refund);
}

void add_charges(Routes& routes) {
    routes.add(http::Method::get, "/v1/charges", list_charges);
    routes.add(http::Method::get, "/v1/charges/:id", retrieve_charge);
}

}  // namespace florin::api
