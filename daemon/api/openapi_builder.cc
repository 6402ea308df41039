#include "daemon/api/openapi_builder.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace florin::api {
namespace {

using nlohmann::ordered_json;

// Rows by "POST /v1/refunds/:id".
using RowsByName = std::map<std::string, OpenApiRow const*>;

ordered_json reference(std::string const& name) {
    return {{"$ref", "#/components/schemas/" + name}};
}

ordered_json schema_of(ordered_json const& value) {
    if (value.is_string()) {
        return reference(value.get<std::string>());
    }
    if (value.is_object() && value.contains("list")) {
        return {
            {"type", "object"},
            {"properties",
             {{"object", {{"type", "string"}, {"const", "list"}}},
              {"data", {{"type", "array"}, {"items", schema_of(value.at("list"))}}},
              {"has_more", {{"type", "boolean"}}},
              {"url", {{"type", "string"}}}}},
            {"required", {"object", "data", "has_more", "url"}},
            {"additionalProperties", false},
        };
    }
    return value;
}

// "/v1/refunds/:id" -> "/v1/refunds/{id}", and the names in it.
std::string path_of(std::string_view pattern, std::vector<std::string>& names) {
    std::string path;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != ':') {
            path += pattern[i];
            continue;
        }
        auto const end = std::min(pattern.find('/', i), pattern.size());
        names.emplace_back(pattern.substr(i + 1, end - i - 1));
        path += "{" + names.back() + "}";
        i = end - 1;
    }
    return path;
}

bool is_nested(ordered_json const& schema) {
    auto const type = schema.value("type", ordered_json{});
    bool const may_be_object =
        type.is_array() && std::ranges::find(type, ordered_json("object")) != type.end();
    return type == "object" || type == "array" || may_be_object;
}

// Hashes and lists in the query and in forms are written a[b]=c.
ordered_json query_parameter(std::string const& name, ordered_json const& described) {
    ordered_json schema = described;
    ordered_json parameter = {
        {"name", name},
        {"in", "query"},
        {"required", described.value("required", ordered_json(false)) == true},
        {"description", described.value("description", "")},
    };
    schema.erase("description");
    if (schema.contains("required") && schema.at("required").is_boolean()) {
        schema.erase("required");
    }
    if (is_nested(schema)) {
        parameter["style"] = "deepObject";
        parameter["explode"] = true;
    }
    parameter["schema"] = std::move(schema);
    return parameter;
}

ordered_json form_body(ordered_json const& schema) {
    ordered_json encoding = ordered_json::object();
    auto const properties = schema.value("properties", ordered_json::object());
    for (auto const& [name, property] : properties.items()) {
        if (is_nested(property)) {
            encoding[name] = {{"style", "deepObject"}, {"explode", true}};
        }
    }
    ordered_json content = {{"schema", schema}};
    if (!encoding.empty()) {
        content["encoding"] = std::move(encoding);
    }
    return {
        {"required", schema.contains("required") || schema.contains("anyOf")},
        {"content", {{"application/x-www-form-urlencoded", std::move(content)}}},
    };
}

class Builder {
public:
    // Braces would make a list of it.
    explicit Builder(ordered_json common) : common_(std::move(common)) {
        for (auto const& [name, value] : common_.items()) {
            if (!name.starts_with("x-")) {
                document_[name] = value;
            }
        }
        document_["tags"] = ordered_json::array();
        document_["paths"] = ordered_json::object();
    }

    void add(ordered_json const& description, RowsByName& rows, OpenApiDocument& made) {
        std::string const tag = description.at("tag");
        document_["tags"].push_back({{"name", tag}, {"description", description.value("about", "")}}
        );
        for (auto const& [name, operation] : description.at("operations").items()) {
            auto const row = rows.find(name);
            if (row == rows.end()) {
                made.unanswered.push_back(name);
                continue;
            }
            add_operation(*row->second, tag, operation);
            rows.erase(row);
        }
        add_schemas(description.value("schemas", ordered_json::object()));
    }
    void add_schemas(ordered_json const& schemas) {
        for (auto const& [name, schema] : schemas.items()) {
            document_["components"]["schemas"][name] = schema;
        }
    }
    std::string text() const {
        std::string text = document_.dump(1);
        constexpr std::string_view kShort = "\"#/$defs/";
        for (std::size_t at = 0; (at = text.find(kShort, at)) != std::string::npos;) {
            text.replace(at, kShort.size(), "\"#/components/schemas/");
        }
        return text;
    }

private:
    // A parameter with what stands in x-parameters written out.
    ordered_json parameter(ordered_json const& described) const {
        if (described.is_string()) {
            return parameter(common_.at("x-parameters").at(described.get<std::string>()));
        }
        ordered_json whole = described;
        if (whole.contains("properties")) {
            for (ordered_json& member : whole.at("properties")) {
                member = parameter(member);
            }
        }
        return whole;
    }
    void add_operation(OpenApiRow const& row, std::string const& tag, ordered_json const& short_) {
        std::vector<std::string> names;
        std::string const path = path_of(row.path, names);
        ordered_json operation = {
            {"operationId", short_.at("id")},
            {"summary", short_.at("summary")},
            {"tags", ordered_json::array({tag})},
        };
        if (short_.contains("description")) {
            operation["description"] = short_.at("description");
        }
        if (!row.right.empty()) {
            operation["x-florin-right"] = row.right;
        }
        ordered_json parameters = ordered_json::array();
        for (std::string const& name : names) {
            ordered_json in_path = {{"name", name}, {"in", "path"}, {"required", true}};
            in_path.update(common_.at("x-path").at(name));
            parameters.push_back(std::move(in_path));
        }
        bool const has_query = short_.contains("query");
        if (has_query) {
            for (auto const& [name, described] : short_.at("query").items()) {
                parameters.push_back(query_parameter(name, parameter(described)));
            }
        }
        bool const is_post = row.method == "POST";
        if (is_post) {
            for (auto const& each : common_.value("x-post", ordered_json::array())) {
                parameters.push_back(each);
            }
        }
        if (!parameters.empty()) {
            operation["parameters"] = std::move(parameters);
        }
        if (short_.contains("body")) {
            operation["requestBody"] = {
                {"required", true},
                {"content", {{"application/json", {{"schema", schema_of(short_.at("body"))}}}}},
            };
        } else if (short_.contains("form")) {
            operation["requestBody"] = form_body(parameter(short_.at("form")));
        }
        operation["responses"] = responses(short_, !names.empty(), is_post, has_query);
        if (short_.value("open", false)) {
            operation["security"] = ordered_json::array();
        }
        std::string method = row.method;
        std::ranges::transform(method, method.begin(), [](char c) {
            return static_cast<char>(c - 'A' + 'a');
        });
        document_["paths"][path][method] = std::move(operation);
    }

    ordered_json responses(ordered_json const& short_, bool has_path, bool is_post, bool has_query)
        const {
        std::set<std::string> statuses;
        auto const take = [&](ordered_json const& list) {
            for (auto const& status : list) {
                statuses.insert(status.get<std::string>());
            }
        };
        auto const& usual = common_.at("x-errors");
        take(usual.at("every"));
        if (!short_.value("open", false)) {
            take(usual.at("key"));
        }
        if (has_path) {
            take(usual.at("path"));
        }
        if (is_post) {
            take(usual.at("post"));
        }
        if (is_post || has_query) {
            take(usual.at("input"));
        }
        take(short_.value("errors", ordered_json::array()));
        auto const with = [](char const* description, ordered_json const& schema) {
            return ordered_json{
                {"description", description},
                {"content", {{"application/json", {{"schema", schema_of(schema)}}}}},
            };
        };
        ordered_json responses = {{"200", with("Done.", short_.at("answer"))}};
        for (std::string const& status : statuses) {
            responses[status] = {{"$ref", "#/components/responses/E" + status}};
        }
        auto const also = short_.value("also", ordered_json::object());
        for (auto const& [status, schema] : also.items()) {
            responses[status] = with("See the description.", schema);
        }
        return responses;
    }

    ordered_json common_;
    ordered_json document_;
};

}  // namespace

Result<OpenApiDocument> make_openapi(
    std::span<OpenApiDescription const> descriptions, std::span<OpenApiRow const> rows
) {
    OpenApiDocument made;
    RowsByName by_name;
    for (OpenApiRow const& row : rows) {
        by_name.emplace(row.method + " " + row.path, &row);
    }
    std::string at = "common";
    try {
        auto const common = std::ranges::find(descriptions, at, &OpenApiDescription::name);
        if (common == descriptions.end()) {
            return fail(Errc::malformed, "there is no description named common");
        }
        Builder builder{ordered_json::parse(common->text)};
        for (OpenApiDescription const& each : descriptions) {
            at = each.name;
            if (at == "components") {
                builder.add_schemas(ordered_json::parse(each.text).at("$defs"));
            } else if (at != "common") {
                builder.add(ordered_json::parse(each.text), by_name, made);
            }
        }
        made.text = builder.text();
    } catch (ordered_json::exception const& error) {
        return fail(Errc::malformed, "description " + at + ": " + error.what());
    }
    for (auto const& [name, row] : by_name) {
        made.undescribed.push_back(name);
    }
    return made;
}

}  // namespace florin::api
