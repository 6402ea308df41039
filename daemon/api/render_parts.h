// The members that several objects of the API are made of, as JSON. Included by .cc files alone.
// Thread rule: pure functions.
#pragma once

#include "daemon/model/documents.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace florin::api {

// Null for what is empty, or zero.
nlohmann::ordered_json text_or_null(std::string const& text);
nlohmann::ordered_json texts_or_null(std::vector<std::string> const& texts);
nlohmann::ordered_json time_or_null(std::int64_t time);
std::string lower(std::string const& currency);
nlohmann::ordered_json address_json(model::Address const& address);
nlohmann::ordered_json billing_json(model::BillingDetails const& billing);
nlohmann::ordered_json shipping_json(bool is_there, model::Shipping const& shipping);
nlohmann::ordered_json metadata_json(model::Metadata const& metadata);
nlohmann::ordered_json refusal_json(model::PaymentError const& error);
std::string calculated_descriptor(model::Charge const& charge);
nlohmann::ordered_json three_d_secure_json(model::ThreeDSecure const& secure);
nlohmann::ordered_json card_options_json(model::CardOptions const& options);
nlohmann::ordered_json destination_json(model::Refund const& refund);
nlohmann::ordered_json card_details_json(model::Charge const& charge);
nlohmann::ordered_json outcome_json(model::Charge const& charge);

}  // namespace florin::api
