#include "connectors/iso8583/response_codes.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace florin::connectors;
using namespace florin::connectors::iso8583;

namespace {

struct Row {
    char const* code;
    Outcome outcome;
    char const* reason;
};

// One row for each code of the table, written down a second time.
constexpr Row kRows[] = {
    {"00", Outcome::approved, ""},
    {"01", Outcome::declined, "call_issuer"},
    {"02", Outcome::declined, "call_issuer"},
    {"04", Outcome::declined, "pickup_card"},
    {"05", Outcome::declined, "do_not_honor"},
    {"07", Outcome::declined, "pickup_card"},
    {"08", Outcome::approved, ""},
    {"10", Outcome::approved, ""},
    {"11", Outcome::approved, ""},
    {"12", Outcome::declined, "transaction_not_allowed"},
    {"13", Outcome::declined, "invalid_amount"},
    {"14", Outcome::declined, "invalid_account"},
    {"15", Outcome::declined, "invalid_account"},
    {"16", Outcome::approved, ""},
    {"1A", Outcome::declined, "authentication_required"},
    {"41", Outcome::declined, "lost_card"},
    {"43", Outcome::declined, "stolen_card"},
    {"51", Outcome::declined, "insufficient_funds"},
    {"54", Outcome::declined, "expired_card"},
    {"57", Outcome::declined, "transaction_not_allowed"},
    {"58", Outcome::declined, "transaction_not_allowed"},
    {"59", Outcome::declined, "fraudulent"},
    {"61", Outcome::declined, "card_velocity_exceeded"},
    {"62", Outcome::declined, "restricted_card"},
    {"65", Outcome::declined, "withdrawal_count_limit_exceeded"},
    {"75", Outcome::declined, "pin_try_exceeded"},
    {"78", Outcome::declined, "invalid_account"},
    {"82", Outcome::declined, "incorrect_cvc"},
    {"91", Outcome::declined, "issuer_not_available"},
    {"92", Outcome::declined, "issuer_not_available"},
    {"93", Outcome::declined, "transaction_not_allowed"},
    {"96", Outcome::declined, "processing_error"},
    {"N7", Outcome::declined, "incorrect_cvc"},
    {"R0", Outcome::declined, "stop_payment_order"},
    {"R1", Outcome::declined, "revocation_of_authorization"},
    {"R3", Outcome::declined, "revocation_of_authorization"},
};

// The same for ISO 8583:1993.
constexpr Row kActionRows[] = {
    {"000", Outcome::approved, ""},
    {"001", Outcome::approved, ""},
    {"002", Outcome::approved, ""},
    {"003", Outcome::approved, ""},
    {"004", Outcome::approved, ""},
    {"005", Outcome::approved, ""},
    {"006", Outcome::approved, ""},
    {"007", Outcome::approved, ""},
    {"100", Outcome::declined, "do_not_honor"},
    {"101", Outcome::declined, "expired_card"},
    {"102", Outcome::declined, "fraudulent"},
    {"103", Outcome::declined, "call_issuer"},
    {"104", Outcome::declined, "restricted_card"},
    {"105", Outcome::declined, "call_issuer"},
    {"106", Outcome::declined, "pin_try_exceeded"},
    {"107", Outcome::declined, "call_issuer"},
    {"108", Outcome::declined, "call_issuer"},
    {"109", Outcome::declined, "transaction_not_allowed"},
    {"110", Outcome::declined, "invalid_amount"},
    {"111", Outcome::declined, "invalid_account"},
    {"112", Outcome::declined, "authentication_required"},
    {"113", Outcome::declined, "transaction_not_allowed"},
    {"114", Outcome::declined, "invalid_account"},
    {"115", Outcome::declined, "transaction_not_allowed"},
    {"116", Outcome::declined, "insufficient_funds"},
    {"117", Outcome::declined, "incorrect_pin"},
    {"118", Outcome::declined, "invalid_account"},
    {"119", Outcome::declined, "transaction_not_allowed"},
    {"120", Outcome::declined, "transaction_not_allowed"},
    {"121", Outcome::declined, "card_velocity_exceeded"},
    {"122", Outcome::declined, "security_violation"},
    {"123", Outcome::declined, "withdrawal_count_limit_exceeded"},
    {"124", Outcome::declined, "transaction_not_allowed"},
    {"125", Outcome::declined, "invalid_account"},
    {"129", Outcome::declined, "fraudulent"},
    {"200", Outcome::declined, "do_not_honor"},
    {"201", Outcome::declined, "expired_card"},
    {"202", Outcome::declined, "fraudulent"},
    {"203", Outcome::declined, "pickup_card"},
    {"204", Outcome::declined, "restricted_card"},
    {"205", Outcome::declined, "pickup_card"},
    {"206", Outcome::declined, "pin_try_exceeded"},
    {"207", Outcome::declined, "pickup_card"},
    {"208", Outcome::declined, "lost_card"},
    {"209", Outcome::declined, "stolen_card"},
    {"210", Outcome::declined, "fraudulent"},
    {"400", Outcome::approved, ""},
    {"901", Outcome::approved, ""},
    {"902", Outcome::declined, "transaction_not_allowed"},
    {"905", Outcome::declined, "transaction_not_allowed"},
    {"907", Outcome::declined, "issuer_not_available"},
    {"908", Outcome::declined, "issuer_not_available"},
    {"909", Outcome::declined, "processing_error"},
    {"910", Outcome::declined, "issuer_not_available"},
    {"912", Outcome::declined, "issuer_not_available"},
};

}  // namespace

TEST_CASE("every code of the table means what the merchant API says") {
    for (auto const& row : kRows) {
        CAPTURE(row.code);
        auto const& meaning = meaning_of(row.code);
        CHECK(meaning.outcome == row.outcome);
        CHECK(decline_reason_name(meaning.reason) == row.reason);
        CHECK(meaning.is_partial == (std::string_view{row.code} == "10"));
        // Every decline tells the merchant what to do next; an approval has nothing to add.
        CHECK((meaning.advice != Advice::none) == (row.outcome == Outcome::declined));
        CHECK(advice_name(meaning.advice).empty() == (row.outcome == Outcome::approved));
        bool const soft =
            std::set<std::string_view>{"91", "92", "96"}.contains(std::string_view{row.code});
        CHECK(meaning.is_soft == soft);
    }
}

TEST_CASE("every code outside the table is unknown, whichever two characters it has") {
    std::set<std::string> known;
    for (auto const& row : kRows) {
        known.insert(row.code);
    }
    CHECK(response_table().size() == known.size());
    for (char first = ' '; first <= '~'; ++first) {
        for (char second = ' '; second <= '~'; ++second) {
            std::string const code{first, second};
            if (!known.contains(code)) {
                CHECK(meaning_of(code).outcome == Outcome::unknown);
            }
        }
    }
    for (char const* const code : {"", "0", "0000", "25", "09", "22", "68", "94", "r0"}) {
        CHECK(meaning_of(code).outcome == Outcome::unknown);
        CHECK(meaning_of(code).reason == DeclineReason::none);
    }
}

TEST_CASE("every action code of 1993 means what the merchant API says, and any other is unknown") {
    std::set<std::string> known;
    for (auto const& row : kActionRows) {
        CAPTURE(row.code);
        known.insert(row.code);
        auto const& meaning = meaning_of(row.code);
        CHECK(meaning.code == row.code);
        CHECK(meaning.outcome == row.outcome);
        CHECK(decline_reason_name(meaning.reason) == row.reason);
        CHECK(meaning.is_partial == std::set<std::string_view>{"002", "006"}.contains(row.code));
        CHECK((meaning.advice != Advice::none) == (row.outcome == Outcome::declined));
        CHECK(
            meaning.is_soft ==
            std::set<std::string_view>{"907", "908", "909", "910", "912"}.contains(row.code)
        );
    }
    CHECK(action_code_table().size() == known.size());
    for (int number = 0; number < 1000; ++number) {
        auto const code = std::to_string(1000 + number).substr(1);
        if (!known.contains(code)) {
            CHECK(meaning_of(code).outcome == Outcome::unknown);
            CHECK(meaning_of(code).reason == DeclineReason::none);
        }
    }
    CHECK(is_original_not_found("25"));
    CHECK(is_original_not_found("914"));
    CHECK_FALSE(is_original_not_found("94"));
    CHECK_FALSE(is_original_not_found(""));
}
