#include "connectors/iso8583/response_codes.h"

#include <algorithm>
#include <array>

namespace florin::connectors::iso8583 {
namespace {

constexpr ResponseMeaning approved(std::string_view code, bool is_partial = false) {
    return {code, Outcome::approved, is_partial, DeclineReason::none, Advice::none, false};
}

constexpr ResponseMeaning declined(
    std::string_view code, DeclineReason reason, Advice advice, bool is_soft = false
) {
    return {code, Outcome::declined, false, reason, advice, is_soft};
}

using enum DeclineReason;
constexpr auto kLater = Advice::try_again_later;
constexpr auto kNever = Advice::do_not_try_again;
constexpr auto kConfirm = Advice::confirm_card_data;
constexpr bool kSoft = true;

constexpr std::array kTable{
    approved("00"),
    declined("01", call_issuer, kNever),
    declined("02", call_issuer, kNever),
    declined("04", pickup_card, kNever),
    declined("05", do_not_honor, kLater),
    declined("07", pickup_card, kNever),
    approved("08"),
    approved("10", true),
    approved("11"),
    declined("12", transaction_not_allowed, kNever),
    declined("13", invalid_amount, kNever),
    declined("14", invalid_account, kConfirm),
    declined("15", invalid_account, kConfirm),
    approved("16"),
    declined("1A", authentication_required, kLater),
    declined("41", lost_card, kNever),
    declined("43", stolen_card, kNever),
    declined("51", insufficient_funds, kLater),
    declined("54", expired_card, kConfirm),
    declined("57", transaction_not_allowed, kNever),
    declined("58", transaction_not_allowed, kNever),
    declined("59", fraudulent, kNever),
    declined("61", card_velocity_exceeded, kLater),
    declined("62", restricted_card, kNever),
    declined("65", withdrawal_count_limit_exceeded, kLater),
    declined("75", pin_try_exceeded, kNever),
    declined("78", invalid_account, kConfirm),
    declined("82", incorrect_cvc, kConfirm),
    declined("91", issuer_not_available, kLater, kSoft),
    declined("92", issuer_not_available, kLater, kSoft),
    declined("93", transaction_not_allowed, kNever),
    declined("96", processing_error, kLater, kSoft),
    declined("N7", incorrect_cvc, kConfirm),
    declined("R0", stop_payment_order, kNever),
    declined("R1", revocation_of_authorization, kNever),
    declined("R3", revocation_of_authorization, kNever),
};

constexpr ResponseMeaning kOutsideTheTable{
    "", Outcome::unknown, false, DeclineReason::none, Advice::none, false
};

static_assert(std::is_sorted(kTable.begin(), kTable.end(), [](auto const& a, auto const& b) {
    return a.code < b.code;
}));

}  // namespace

std::span<ResponseMeaning const> response_table() {
    return kTable;
}

ResponseMeaning const& meaning_of(std::string_view code) {
    auto const row = std::find_if(kTable.begin(), kTable.end(), [code](auto const& candidate) {
        return candidate.code == code;
    });
    return row == kTable.end() ? kOutsideTheTable : *row;
}

std::string_view decline_reason_name(DeclineReason reason) {
    switch (reason) {
        case none: return "";
        case expired_card: return "expired_card";
        case incorrect_cvc: return "incorrect_cvc";
        case processing_error: return "processing_error";
        case authentication_required: return "authentication_required";
        case call_issuer: return "call_issuer";
        case card_velocity_exceeded: return "card_velocity_exceeded";
        case do_not_honor: return "do_not_honor";
        case fraudulent: return "fraudulent";
        case insufficient_funds: return "insufficient_funds";
        case invalid_account: return "invalid_account";
        case invalid_amount: return "invalid_amount";
        case issuer_not_available: return "issuer_not_available";
        case lost_card: return "lost_card";
        case pickup_card: return "pickup_card";
        case pin_try_exceeded: return "pin_try_exceeded";
        case restricted_card: return "restricted_card";
        case revocation_of_authorization: return "revocation_of_authorization";
        case stolen_card: return "stolen_card";
        case stop_payment_order: return "stop_payment_order";
        case transaction_not_allowed: return "transaction_not_allowed";
        case withdrawal_count_limit_exceeded: return "withdrawal_count_limit_exceeded";
    }
    return "";
}

std::string_view advice_name(Advice advice) {
    switch (advice) {
        case Advice::none: return "";
        case Advice::try_again_later: return "try_again_later";
        case Advice::do_not_try_again: return "do_not_try_again";
        case Advice::confirm_card_data: return "confirm_card_data";
    }
    return "";
}

}  // namespace florin::connectors::iso8583
