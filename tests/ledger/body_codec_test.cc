// Bodies come back as they were, whatever they are, and a damaged one is refused.
#include "ledger/body_codec.h"

#include "ledger/base/bytes.h"
#include "ledger/command.h"

#include <doctest/doctest.h>

namespace florin::ledger {
namespace {

std::string round_trip(std::string const& body) {
    auto const back = unpack_body(pack_body(body));
    REQUIRE(back.has_value());
    return *back;
}

std::string payment(int number) {
    return R"({"id":"pi_28dwDlU07PLATkCX1de)" + std::to_string(number) +
           R"(","merchant":"acct_dev","currency":"EUR","amount":4500,"status":"succeeded",)"
           R"("payment_method_types":["card"],"connector":"sandbox"})";
}

TEST_CASE("bodies come back as they were") {
    CHECK(round_trip("").empty());
    CHECK(round_trip("{}") == "{}");
    CHECK(round_trip(payment(7)) == payment(7));
    std::string large;
    for (int i = 0; i < 20'000; ++i) {
        large += payment(i);
    }
    CHECK(round_trip(large) == large);
}

TEST_CASE("a body may begin with any byte") {
    for (int first = 0; first < 256; ++first) {
        for (std::size_t const length : {1U, 30U, 300U}) {
            std::string body(length, static_cast<char>(first));
            CHECK(round_trip(body) == body);
            body += "and more";
            CHECK(round_trip(body) == body);
        }
    }
}

TEST_CASE("a usual body takes less than half") {
    CHECK(pack_body(payment(7)).size() < payment(7).size() / 2);
    CHECK(pack_body("{}") == "{}");
}

// Packed once by a Florin with dictionary 1: what is stored stays readable, whatever is changed.
TEST_CASE("what was stored once is read for ever") {
    constexpr std::string_view kStored =
        "0120a08d0100830105abee7517f430711a144cb79d10a2ea3cc601880a08fc4fd7332016624d5da9ae9aa6b6b5"
        "079ca73a4d54fbea2663";
    auto const stored = from_hex(kStored);
    REQUIRE(stored.has_value());
    CHECK(unpack_body(*stored).value() == payment(7));
    CHECK(unpack_body(from_hex("00017b7d").value()).value() == "\x01{}");
    CHECK(unpack_body("{}").value() == "{}");
}

TEST_CASE("damage is refused or changes nothing but the text") {
    std::string const stored = pack_body(payment(7));
    REQUIRE(stored.front() == '\x01');
    for (std::size_t length = 1; length < stored.size(); ++length) {
        auto const cut = unpack_body(ByteView{stored}.substr(0, length));
        CHECK_FALSE(cut.has_value());
    }
    CHECK_FALSE(unpack_body(ByteView{"\x02{}"}).has_value());
    CHECK_FALSE(unpack_body(ByteView{"\x0f"}).has_value());
    std::string huge{"\x01\xe0\xff\xff\xff\xff\xff\xff\xff\x7f"};  // a frame of 2^63 bytes, it says
    CHECK_FALSE(unpack_body(huge).has_value());
}

TEST_CASE("a command's bodies are packed, each for itself") {
    Command command;
    command.puts.push_back({.key = {1, "a", "b"}, .expected_version = 0, .body = payment(1)});
    command.events.push_back({.owner = "a", .id = "e", .type = "t", .body = payment(2)});
    pack_bodies(command);
    CHECK(unpack_body(command.puts[0].body).value() == payment(1));
    CHECK(unpack_body(command.events[0].body).value() == payment(2));
}

}  // namespace
}  // namespace florin::ledger
