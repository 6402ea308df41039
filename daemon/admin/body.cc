#include "daemon/admin/body.h"

#include "daemon/api/redact.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace florin::admin {
namespace {

using nlohmann::json;

// Reading does not recurse, writing does: what is nested without end must not end the program.
constexpr std::size_t kDepthMax = 32;
constexpr std::string_view kHoldsSecret = "holds what looks like a card number or a secret key";

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

// Control characters have no place in names and reasons, and could forge lines where these are
// shown. That it is UTF-8 has been seen in parsing.
bool is_text(json const& value, std::size_t length_max = Body::kTextMax) {
    if (!value.is_string()) {
        return false;
    }
    auto const& text = value.get_ref<std::string const&>();
    return !text.empty() && text.size() <= length_max && std::ranges::none_of(text, [](char c) {
        return static_cast<unsigned char>(c) < 0x20U || c == 0x7f;
    });
}

}  // namespace

std::string json_text(nlohmann::ordered_json const& value) {
    return value.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<json> parse_object(std::string_view text) {
    if (is_too_deep(text)) {
        return fail(
            Errc::malformed, "the body is nested more than " + std::to_string(kDepthMax) + " deep"
        );
    }
    json object = json::parse(text, nullptr, false);
    if (object.is_discarded() || !object.is_object()) {
        return fail(Errc::malformed, "the body is not a JSON object");
    }
    return object;
}

Result<Body> Body::parse(std::string_view text) {
    FLORIN_TRY(json object, parse_object(text.empty() ? "{}" : text));
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

void Body::complain(std::string_view name, std::string_view what) {
    if (!error_) {
        error_ = Error{Errc::malformed, std::string{name} + ": " + std::string{what}};
    }
}

void Body::refuse(std::string_view name, std::string_view expected) {
    complain(name, "expected " + std::string{expected});
}

std::optional<std::string> Body::take_text(std::string_view name, std::size_t length_max) {
    json const* const value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!is_text(*value, length_max)) {
        refuse(
            name,
            "a text of 1 to " + std::to_string(length_max) + " bytes without control characters"
        );
        return std::nullopt;
    }
    auto const& text = value->get_ref<std::string const&>();
    if (api::holds_secret(text)) {
        complain(name, kHoldsSecret);
        return std::nullopt;
    }
    return text;
}

std::string Body::require_text(std::string_view name, std::size_t length_max) {
    auto text = take_text(name, length_max);
    if (!text) {
        complain(name, "is missing");  // unless it is wrong, which has been noted
    }
    return std::move(text).value_or("");
}

std::optional<bool> Body::take_boolean(std::string_view name) {
    json const* const value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->is_boolean()) {
        refuse(name, "true or false");
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
    // What does not fit 64 bits is a floating-point number or unsigned in this library.
    bool const fits = value->is_number_integer() &&
                      (!value->is_number_unsigned() ||
                       value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
    if (!fits || value->get<std::int64_t>() < least || value->get<std::int64_t>() > most) {
        refuse(name, "an integer from " + std::to_string(least) + " to " + std::to_string(most));
        return std::nullopt;
    }
    return value->get<std::int64_t>();
}

std::optional<std::map<std::string, std::string>> Body::take_texts(std::string_view name) {
    json const* const value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    std::map<std::string, std::string> found;
    bool is_right = value->is_object() && value->size() <= kItemsMax;
    if (is_right) {
        for (auto const& [key, item] : value->items()) {
            if (!is_text(key) || !is_text(item)) {
                is_right = false;
                break;
            }
            found.emplace(key, item.get<std::string>());
        }
    }
    if (!is_right) {
        refuse(name, "an object of at most " + std::to_string(kItemsMax) + " texts");
        return std::nullopt;
    }
    bool const has_secret = std::ranges::any_of(found, [](auto const& item) {
        return api::holds_secret(item.first) || api::holds_secret(item.second);
    });
    if (has_secret) {
        complain(name, kHoldsSecret);
        return std::nullopt;
    }
    return found;
}

std::optional<std::vector<std::string>> Body::take_list(std::string_view name) {
    json const* const value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    auto const is_item = [](json const& item) { return is_text(item); };
    bool const is_right = value->is_array() && !value->empty() && value->size() <= kItemsMax &&
                          std::ranges::all_of(*value, is_item);
    if (!is_right) {
        refuse(name, "a list of 1 to " + std::to_string(kItemsMax) + " texts");
        return std::nullopt;
    }
    auto found = value->get<std::vector<std::string>>();
    if (std::ranges::any_of(found, api::holds_secret)) {
        complain(name, kHoldsSecret);
        return std::nullopt;
    }
    return found;
}

Result<void> Body::finish() {
    for (auto const& [name, value] : object_->items()) {
        if (!asked_.contains(name)) {
            // Redacted first: what is cut off may be what shows that it is a card number.
            complain(api::redacted(name).substr(0, 100), "is not a member of this request");
        }
    }
    return error_ ? Result<void>{std::unexpected{*error_}} : Result<void>{};
}

}  // namespace florin::admin
