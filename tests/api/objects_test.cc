#include "daemon/api/objects.h"

#include "daemon/model/ids.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace florin;
using namespace florin::api;

TEST_CASE("previous attributes are what differed, and inside hashes only that") {
    CHECK(previous_attributes(R"({"a":1})", R"({"a":1})") == "{}");
    CHECK(previous_attributes(R"({"a":1,"b":2})", R"({"a":3,"b":2})") == R"({"a":1})");
    CHECK(
        previous_attributes(
            R"({"metadata":{"x":"1","y":"2"},"n":null})", R"({"metadata":{"y":"3","z":"4"},"n":{}})"
        ) == R"({"metadata":{"y":"2","z":null,"x":"1"},"n":null})"
    );
    CHECK(previous_attributes(R"({"l":[1,2]})", R"({"l":[1]})") == R"({"l":[1,2]})");
    CHECK(
        previous_attributes(R"({"a":{"b":{"c":1}}})", R"({"a":{"b":null}})") ==
        R"({"a":{"b":{"c":1}}})"
    );
}

TEST_CASE("previous attributes are right for names and texts that hold JSON's own marks") {
    using Map = std::map<std::string, std::string>;
    Map const odd{{R"(a"},{\)", R"(}],"x":"\)"}, {"gone", "{"}, {"same", R"(\",")"}};
    Map changed = odd;
    changed[R"(a"},{\)"] = "new";
    changed.erase("gone");
    changed["ü\n"] = "";
    Json const before = {{"id", "cus_1"}, {"metadata", Json(odd)}, {"list", Json::array()}};
    Json const after = {{"id", "cus_1"}, {"metadata", Json(changed)}, {"list", Json::array()}};
    // Read back by a library that others wrote.
    auto const previous = nlohmann::json::parse(previous_attributes(before.text(), after.text()));
    nlohmann::json const expected = {
        {"metadata", {{R"(a"},{\)", R"(}],"x":"\)"}, {"gone", "{"}, {"ü\n", nullptr}}}
    };
    CHECK(previous == expected);
    CHECK(previous_attributes(before.text(), before.text()) == "{}");
}

TEST_CASE("the bound of a second lies between the ids of before and after") {
    std::string const at = model::id_bound("pi", 1'700'000'000);
    CHECK(at.size() == 14);
    CHECK(at.starts_with("pi_"));
    CHECK(model::id_bound("pi", 1'699'999'999) < at);
    CHECK(at < model::id_bound("pi", 1'700'000'001));
    CHECK(model::id_bound("pi", -5) == "pi_00000000000");
    CHECK(at < model::id_bound("pi", INT64_MAX));
}
