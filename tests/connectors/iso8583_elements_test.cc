// What ISO 8583:1987 has no field for: sub-elements of private fields.
#include "connectors/iso8583/connector.h"
#include "tests/connectors/iso8583_rig.h"

#include <doctest/doctest.h>

#include <string>

using namespace florin;
using namespace florin::connectors;
using namespace florin::connectors::iso8583;
using namespace florin::connectors::iso8583::test;

namespace {

constexpr ElementPlace const kNowhere{};

}  // namespace

TEST_CASE("sub-elements are added one behind the other and found again") {
    ElementPlace const first{.field = 48, .tag = "42"};
    ElementPlace const second{.field = 48, .tag = "43"};
    Message message{"0100"};
    CHECK(add_element(message, first, "05"));
    CHECK(add_element(message, second, "abc"));
    CHECK(add_element(message, kNowhere, "lost"));
    CHECK(add_element(message, first, ""));
    CHECK(
        message.get(48) ==
        "42020543"
        "03abc"
    );
    CHECK(message.fields().size() == 1);
    CHECK(element(message, first) == "05");
    CHECK(element(message, second) == "abc");
    CHECK(element(message, {.field = 48, .tag = "44"}).empty());
    CHECK(element(message, {.field = 63, .tag = "42"}).empty());
    CHECK(element(message, kNowhere).empty());
    CHECK(add_element(message, first, std::string(100, 'x')).error().code == Errc::out_of_range);
}

TEST_CASE("a private field that is not made of sub-elements says nothing") {
    ElementPlace const place{.field = 63, .tag = "01"};
    for (char const* const text :
         {"", "0", "01", "0102", "01021", "01x2ab", "0102ab0", "0102ab01", "0102ab0199z"}) {
        Message message{"0110"};
        message.set(63, text);
        CHECK_MESSAGE(element(message, place).empty(), text);
    }
    Message message{"0110"};
    message.set(63, "0203xyz0102ab0102cd");
    CHECK(element(message, place) == "ab");
}

TEST_CASE("an authorisation carries what it was given, and nothing else") {
    Iso8583Options const options;
    auto request = authorise_request(1);
    CHECK(authorise_message(request, options, kNow)->get(48) == "9203123");
    request.authentication.electronic_commerce_indicator = "05";
    request.authentication.cryptogram = Cryptogram{std::string_view{"AAAA"}};
    request.authentication.version = "2.2.0";
    request.authentication.transaction_id = "id";
    request.credential = CredentialUse::merchant_further;
    request.original_network_transaction_id = "BS1";
    request.is_mail_or_telephone = true;
    auto const message = authorise_message(request, options, kNow);
    REQUIRE(message);
    CHECK(
        message->get(48) ==
        "9203123"
        "420205"
        "4304AAAA"
        "44052.2.0"
        "4502id"
        "4602MS"
    );
    CHECK(message->get(63) == "0203BS1");
    CHECK(message->get(25) == "08");
    CHECK(describe(*message).find("AAAA") == std::string::npos);
    auto plain = options;
    plain.link.packaging.elements = {};
    plain.link.packaging.elements.cvc = {};
    CHECK_FALSE(authorise_message(request, plain, kNow)->has(48));
    CHECK_FALSE(authorise_message(request, plain, kNow)->has(63));
}

TEST_CASE("an answer names the transaction, or does not") {
    Message answer{"0110"};
    answer.set(39, "00");
    Packaging const& packaging = default_packaging();
    CHECK(reply_of(answer, std::nullopt, packaging).network_transaction_id.empty());
    answer.set(63, "0105NTI1 ");
    CHECK(reply_of(answer, std::nullopt, packaging).network_transaction_id == "NTI1");
    CHECK(reply_of(answer, std::nullopt, Packaging{}).network_transaction_id.empty());
    answer.set(63, "garbage");
    auto const reply = reply_of(answer, std::nullopt, packaging);
    CHECK(reply.outcome == Outcome::approved);
    CHECK(reply.network_transaction_id.empty());
}

TEST_CASE("places are read from the packaging, or refused") {
    std::string const toml =
        "name = \"t\"\nversion = \"1987\"\nmti = \"ascii\"\ndigits = \"ascii\"\n"
        "odd_digits_pad = \"left\"\nlengths = \"ascii\"\nbitmap = \"raw\"\nbinary = \"raw\"\n"
        "[frame]\nlength = \"binary2\"\nbytes_max = 8192\n[fields]\n2 = [\"n..19\", \"pan\"]\n"
        "48 = [\"ans...999\", \"private\"]\n41 = [\"ans8\", \"terminal\"]\n";
    auto const with = [&](std::string const& lines) {
        return parse_packaging(toml + "[elements]\n" + lines, "test");
    };
    CHECK(parse_packaging(toml, "test")->elements.cvc.tag == "92");
    CHECK(parse_packaging(toml, "test")->elements.cryptogram.field == 0);
    CHECK(with("")->elements.cvc.field == 0);
    auto const one = with("cryptogram = [48, \"A1\"]\n");
    REQUIRE(one);
    CHECK(one->elements.cryptogram.field == 48);
    CHECK(one->elements.cryptogram.tag == "A1");
    for (char const* const bad :
         {"pin = [48, \"01\"]",
          "cvc = 48",
          "cvc = [48]",
          "cvc = [48, \"1\"]",
          "cvc = [48, \"a1\"]",
          "cvc = [2, \"01\"]",
          "cvc = [41, \"01\"]",
          "cvc = [63, \"01\"]",
          "cvc = [500, \"01\"]",
          "cvc = [\"48\", \"01\"]"}) {
        auto const refused = with(bad);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().context.starts_with("test: [elements] "));
    }
}
