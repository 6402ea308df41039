#include "connectors/iso20022/iban.h"

#include <doctest/doctest.h>

#include <string>

using florin::connectors::iso20022::is_iban;

TEST_CASE("published example IBANs are right") {
    for (auto const* const iban :
         {"DE89370400440532013000",
          "DE02120300000000202051",
          "GB29NWBK60161331926819",
          "FR1420041010050500013M02606",
          "NO9386011117947",
          "MT84MALT011000012345MTLCAST001S",
          "KW81CBKU0000000000001234560101"}) {
        CAPTURE(iban);
        CHECK(is_iban(iban));
    }
}

TEST_CASE("an IBAN with one character changed or two exchanged is wrong") {
    std::string const iban = "DE89370400440532013000";
    for (std::size_t i = 2; i < iban.size(); ++i) {
        for (char digit = '0'; digit <= '9'; ++digit) {
            auto changed = iban;
            changed[i] = digit;
            CHECK(is_iban(changed) == (changed == iban));
        }
    }
    for (std::size_t i = 4; i + 1 < iban.size(); ++i) {
        auto exchanged = iban;
        std::swap(exchanged[i], exchanged[i + 1]);
        CHECK(is_iban(exchanged) == (exchanged == iban));
    }
}

TEST_CASE("what does not look like an IBAN is none") {
    for (auto const* const text :
         {"",
          "DE",
          "DE89 3704 0044 0532 0130 00",
          "de89370400440532013000",
          "DE8937040044053201300O",
          "D389370400440532013000",
          "DEA9370400440532013000",
          "NO938601111794",
          "DE89370400440532013000\n",
          "GB29nwbk60161331926819",
          "MT84MALT011000012345MTLCAST001S00000"}) {
        CAPTURE(text);
        CHECK_FALSE(is_iban(text));
    }
}
