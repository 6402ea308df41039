// What is written is JSON, whatever goes in, and reads back the same with a library that others
// wrote.
#include "daemon/api/json.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace florin::api;
using nlohmann::ordered_json;

namespace {

TEST_CASE("members, lists and nothing, in their order") {
    Json json = {
        {"id", "pi_1"},
        {"amount", 4500},
        {"paid", true},
        {"none", nullptr},
        {"empty", Json::object()},
        {"types", std::vector<std::string>{"card", "b"}},
        {"metadata", std::map<std::string, std::string>{{"a \"b\"", "c\nd"}, {"e", ""}}},
        {"card", {{"last4", "4242"}, {"checks", {{"cvc", nullptr}}}}},
    };
    Json list = Json::array();
    list.push_back(-1);
    list.push_back(Json{{"x", false}});
    json.add("list", list);
    ordered_json const expected = {
        {"id", "pi_1"},
        {"amount", 4500},
        {"paid", true},
        {"none", nullptr},
        {"empty", ordered_json::object()},
        {"types", {"card", "b"}},
        {"metadata", {{"a \"b\"", "c\nd"}, {"e", ""}}},
        {"card", {{"last4", "4242"}, {"checks", {{"cvc", nullptr}}}}},
        {"list", {-1, {{"x", false}}}},
    };
    CHECK(json.text() == expected.dump());
    CHECK(indented(json.text()) == expected.dump(2));
    CHECK(indented(Json::object().text()) == "{}");
    CHECK(indented(Json::array().text()) == "[]");
}

TEST_CASE("any bytes become text that is valid, and characters stay what they are") {
    std::string all;
    for (int c = 0; c < 256; ++c) {
        all += static_cast<char>(c);
        all += "a";
    }
    all += "grüße \xe4\xb8\xad \xf0\x9f\x98\x80 \xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80 \xe2\x82";
    auto const read = ordered_json::parse(Json{{"text", all}}.text());
    std::string const back = read["text"];
    CHECK(back.starts_with(std::string("\0a\1a", 4)));
    CHECK(back.find("grüße \xe4\xb8\xad \xf0\x9f\x98\x80 \xef\xbf\xbd") != std::string::npos);
    CHECK(ordered_json::parse(indented(Json{{"text", all}}.text())) == read);
}

TEST_CASE("brackets and quotes in text do not break the lines") {
    Json const json = {{"a", "{[,:\"\\]}"}, {"b", {{"c", "\\\""}}}};
    CHECK(indented(json.text()) == ordered_json::parse(json.text()).dump(2));
}

}  // namespace
