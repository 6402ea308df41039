#include "daemon/admin/openapi.h"

#include "daemon/api/openapi.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <set>
#include <sstream>

using namespace florin;
using nlohmann::json;

namespace {

// Every reference there is, wherever it stands.
void collect_references(json const& value, std::set<std::string>& into) {
    if (value.is_object() && value.contains("$ref")) {
        into.insert(value.at("$ref").get<std::string>());
    }
    if (value.is_structured()) {
        for (json const& each : value) {
            collect_references(each, into);
        }
    }
}

void check_document(Result<api::OpenApiDocument> const& made, std::vector<api::OpenApiRow> rows) {
    REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().context));
    // A new row needs its description in openapi/, and a description its row.
    CHECK(made->undescribed == std::vector<std::string>{});
    CHECK(made->unanswered == std::vector<std::string>{});
    json const document = json::parse(made->text);
    CHECK(document.at("openapi") == "3.1.0");
    std::size_t operations = 0;
    std::set<std::string> ids;
    for (auto const& [path, methods] : document.at("paths").items()) {
        CAPTURE(path);
        CHECK(path.find(':') == std::string::npos);
        for (auto const& [method, operation] : methods.items()) {
            ++operations;
            CHECK(ids.insert(operation.at("operationId")).second);
            CHECK_FALSE(operation.at("summary").get<std::string>().empty());
            CHECK(operation.at("responses").contains("200"));
            // A path's names are its parameters.
            std::set<std::string> named;
            for (json const& each : operation.value("parameters", json::array())) {
                if (each.at("in") == "path") {
                    named.insert("{" + each.at("name").get<std::string>() + "}");
                }
            }
            for (std::string const& name : named) {
                CHECK(path.find(name) != std::string::npos);
            }
            CHECK(std::ranges::count(path, '{') == static_cast<std::ptrdiff_t>(named.size()));
        }
    }
    CHECK(operations == rows.size());
    std::set<std::string> references;
    collect_references(document, references);
    for (std::string const& reference : references) {
        CAPTURE(reference);
        REQUIRE(reference.starts_with("#/"));
        // Names of schemas have dots, never slashes or tildes.
        CHECK(document.contains(json::json_pointer{reference.substr(1)}));
    }
}

json read(std::string const& file) {
    std::ifstream in{FLORIN_SOURCE_DIR "/" + file};
    return json::parse(in);
}

}  // namespace

TEST_CASE("the operators' document has the operations of the route table, and these alone") {
    check_document(admin::admin_openapi(), admin::openapi_rows());
}

TEST_CASE("the merchants' document has the operations of the route table, and these alone") {
    check_document(api::merchant_openapi(), api::merchant_rows());
}

TEST_CASE("the document's objects are those that the wire tests hold answers against") {
    json const ours = read("daemon/api/openapi/components.json");
    json const theirs = read("tests/e2e/schemas/components.json");
    // Where this fails: cp tests/e2e/schemas/components.json daemon/api/openapi/components.json
    CHECK(ours.at("$defs") == theirs.at("$defs"));
}

TEST_CASE("parameters that are the same everywhere are written once, and out") {
    std::vector<api::OpenApiDescription> const descriptions{
        {"common",
         R"({"openapi":"3.1.0",
             "x-errors":{"every":[],"key":[],"path":[],"post":[],"input":[]},
             "x-parameters":{
                 "name":{"type":"string","description":"How it is called"},
                 "holder":{"type":"object","properties":{"first":"name"}}}})"},
        {"things",
         R"({"tag":"things","operations":{
             "GET /v1/things":{"id":"list","summary":"All","query":{"name":"name"},"answer":{}},
             "POST /v1/things":{"id":"make","summary":"One","answer":{},"form":{
                 "type":"object","properties":{"by":"holder","size":{"type":"integer"}}}}}})"},
    };
    std::vector<api::OpenApiRow> const rows{
        {.method = "GET", .path = "/v1/things", .right = ""},
        {.method = "POST", .path = "/v1/things", .right = ""},
    };
    auto const made = api::make_openapi(descriptions, rows);
    REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().context));
    json const path = json::parse(made->text).at("paths").at("/v1/things");
    json const& query = path.at("get").at("parameters").at(0);
    CHECK(query.at("name") == "name");
    CHECK(query.at("description") == "How it is called");
    CHECK(query.at("schema") == json{{"type", "string"}});
    json const& content =
        path.at("post").at("requestBody").at("content").at("application/x-www-form-urlencoded");
    json const& members = content.at("schema").at("properties");
    CHECK(members.at("by").at("properties").at("first").at("type") == "string");
    CHECK(members.at("size").at("type") == "integer");
    CHECK(content.at("encoding").at("by").at("style") == "deepObject");
    std::vector<api::OpenApiDescription> const unknown{
        descriptions[0],
        {"odd",
         R"({"tag":"odd","operations":{"GET /v1/things":{
             "id":"list","summary":"All","query":{"x":"nobody"},"answer":{}}}})"},
    };
    auto const refused = api::make_openapi(unknown, rows);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().context.starts_with("description odd: "));
}

TEST_CASE("rows without description and descriptions without row are told") {
    std::vector<api::OpenApiDescription> const descriptions{
        {"common",
         R"({"openapi":"3.1.0","x-path":{"id":{}},
             "x-errors":{"every":[],"key":["401"],"path":["404"],"post":[],"input":[]}})"},
        {"things",
         R"({"tag":"things","operations":{
             "GET /v1/things/:id":{"id":"getThing","summary":"One","answer":"thing"},
             "GET /v1/others":{"id":"listOthers","summary":"All","answer":{"list":"other"}}},
             "schemas":{"thing":{"$ref":"#/$defs/other"},"other":{}}})"},
    };
    std::vector<api::OpenApiRow> const rows{
        {.method = "GET", .path = "/v1/things/:id", .right = "read things"},
        {.method = "POST", .path = "/v1/things", .right = ""},
    };
    auto const made = api::make_openapi(descriptions, rows);
    REQUIRE(made.has_value());
    CHECK(made->undescribed == std::vector<std::string>{"POST /v1/things"});
    CHECK(made->unanswered == std::vector<std::string>{"GET /v1/others"});
    json const document = json::parse(made->text);
    json const& operation = document.at("paths").at("/v1/things/{id}").at("get");
    CHECK(operation.at("x-florin-right") == "read things");
    CHECK(operation.at("responses").contains("404"));
    CHECK(
        document.at("components").at("schemas").at("thing").at("$ref") ==
        "#/components/schemas/other"
    );
    CHECK_FALSE(api::make_openapi({}, rows).has_value());
    std::vector<api::OpenApiDescription> const broken{descriptions[0], {"odd", "{"}};
    auto const refused = api::make_openapi(broken, rows);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().context.starts_with("description odd: "));
}
