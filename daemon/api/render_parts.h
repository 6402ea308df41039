// The members that several objects of the API are made of, as JSON. Included by .cc files alone.
// Thread rule: pure functions.
#pragma once

#include "daemon/api/json.h"
#include "daemon/model/documents.h"

#include <string>
#include <vector>

namespace florin::api {

// Null for what is empty, or zero.
Json text_or_null(std::string const& text);
Json texts_or_null(std::vector<std::string> const& texts);
Json time_or_null(std::int64_t time);
std::string lower(std::string const& currency);
Json address_json(model::Address const& address);
Json billing_json(model::BillingDetails const& billing);
Json shipping_json(bool is_there, model::Shipping const& shipping);
Json metadata_json(model::Metadata const& metadata);
Json refusal_json(model::PaymentError const& error);
std::string calculated_descriptor(model::Charge const& charge);
Json three_d_secure_json(model::ThreeDSecure const& secure);
Json card_options_json(model::CardOptions const& options);
Json destination_json(model::Refund const& refund);
Json card_details_json(model::Charge const& charge);
Json outcome_json(model::Charge const& charge);

}  // namespace florin::api
