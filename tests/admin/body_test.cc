#include "daemon/admin/body.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>

using namespace florin;
using namespace florin::admin;

namespace {

// What is wrong with a body when its members are read in this way.
template <class Read>
std::string wrong(std::string_view text, Read const& read) {
    auto body = Body::parse(text);
    if (!body) {
        return body.error().context;
    }
    read(*body);
    auto const finished = body->finish();
    return finished ? "" : finished.error().context;
}

auto const kRequired = [](Body& body) { static_cast<void>(body.require_text("x", 10)); };
auto const kText = [](Body& body) { static_cast<void>(body.take_text("x")); };
auto const kBoolean = [](Body& body) { static_cast<void>(body.take_boolean("x")); };
auto const kInteger = [](Body& body) { static_cast<void>(body.take_integer("x", -5, 10)); };
auto const kTexts = [](Body& body) { static_cast<void>(body.take_texts("x")); };
auto const kList = [](Body& body) { static_cast<void>(body.take_list("x")); };

std::string x(std::string const& value) {
    return "{\"x\":" + value + "}";
}

std::string repeated(std::string const& item, std::size_t count) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        all += (i == 0 ? "" : ",") + item;
    }
    return all;
}

}  // namespace

TEST_CASE("members are read by name and type") {
    auto body = Body::parse(
        R"({"a": "text", "b": -3, "c": {"k": "v"}, "d": ["p", "q"], "e": "Zoë", "f": false})"
    );
    REQUIRE(body.has_value());
    CHECK(body->take_text("a") == "text");
    CHECK(body->take_integer("b", -5, 10) == -3);
    CHECK(body->take_texts("c") == std::map<std::string, std::string>{{"k", "v"}});
    CHECK(body->take_list("d") == std::vector<std::string>{"p", "q"});
    CHECK(body->require_text("e") == "Zoë");
    CHECK(body->take_boolean("f") == false);
    CHECK(!body->take_text("g"));
    CHECK(!body->take_boolean("g"));
    CHECK(!body->take_integer("g", 0, 1));
    CHECK(!body->take_texts("g"));
    CHECK(!body->take_list("g"));
    CHECK(body->finish().has_value());
    CHECK(Body::parse("")->finish().has_value());
    CHECK(Body::parse(R"({"c":{}})")->take_texts("c")->empty());
}

TEST_CASE("a body that is not an object is refused") {
    for (char const* text :
         {"[]",
          "1",
          "nonsense",
          "{",
          "{} {}",
          "null",
          "\"\"",
          "{\"x\":}",
          "\xff",
          "{\"x\":\"\xff\"}"}) {
        CAPTURE(text);
        CHECK(wrong(text, kText) == "the body is not a JSON object");
    }
}

TEST_CASE("texts are not empty, bounded and without control characters") {
    CHECK(wrong(x(R"("fine")"), kText).empty());
    for (char const* bad :
         {"1", "null", "\"\"", R"("line\nbreak")", R"("\u0000")", R"("\u007f")"}) {
        CAPTURE(bad);
        CHECK(
            wrong(x(bad), kText) ==
            "x: expected a text of 1 to 200 bytes without control characters"
        );
        CHECK(wrong(x(bad), kRequired).starts_with("x: expected a text of 1 to 10 bytes"));
    }
    CHECK(wrong(x("\"" + std::string(200, 'a') + "\""), kText).empty());
    CHECK(!wrong(x("\"" + std::string(201, 'a') + "\""), kText).empty());
    CHECK(wrong(x("\"" + std::string(10, 'a') + "\""), kRequired).empty());
    CHECK(!wrong(x("\"" + std::string(11, 'a') + "\""), kRequired).empty());
    CHECK(wrong("{}", kRequired) == "x: is missing");
    CHECK(wrong("", kRequired) == "x: is missing");
}

TEST_CASE("booleans and integers are nothing else") {
    for (char const* bad : {"0", "\"true\"", "null", "[]"}) {
        CHECK(wrong(x(bad), kBoolean) == "x: expected true or false");
    }
    for (char const* bad :
         {"11",
          "-6",
          "1.0",
          "\"1\"",
          "null",
          "1e300",
          "18446744073709551615",
          "99999999999999999999",
          "true"}) {
        CAPTURE(bad);
        CHECK(wrong(x(bad), kInteger) == "x: expected an integer from -5 to 10");
    }
}

TEST_CASE("objects and lists of texts are bounded") {
    for (char const* bad :
         {"[]", R"({"a":1})", R"({"":"a"})", R"({"a":""})", R"({"a":{"b":"c"}})"}) {
        CAPTURE(bad);
        CHECK(wrong(x(bad), kTexts) == "x: expected an object of at most 100 texts");
    }
    for (char const* bad : {"[]", "[1]", "{}", "\"a\"", R"(["a",""])", R"(["a\n"])"}) {
        CAPTURE(bad);
        CHECK(wrong(x(bad), kList) == "x: expected a list of 1 to 100 texts");
    }
    CHECK(wrong(x("[" + repeated("\"a\"", 100) + "]"), kList).empty());
    CHECK(!wrong(x("[" + repeated("\"a\"", 101) + "]"), kList).empty());
    std::string members;
    for (int i = 0; i < 100; ++i) {
        members += "\"" + std::to_string(i) + "\":\"a\",";
    }
    CHECK(wrong(x("{" + members.substr(0, members.size() - 1) + "}"), kTexts).empty());
    CHECK(!wrong(x("{" + members + "\"more\":\"a\"}"), kTexts).empty());
}

TEST_CASE("the first complaint counts, a caller's own too") {
    auto body = Body::parse(R"({"a": 1, "b": 2, "c": 3})");
    static_cast<void>(body->take_text("b"));
    static_cast<void>(body->take_text("a"));
    body->refuse("c", "something else");
    CHECK(body->finish().error().context.starts_with("b: "));
    auto other = Body::parse("{}");
    other->refuse("iban", "an IBAN");
    REQUIRE_FALSE(other->finish().has_value());
    CHECK(other->finish().error().code == Errc::malformed);
    CHECK(other->finish().error().context == "iban: expected an IBAN");
    CHECK(wrong(R"({"y":1})", kText) == "y: is not a member of this request");
}

TEST_CASE("card numbers and keys are neither taken nor repeated") {
    std::string const kHolds = "x: holds what looks like a card number or a secret key";
    for (std::string const secret :
         {"4242 4242 4242 4242", "4242424242424242", "sk_live_0123456789abcdefghijklmnop"}) {
        CAPTURE(secret);
        std::string const quoted = "\"" + secret + "\"";
        CHECK(wrong(x(quoted), kText) == kHolds);
        CHECK(wrong(x("[" + quoted + "]"), kList) == kHolds);
        CHECK(wrong(x("{\"a\":" + quoted + "}"), kTexts) == kHolds);
        CHECK(wrong(x("{" + quoted + ":\"a\"}"), kTexts) == kHolds);
    }
    CHECK(
        wrong(R"({"4242424242424242":1})", kText) ==
        "************4242: is not a member of this request"
    );
    // Not either where a long name is cut.
    std::string const cut = "{\"" + std::string(92, 'a') + " 4242424242424242\":1}";
    CHECK(wrong(cut, kText).find("4242") == std::string::npos);
}

TEST_CASE("what is nested too deep is refused, however long it goes on") {
    auto const nested = [](std::size_t depth) {
        return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    };
    CHECK(parse_object(nested(32)).has_value());
    CHECK_FALSE(parse_object(nested(33)).has_value());
    CHECK_FALSE(parse_object(nested(400'000)).has_value());
    CHECK_FALSE(Body::parse(std::string(100'000, '[')).has_value());
    // Brackets in texts are not brackets.
    CHECK(parse_object("{\"a\":\"" + std::string(100, '[') + "\\\"[\"}").has_value());
}
