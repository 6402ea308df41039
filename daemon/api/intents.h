// What the endpoints of payment intents share: the method and customer that a request names, and
// the errors that carry the intent.
// Thread rule: as api/service.h.
#pragma once

#include "daemon/api/intent_parameters.h"
#include "daemon/api/methods.h"

#include <optional>
#include <string>

namespace florin::api {

// Objects with the intent alone.
flow::Objects only(std::string const& owner, model::PaymentIntent const& intent);

// The intent, or the refusal of a card.
flow::Render renderer_for(Call& call, Expansions expand);

// payment_intent_unexpected_state, with the intent in it.
ApiError unexpected_state(Call& call, model::PaymentIntent const& intent, std::string message);

// Ends the parameters where no new method ends them later (make_payment_method). What is wrong with
// them comes before a path that cannot be expanded.
ApiResult<Expansions> finish_intent(Call& call, IntentWish const& wish);

// The method that a request names, brings, or means by a test token; nullopt: none of these.
// `customer` is the intent's. Nothing of a new one is stored yet.
ApiResult<std::optional<ChosenMethod>> choose_method(
    Call& call, IntentWish const& wish, std::string const& customer
);

// Authorises the intent of `wanted` with this method, whose card is kept before; the cryptogram is
// taken out of the wish.
boost::asio::awaitable<ApiResult<flow::Done>> confirm_with(
    Call& call,
    std::unique_ptr<flow::Confirmation> wanted,
    std::optional<ChosenMethod> method,
    IntentWish& wish,
    Expansions expand
);

}  // namespace florin::api
