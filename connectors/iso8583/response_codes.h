// ISO 8583 field 39 and what it means for a payment: two closed tables.
//
// Codes of two characters are the response codes of ISO 8583:1987, codes of three digits the action
// codes of ISO 8583:1993: their lengths keep them apart, so that who holds a code needs not know
// the version. Only codes of the tables approve or decline. Every other code, the empty one
// included, is Outcome::unknown: the operation may have happened. The tables leave out on purpose
// what does not say whether it happened: 911 (the issuer timed out), 913 (duplicate), 914, 923 (in
// progress), 900 (acknowledged without liability), 950 (liability rejected), and what speaks of the
// message and not of the payment (903, 904, 916 to 922), as the first one leaves out 09, 30, 68
// and 94. Thread rule: pure functions.
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
    incorrect_pin,
    insufficient_funds,
    invalid_account,
    invalid_amount,
    issuer_not_available,
    lost_card,
    pickup_card,
    pin_try_exceeded,
    restricted_card,
    revocation_of_authorization,
    security_violation,
    stolen_card,
    stop_payment_order,
    transaction_not_allowed,
    withdrawal_count_limit_exceeded,
};

// What the merchant may do next.
enum class Advice : std::uint8_t { none, try_again_later, do_not_try_again, confirm_card_data };

struct ResponseMeaning {
    std::string_view code;  // two characters, or three digits
    Outcome outcome;
    bool is_partial;  // field 4 of the answer says how much was approved
    DeclineReason reason;
    Advice advice;
    bool is_soft;  // the fault is not the card's: another route may be tried
};

// The whole tables, sorted by code.
std::span<ResponseMeaning const> response_table();     // ISO 8583:1987
std::span<ResponseMeaning const> action_code_table();  // ISO 8583:1993
// The row, or the one row of codes that are not in the table (Outcome::unknown).
ResponseMeaning const& meaning_of(std::string_view code);

// "25", unable to locate (1993: "914", not able to trace back): what a bank answers to a reversal
// whose original it does not know. It is Outcome::unknown like every code outside the tables, and
// only evidence when it is repeated.
bool is_original_not_found(std::string_view code);

std::string_view decline_reason_name(DeclineReason reason);  // "do_not_honor"; "" for none
std::string_view advice_name(Advice advice);                 // "try_again_later"; "" for none

}  // namespace florin::connectors::iso8583
