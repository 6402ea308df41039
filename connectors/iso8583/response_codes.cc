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

// 1xx leave the card with its holder, 2xx ask to keep it.
constexpr std::array kActionCodes{
    approved("000"),
    approved("001"),
    approved("002", true),
    approved("003"),
    approved("004"),
    approved("005"),
    approved("006", true),
    approved("007"),
    declined("100", do_not_honor, kLater),
    declined("101", expired_card, kConfirm),
    declined("102", fraudulent, kNever),
    declined("103", call_issuer, kNever),
    declined("104", restricted_card, kNever),
    declined("105", call_issuer, kNever),
    declined("106", pin_try_exceeded, kNever),
    declined("107", call_issuer, kNever),
    declined("108", call_issuer, kNever),
    declined("109", transaction_not_allowed, kNever),
    declined("110", invalid_amount, kNever),
    declined("111", invalid_account, kConfirm),
    declined("112", authentication_required, kLater),
    declined("113", transaction_not_allowed, kNever),
    declined("114", invalid_account, kConfirm),
    declined("115", transaction_not_allowed, kNever),
    declined("116", insufficient_funds, kLater),
    declined("117", incorrect_pin, kConfirm),
    declined("118", invalid_account, kConfirm),
    declined("119", transaction_not_allowed, kNever),
    declined("120", transaction_not_allowed, kNever),
    declined("121", card_velocity_exceeded, kLater),
    declined("122", security_violation, kNever),
    declined("123", withdrawal_count_limit_exceeded, kLater),
    declined("124", transaction_not_allowed, kNever),
    declined("125", invalid_account, kConfirm),
    declined("129", fraudulent, kNever),
    declined("200", do_not_honor, kNever),
    declined("201", expired_card, kConfirm),
    declined("202", fraudulent, kNever),
    declined("203", pickup_card, kNever),
    declined("204", restricted_card, kNever),
    declined("205", pickup_card, kNever),
    declined("206", pin_try_exceeded, kNever),
    declined("207", pickup_card, kNever),
    declined("208", lost_card, kNever),
    declined("209", stolen_card, kNever),
    declined("210", fraudulent, kNever),
    approved("400"),  // of reversals only (Dialect::approves)
    approved("901"),  // of advices
    declined("902", transaction_not_allowed, kNever),
    declined("905", transaction_not_allowed, kNever),
    declined("907", issuer_not_available, kLater, kSoft),
    declined("908", issuer_not_available, kLater, kSoft),
    declined("909", processing_error, kLater, kSoft),
    declined("910", issuer_not_available, kLater, kSoft),
    declined("912", issuer_not_available, kLater, kSoft),
};

constexpr ResponseMeaning kOutsideTheTable{
    "", Outcome::unknown, false, DeclineReason::none, Advice::none, false
};

constexpr bool is_table(std::span<ResponseMeaning const> table, std::size_t code_size) {
    return std::ranges::is_sorted(table, {}, &ResponseMeaning::code) &&
           std::ranges::all_of(table, [code_size](auto const& row) {
               return row.code.size() == code_size;
           });
}
static_assert(is_table(kTable, 2) && is_table(kActionCodes, 3));

}  // namespace

std::span<ResponseMeaning const> response_table() {
    return kTable;
}

std::span<ResponseMeaning const> action_code_table() {
    return kActionCodes;
}

ResponseMeaning const& meaning_of(std::string_view code) {
    std::span<ResponseMeaning const> const table =
        code.size() == 2 ? response_table() : action_code_table();
    auto const row = std::ranges::find(table, code, &ResponseMeaning::code);
    return row == table.end() ? kOutsideTheTable : *row;
}

bool is_original_not_found(std::string_view code) {
    return code == "25" || code == "914";
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
        case incorrect_pin: return "incorrect_pin";
        case insufficient_funds: return "insufficient_funds";
        case invalid_account: return "invalid_account";
        case invalid_amount: return "invalid_amount";
        case issuer_not_available: return "issuer_not_available";
        case lost_card: return "lost_card";
        case pickup_card: return "pickup_card";
        case pin_try_exceeded: return "pin_try_exceeded";
        case restricted_card: return "restricted_card";
        case revocation_of_authorization: return "revocation_of_authorization";
        case security_violation: return "security_violation";
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
