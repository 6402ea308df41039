// The parameters of payment intents: what a request wishes, taken once, and applied to whatever
// version of the intent is there.
//
// Thread rule: one thread; a wish is a value, but for payment_method_data, which lives as long as
// the parameters.
#pragma once

#include "daemon/api/objects.h"
#include "ledger/base/money.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace florin::api {

inline constexpr std::int64_t kAmountMax = 99'999'999;  // eight digits, in the API's minor units

// payment_method_options[card].
struct CardWish {
    bool clears = false;  // payment_method_options is given as an empty value
    Settable<std::string> request_three_d_secure, capture_method, setup_future_usage,
        network_transaction_id;
    std::optional<bool> moto;
    std::optional<model::ThreeDSecure> three_d_secure;
    connectors::Cryptogram cryptogram;  // comes with three_d_secure

    bool says_something() const {
        return clears || request_three_d_secure.is_given || capture_method.is_given ||
               setup_future_usage.is_given || network_transaction_id.is_given || moto ||
               three_d_secure;
    }
};

struct IntentWish {
    std::optional<std::int64_t> wire_amount;
    std::optional<Currency> currency;
    std::optional<std::string> capture_method;
    std::vector<std::pair<std::string model::PaymentIntent::*, std::string>> texts;
    Settable<std::string> customer;
    std::optional<MetadataChange> metadata;
    bool is_shipping_given = false;
    bool has_shipping = false;
    model::Shipping shipping;
    CardWish card;
    std::optional<std::string> off_session;  // "", "true", "one_off", "recurring"
    // How to pay: a method's id or test token, or the members of a new one.
    std::string payment_method;
    Parameters* payment_method_data = nullptr;
    std::optional<MetadataChange> method_metadata;

    // Only before an authorisation: later it would say something that no bank was told.
    bool changes_payment() const {
        return wire_amount || currency || capture_method || card.says_something() ||
               customer.is_given || names_method() || changes_future_usage();
    }
    bool changes_future_usage() const {
        return std::ranges::any_of(texts, [](auto const& text) {
            return text.first == &model::PaymentIntent::setup_future_usage;
        });
    }
    bool names_method() const { return !payment_method.empty() || payment_method_data != nullptr; }
};

// What splits a payment between accounts: known, and refused by words that say why.
void refuse_splits(Parameters& parameters);

// Each takes what its endpoint knows; what is wrong is noted in the parameters.
// Create: answers the new intent but for ids and times, with what cannot be changed later.
model::PaymentIntent take_new_intent(Parameters& parameters, IntentWish& wish);
IntentWish take_intent_update(Parameters& parameters);
IntentWish take_confirmation(Parameters& parameters);

// What the wish says about amounts, texts, shipping, metadata, card options. Customer and method
// are left to the caller, who has to look them up.
std::optional<ApiError> apply(IntentWish const& wish, model::PaymentIntent& intent);

}  // namespace florin::api
