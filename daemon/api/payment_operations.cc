// /v1/payment_intents/:id/confirm, capture and cancel.
#include "daemon/api/intents.h"

#include <nlohmann/json.hpp>

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;
using Intent = model::PaymentIntent;

asio::awaitable<ApiResult<Done>> confirm_intent(Call& call) {
    IntentWish wish = take_confirmation(call.parameters);
    auto expand = finish_intent(call, wish);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto intent = find<Intent>(call, call.id());
    if (!intent) {
        co_return std::unexpected{intent.error()};
    }
    std::string const status = intent->value.status;
    if (status != "requires_payment_method" && status != "requires_confirmation") {
        co_return std::unexpected{unexpected_state(
            call,
            intent->value,
            "You cannot confirm this PaymentIntent because it has a status of " + status +
                ". Only a PaymentIntent with one of the following statuses may be confirmed: "
                "requires_confirmation, requires_payment_method."
        )};
    }
    if (!wish.names_method()) {
        wish.payment_method = intent->value.payment_method;
    }
    auto method = choose_method(call, wish, intent->value.customer);
    if (!method) {
        co_return std::unexpected{method.error()};
    }
    if (!intent->value.customer.empty()) {
        auto const customer = find_customer(call, intent->value.customer, "customer");
        if (!customer) {
            co_return std::unexpected{customer.error()};
        }
    }
    // What is only about one confirmation does not outlive it.
    intent->value.off_session.clear();
    if (auto error = apply(wish, intent->value)) {
        co_return std::unexpected{*error};
    }
    auto wanted = std::make_unique<flow::Confirmation>();
    wanted->intent = std::move(*intent);
    co_return co_await confirm_with(
        call, std::move(wanted), std::move(*method), wish, std::move(*expand)
    );
}

asio::awaitable<ApiResult<Done>> capture_intent(Call& call) {
    Parameters& parameters = call.parameters;
    auto const wire = parameters.take_integer("amount_to_capture", 1, kAmountMax);
    if (!parameters.take_boolean("final_capture").value_or(true)) {
        parameters.refuse(bad_parameter(
            "",
            "final_capture",
            "A payment is captured once here: what is not captured is released. final_capture "
            "cannot be false."
        ));
    }
    refuse_splits(parameters);
    auto const metadata = parameters.take_metadata();
    auto const descriptor = parameters.take_settable("statement_descriptor", 22);
    auto const suffix = parameters.take_settable("statement_descriptor_suffix", 22);
    auto expand = finish(call, ObjectKind::payment_intent);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const intent = find<Intent>(call, call.id());
    if (!intent) {
        co_return std::unexpected{intent.error()};
    }
    flow::CaptureWish wish;
    if (wire) {
        auto const currency = Currency::from_alphabetic(intent->value.currency);
        auto const minor = minor_amount(*wire, *currency, "amount_to_capture");
        if (!minor) {
            co_return std::unexpected{minor.error()};
        }
        wish.amount = *minor;
    }
    if (metadata) {
        wish.metadata = metadata->against(intent->value.metadata);
        if (auto error = check_metadata_size(intent->value.metadata, wish.metadata)) {
            co_return std::unexpected{*error};
        }
    }
    if (descriptor.is_given) {
        wish.statement_descriptor = descriptor.value.value_or("");
    }
    if (suffix.is_given) {
        wish.statement_descriptor_suffix = suffix.value.value_or("");
    }
    flow::Render render = renderer_for(call, std::move(*expand));
    co_return co_await call.services.payments.capture(
        call.caller, call.id(), std::move(wish), std::move(render)
    );
}

asio::awaitable<ApiResult<Done>> cancel_intent(Call& call) {
    auto const reason = call.parameters.take_enum(
        "cancellation_reason", {"duplicate", "fraudulent", "requested_by_customer", "abandoned"}
    );
    auto expand = finish(call, ObjectKind::payment_intent);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    flow::Render render = renderer_for(call, std::move(*expand));
    co_return co_await call.services.payments.cancel(
        call.caller, call.id(), reason.value_or(""), std::move(render)
    );
}

}  // namespace

void add_payment_operations(Routes& routes) {
    routes.add(http::Method::post, "/v1/payment_intents/:id/confirm", confirm_intent);
    routes.add(http::Method::post, "/v1/payment_intents/:id/capture", capture_intent);
    routes.add(http::Method::post, "/v1/payment_intents/:id/cancel", cancel_intent);
}

}  // namespace florin::api
