// ISO 8583 field 39 and what it means for a payment: a closed table.
//
// Only codes of the table approve or decline. Every other code, the empty one included, is
// Outcome::unknown: the operation may have happened.
// Thread rule: pure functions.
#pragma once

#include "connectors/connector.h"

#include <span>
#include <string_view>

namespace florin::connectors::iso8583 {

// Why a card was declined, in the words of the merchant API. The first three after `none` are the
// API's error codes; the others are decline codes under `card_declined`.
enum class DeclineReason : std::uint8_t {
    none = 0,
    expired_card,
    incorrect_cvc,
    processing_error,
    authentication_required,
    call_issuer,
    card_velocity_exceeded,
    do_not_honor,
    fraudulent,
    insufficient_funds,
    invalid_account,
    invalid_amount,
    issuer_not_available,
    lost_card,
    pickup_card,
    pin_try_exceeded,
    restricted_card,
    revocation_of_authorization,
    stolen_card,
    stop_payment_order,
    transaction_not_allowed,
    withdrawal_count_limit_exceeded,
};

// What the merchant may do next.
enum class Advice : std::uint8_t { none, try_again_later, do_not_try_again, confirm_card_data };

struct ResponseMeaning {
    std::string_view code;  // two characters
    Outcome outcome;
    bool is_partial;  // field 4 of the answer says how much was approved
    DeclineReason reason;
    Advice advice;
    bool is_soft;  // the fault is not the card's: another route may be tried
};

// The whole table, sorted by code.
std::span<ResponseMeaning const> response_table();
// The row, or the one row of codes that are not in the table (Outcome::unknown).
ResponseMeaning const& meaning_of(std::string_view code);

// "25", unable to locate: what a bank answers to a reversal whose original it does not know. It is
// Outcome::unknown like every code outside the table, and only evidence when it is repeated.
inline constexpr std::string_view kOriginalNotFound = "25";

std::string_view decline_reason_name(DeclineReason reason);  // "do_not_honor"; "" for none
std::string_view advice_name(Advice advice);                 // "try_again_later"; "" for none

}  // namespace florin::connectors::iso8583
