#include "daemon/admin/request_body.h"

#include <doctest/doctest.h>

#include <string>

using namespace florin;
using admin::RequestBody;

namespace {

// What is wrong with a member `x` when it is read in this way.
template <class Read>
std::string wrong(std::string const& json, Read const& read) {
    auto body = RequestBody::parse(json);
    if (!body) {
        return body.error().context;
    }
    read(*body);
    auto const finished = body->finish();
    return finished ? "" : finished.error().context;
}

auto const kText = [](RequestBody& body) { static_cast<void>(body.text("x")); };
auto const kInteger = [](RequestBody& body) { static_cast<void>(body.integer("x", -5, 10)); };
auto const kTexts = [](RequestBody& body) { static_cast<void>(body.texts("x")); };
auto const kList = [](RequestBody& body) { static_cast<void>(body.list("x")); };

}  // namespace

TEST_CASE("members are read by name and type") {
    auto body =
        RequestBody::parse(R"({"a": "text", "b": -3, "c": {"k": "v"}, "d": ["p", "q"], "e": "Zoë"})"
        );
    REQUIRE(body.has_value());
    CHECK(body->text("a") == "text");
    CHECK(body->integer("b", -5, 10) == -3);
    CHECK(body->texts("c")->at("k") == "v");
    CHECK(body->list("d")->size() == 2);
    CHECK(body->text("e") == "Zoë");
    CHECK(!body->text("f"));
    CHECK(body->finish().has_value());
    CHECK(RequestBody::parse("")->finish().has_value());
}

TEST_CASE("a body that is not an object is refused") {
    for (char const* text : {"[]", "1", "nonsense", "{", "{} {}", "null", "\"\"", "{\"a\":\xff}"}) {
        CAPTURE(text);
        CHECK(!RequestBody::parse(text));
    }
    CHECK(!RequestBody::parse(std::string(100'000, '[')));
}

TEST_CASE("what is wrong is named") {
    CHECK(wrong(R"({"x": "fine"})", kText).empty());
    for (char const* bad : {
             R"({"x": 1})",
             R"({"x": null})",
             R"({"x": ""})",
             R"({"x": "line\nbreak"})",
             R"({"x": "\u0000"})",
             R"({"x": "4242 4242 4242 4242"})",
             R"({"x": "sk_live_0123456789abcdefghijklmnop"})",
         }) {
        CAPTURE(bad);
        CHECK(wrong(bad, kText).starts_with("x: expected a text"));
    }
    CHECK(wrong("{\"x\": \"" + std::string(200, 'a') + "\"}", kText).empty());
    CHECK(!wrong("{\"x\": \"" + std::string(201, 'a') + "\"}", kText).empty());
    for (char const* bad :
         {"{\"x\": 11}",
          "{\"x\": -6}",
          "{\"x\": 1.0}",
          "{\"x\": \"1\"}",
          "{\"x\": 1e300}",
          "{\"x\": 18446744073709551615}",
          "{\"x\": 99999999999999999999}",
          "{\"x\": true}"}) {
        CAPTURE(bad);
        CHECK(wrong(bad, kInteger) == "x: expected an integer from -5 to 10");
    }
    for (char const* bad : {"{\"x\": []}", "{\"x\": {\"a\": 1}}", "{\"x\": {\"\": \"a\"}}"}) {
        CAPTURE(bad);
        CHECK(wrong(bad, kTexts).starts_with("x: expected an object"));
    }
    for (char const* bad : {"{\"x\": []}", "{\"x\": [1]}", "{\"x\": {}}", "{\"x\": \"a\"}"}) {
        CAPTURE(bad);
        CHECK(wrong(bad, kList).starts_with("x: expected a list"));
    }
    CHECK(wrong(R"({"y": 1})", kText) == "y: is not a member of this request");
    CHECK(
        wrong(R"({"4242424242424242": 1})", kText) ==
        "************4242: is not a member of this request"
    );
    // The first thing counts.
    auto body = RequestBody::parse(R"({"a": 1, "b": 2})");
    static_cast<void>(body->text("b"));
    static_cast<void>(body->text("a"));
    CHECK(body->finish().error().context.starts_with("b: "));
}
