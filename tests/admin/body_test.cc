#include "daemon/admin/body.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace florin;
using namespace florin::admin;

namespace {

http::Request with(std::string body) {
    http::Request request;
    request.body = std::move(body);
    return request;
}

// What finish() says after taking the four members that the tests know.
std::string complaint(std::string body) {
    auto parsed = Body::parse(with(std::move(body)));
    if (!parsed) {
        return parsed.error().context;
    }
    static_cast<void>(parsed->require_text("reason", 10));
    static_cast<void>(parsed->take_boolean("enabled"));
    static_cast<void>(parsed->take_integer("priority", -1, 5));
    auto const finished = parsed->finish();
    return finished ? "" : finished.error().context;
}

}  // namespace

TEST_CASE("a body is taken member by member, and what is wrong is named") {
    CHECK(complaint(R"({"reason":"x"})").empty());
    CHECK(complaint(R"({"reason":"x","enabled":true,"priority":-1})").empty());
    CHECK(complaint("") == "reason: is missing");
    CHECK(complaint(R"({"reason":""})") == "reason: is missing");
    CHECK(complaint(R"({"reason":1})").starts_with("reason: expected a text"));
    CHECK(complaint(R"({"reason":"0123456789a"})").starts_with("reason: expected a text"));
    CHECK(complaint(R"({"reason":"x","enabled":1})") == "enabled: expected true or false");
    for (char const* const wrong : {"6", "-2", "1.0", "\"1\"", "null", "18446744073709551615"}) {
        CAPTURE(wrong);
        std::string const body = std::string{R"({"reason":"x","priority":)"} + wrong + "}";
        CHECK(complaint(body) == "priority: expected an integer from -1 to 5");
    }
    CHECK(complaint(R"({"reason":"x","more":1})") == "more: no such member");
    for (char const* const wrong : {"[]", "1", "{", "{\"reason\":}", "\xff"}) {
        CHECK(complaint(wrong) == "the body is not a JSON object");
    }
}

TEST_CASE("card numbers are neither taken nor repeated") {
    auto parsed = Body::parse(with(R"({"reason":"4242424242424242"})"));
    static_cast<void>(parsed->require_text("reason", 100));
    auto const refused = parsed->finish();
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().context.find("4242424242") == std::string::npos);
    CHECK(
        complaint(R"({"reason":"x","4242424242424242":1})").find("42424242") == std::string::npos
    );
}

TEST_CASE("what is nested too deep is refused, however long it goes on") {
    auto const nested = [](std::size_t depth) {
        return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    };
    CHECK(parse_object(nested(32)).has_value());
    CHECK_FALSE(parse_object(nested(33)).has_value());
    CHECK_FALSE(parse_object(nested(400'000)).has_value());
    // Brackets in texts are not brackets.
    CHECK(parse_object("{\"a\":\"" + std::string(100, '[') + "\\\"[\"}").has_value());
}
