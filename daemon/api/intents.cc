#include "daemon/api/intents.h"

#include <nlohmann/json.hpp>

namespace florin::api {

namespace asio = boost::asio;
using flow::Done;
using flow::Objects;

Objects only(std::string const& owner, model::PaymentIntent const& intent) {
    return {.owner = owner, .intent = intent};
}

flow::Render renderer_for(Call& call, Expansions expand) {
    return [&renderer = call.services.renderer,
            owner = call.owner(),
            expand = std::move(expand)](Objects const& objects) {
        if (objects.refused) {
            ApiError const error = renderer.card_error(objects);
            return Done{error.http_status, error.json()};
        }
        return Done{200, renderer.intent_json(owner, objects, expand).text()};
    };
}

ApiError unexpected_state(Call& call, model::PaymentIntent const& intent, std::string message) {
    ApiError error;
    error.code = "payment_intent_unexpected_state";
    error.message = std::move(message);
    error.payment_intent_json = call.services.renderer.intent(only(call.owner(), intent));
    return error;
}

ApiResult<Expansions> finish_intent(Call& call, IntentWish const& wish) {
    if (wish.payment_method_data == nullptr) {
        return finish(call, ObjectKind::payment_intent);
    }
    auto const paths = call.parameters.take_strings("expand");
    return Expansions::make(ObjectKind::payment_intent, paths, call.key);
}

ApiResult<std::optional<ChosenMethod>> choose_method(
    Call& call, IntentWish const& wish, std::string const& customer
) {
    if (wish.payment_method_data != nullptr) {
        auto made = make_payment_method(call, wish.payment_method_data, "");
        if (!made) {
            return std::unexpected{made.error()};
        }
        if (wish.method_metadata) {
            flow::merge_metadata(made->stored.value.metadata, wish.method_metadata->changes);
        }
        return std::optional{std::move(*made)};
    }
    if (wish.payment_method.empty()) {
        return std::nullopt;
    }
    auto method = find_method(call, wish.payment_method, "payment_method");
    if (!method) {
        return std::unexpected{method.error()};
    }
    if (auto error = check_usable(method->stored.value, customer)) {
        return std::unexpected{*error};
    }
    return std::optional{std::move(*method)};
}

asio::awaitable<ApiResult<Done>> confirm_with(
    Call& call,
    std::unique_ptr<flow::Confirmation> wanted,
    std::optional<ChosenMethod> method,
    IntentWish& wish,
    Expansions expand
) {
    if (!method) {
        co_return std::unexpected{bad_parameter(
            "parameter_missing",
            "payment_method",
            "You cannot confirm this PaymentIntent because it's missing a payment method."
        )};
    }
    if (auto const kept = co_await keep_card(call, *method); !kept) {
        co_return std::unexpected{kept.error()};
    }
    KeptCard card{method->stored.value};
    flow::CardSecrets& secrets = wanted->secrets;
    secrets.cvc = call.services.vault.take_cvc(PaymentMethodId{card.method});
    connectors::Cryptogram held =
        call.services.vault.take_cryptogram(PaymentId{wanted->intent.value.id});
    secrets.cryptogram =
        wish.card.cryptogram.empty() ? std::move(held) : std::move(wish.card.cryptogram);
    wanted->method = std::move(method->stored);
    flow::Render render = renderer_for(call, std::move(expand));
    auto done =
        co_await call.services.payments.confirm(call.caller, std::move(wanted), std::move(render));
    co_return co_await settle_card(call, std::move(card), std::move(done));
}

}  // namespace florin::api
