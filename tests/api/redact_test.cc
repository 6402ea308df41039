#include "daemon/api/redact.h"

#include "connectors/cards.h"

#include <doctest/doctest.h>

using namespace florin;

TEST_CASE("a card number is found in a text, however it is grouped") {
    for (char const* text : {
             "4242424242424242",
             "4242 4242 4242 4242",
             "4242-4242-4242-4242",
             "card 4242 4242 4242 4242 12/40",
             "12 4242424242424242 123",
             "x4242424242424242x",
             "378282246310005",
             "3782 822463 10005",
             "3782 8224 6310 005",
             "30569309025904",
             "6011111111111117",
             "3530111333300000",
             "5555555555554444 and 1",
             "card4242424242424242x",
             "ab4242424242424242cd",
         }) {
        CAPTURE(text);
        CHECK(connectors::find_card_number(text).has_value());
        CHECK(api::holds_secret(text));
    }
}

TEST_CASE("other long numbers are no card numbers") {
    for (char const* text : {
             "",
             "4242424242424241",
             "42424242424242424242",
             "1764027600000000",
             "DE89370400440532013000",
             "+49 30 901820 00",
             "+4915107049996",  // with the check digit and first digit of old Visa numbers
             "4915107049996",
             "2026-11-24 12:00:00",
             "9007199254740993",
             "42 42 42 42 42 42 42 42",
             "00000000-0000-0000-0000-000000000000",
             "pi_28dhuOphu7wLD8XqdKPxJpgn",
             // UUIDs, as SDKs make for idempotency keys, and hexadecimal digests.
             "stripe-node-retry-abcd4242-4242-4242-4242abcd1234",
             "4242-4242-4242-4242abcd1234",
             "00ab4242424242424242cdef0123",
         }) {
        CAPTURE(text);
        CHECK(!connectors::find_card_number(text).has_value());
        CHECK(!api::holds_secret(text));
    }
}

TEST_CASE("secret keys are noticed, publishable ones are public") {
    CHECK(api::holds_secret("sk_test_0123456789abcdefABCDEF"));
    CHECK(api::holds_secret("my key: ak_live_0123456789abcdefABCDEF!"));
    CHECK(api::holds_secret("whsec_0123456789abcdefABCDEF"));
    CHECK(!api::holds_secret("pk_test_0123456789abcdefABCDEF"));
    CHECK(!api::holds_secret("sk_test_short"));
    CHECK(!api::holds_secret("task_test_order"));
}

TEST_CASE("what is shown of a text hides long digits and keys, and nothing else") {
    CHECK(
        api::redacted("No such thing: '4242424242424242'") == "No such thing: '************4242'"
    );
    CHECK(api::redacted("4242 4242 4242 4242") == "***************4242");
    CHECK(api::redacted("between 0 4242424242424242 12") == "between 0 ************4242 12");
    CHECK(api::redacted("4242424242424242x1234") == "************4242x1234");
    CHECK(api::redacted("sk_test_abcdefghijklmnop") == "sk_test_************mnop");
    CHECK(api::redacted("sk_test_abc") == "sk_test_***");
    CHECK(
        api::redacted("Amount must be no more than 99999999.") ==
        "Amount must be no more than 99999999."
    );
    CHECK(api::redacted("pi_28dhuOphu7wLD8XqdKPxJpgn") == "pi_28dhuOphu7wLD8XqdKPxJpgn");
    CHECK(api::redacted("") == "");
    CHECK(api::redacted(" - 1 - 2 ") == " - 1 - 2 ");
}
