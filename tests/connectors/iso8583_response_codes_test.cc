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
    for (char const* const code : {"", "0", "000", "005", "25", "09", "22", "68", "94", "r0"}) {
        CHECK(meaning_of(code).outcome == Outcome::unknown);
        CHECK(meaning_of(code).reason == DeclineReason::none);
    }
}
