#include "daemon/admin/body.h"

#include "daemon/api/redact.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace florin::admin {
namespace {

using nlohmann::json;

// Reading does not recurse, writing does: what is nested without end must not end the program.
constexpr std::size_t kDepthMax = 32;

bool is_too_deep(std::string_view text) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > kDepthMax) {
                return true;
            }
        } else if (c == '}' || c == ']') {
            depth -= depth > 0 ? 1 : 0;
        }
    }
    return false;
}

}  // namespace

Result<json> parse_object(std::string const& body) {
    if (is_too_deep(body)) {
        return fail(
            Errc::malformed, "the body is nested more than " + std::to_string(kDepthMax) + " deep"
        );
    }
    json object = json::parse(body, nullptr, false);
    if (object.is_discarded() || !object.is_object()) {
        return fail(Errc::malformed, "the body is not a JSON object");
    }
    return object;
}

Result<Body> Body::parse(http::Request const& request) {
    FLORIN_TRY(json object, parse_object(request.body.empty() ? "{}" : request.body));
    return Body{std::move(object)};
}

Body::Body(json object) : object_{std::make_unique<json>(std::move(object))} {}
Body::Body(Body&&) noexcept = default;
Body& Body::operator=(Body&&) noexcept = default;
Body::~Body() = default;

json const* Body::find(std::string_view name) {
    asked_.emplace(name);
    auto const found = object_->find(name);
    return found == object_->end() ? nullptr : &*found;
}

void Body::refuse(std::string_view name, std::string const& what) {
    if (!error_) {
        error_ = Error{Errc::malformed, std::string{name} + ": " + what};
    }
}

std::optional<std::string> Body::take_text(std::string_view name, std::size_t length_max) {
    json const* const value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->is_string() || value->get_ref<std::string const&>().size() > length_max) {
        refuse(name, "expected a text of at most " + std::to_string(length_max) + " bytes");
        return std::nullopt;
    }
    auto const& text = value->get_ref<std::string const&>();
    if (api::holds_secret(text)) {
        refuse(name, "holds what looks like a card number or a secret key");
        return std::nullopt;
    }
    return text;
}

std::string Body::require_text(std::string_view name, std::size_t length_max) {
    auto text = take_text(name, length_max);
    if (!text || text->empty()) {
        refuse(name, "is missing");
        return {};
    }
    return *std::move(text);
}

std::optional<bool> Body::take_boolean(std::string_view name) {
    json const* const value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->is_boolean()) {
        refuse(name, "expected true or false");
        return std::nullopt;
    }
    return value->get<bool>();
}

std::optional<std::int64_t> Body::take_integer(
    std::string_view name, std::int64_t least, std::int64_t most
) {
    json const* const value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    bool const fits = value->is_number_integer() &&
                      (!value->is_number_unsigned() ||
                       value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
    if (!fits || value->get<std::int64_t>() < least || value->get<std::int64_t>() > most) {
        refuse(
            name,
            "expected an integer from " + std::to_string(least) + " to " + std::to_string(most)
        );
        return std::nullopt;
    }
    return value->get<std::int64_t>();
}

Result<void> Body::finish() {
    for (auto const& [name, value] : object_->items()) {
        if (!asked_.contains(name)) {
            refuse(api::redacted(name.substr(0, 100)), "no such member");
        }
    }
    return error_ ? Result<void>{std::unexpected{*error_}} : Result<void>{};
}

}  // namespace florin::admin
