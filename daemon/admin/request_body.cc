#include "daemon/admin/request_body.h"

#include "daemon/api/redact.h"
#include "daemon/http/form.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace florin::admin {
namespace {

using nlohmann::json;

constexpr std::size_t kTextMax = 200;
constexpr std::size_t kItemsMax = 100;
constexpr char const* kTextForm =
    "a text of 1 to 200 bytes without control characters, card numbers and keys";

bool is_text(json const& value) {
    if (!value.is_string()) {
        return false;
    }
    auto const& text = value.get_ref<std::string const&>();
    return !text.empty() && text.size() <= kTextMax && http::is_utf8(text) &&
           !api::holds_secret(text) && std::ranges::none_of(text, [](char c) {
               return static_cast<unsigned char>(c) < 0x20U || c == 0x7f;
           });
}

}  // namespace

struct RequestBody::Members {
    json object = json::object();
    std::string wrong;

    // The member, which is asked for only once.
    std::optional<json> take(std::string const& name) {
        auto const found = object.find(name);
        if (found == object.end()) {
            return std::nullopt;
        }
        json value = std::move(*found);
        object.erase(found);
        return value;
    }
};

RequestBody::RequestBody(std::unique_ptr<Members> members) : members_{std::move(members)} {}
RequestBody::RequestBody(RequestBody&& other) noexcept = default;
RequestBody& RequestBody::operator=(RequestBody&& other) noexcept = default;
RequestBody::~RequestBody() = default;

Result<RequestBody> RequestBody::parse(std::string_view text) {
    auto members = std::make_unique<Members>();
    if (!text.empty()) {
        members->object = json::parse(text, nullptr, false);
    }
    if (members->object.is_discarded() || !members->object.is_object()) {
        return fail(Errc::malformed, "the body is not a JSON object");
    }
    return RequestBody{std::move(members)};
}

std::optional<std::string> RequestBody::text(std::string const& name) {
    auto const value = members_->take(name);
    if (!value) {
        return std::nullopt;
    }
    if (!is_text(*value)) {
        refuse(name, kTextForm);
        return std::nullopt;
    }
    return value->get<std::string>();
}

std::optional<std::int64_t> RequestBody::integer(
    std::string const& name, std::int64_t least, std::int64_t most
) {
    auto const value = members_->take(name);
    if (!value) {
        return std::nullopt;
    }
    // What does not fit 64 bits is a floating-point number or unsigned in this library.
    bool const is_small = value->is_number_integer() &&
                          (!value->is_number_unsigned() ||
                           value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
    if (!is_small || value->get<std::int64_t>() < least || value->get<std::int64_t>() > most) {
        refuse(name, "an integer from " + std::to_string(least) + " to " + std::to_string(most));
        return std::nullopt;
    }
    return value->get<std::int64_t>();
}

std::optional<std::map<std::string, std::string>> RequestBody::texts(std::string const& name) {
    auto const value = members_->take(name);
    if (!value) {
        return std::nullopt;
    }
    std::map<std::string, std::string> found;
    bool const is_right =
        value->is_object() && value->size() <= kItemsMax &&
        std::ranges::all_of(value->items(), [&](auto const& item) {
            bool const fits = is_text(item.value()) && is_text(json(item.key()));
            if (fits) {
                found.emplace(item.key(), item.value().template get<std::string>());
            }
            return fits;
        });
    if (!is_right) {
        refuse(name, "an object of at most 100 texts");
        return std::nullopt;
    }
    return found;
}

std::optional<std::vector<std::string>> RequestBody::list(std::string const& name) {
    auto const value = members_->take(name);
    if (!value) {
        return std::nullopt;
    }
    bool const is_right = value->is_array() && !value->empty() && value->size() <= kItemsMax &&
                          std::ranges::all_of(*value, is_text);
    if (!is_right) {
        refuse(name, "a list of 1 to 100 texts");
        return std::nullopt;
    }
    return value->get<std::vector<std::string>>();
}

void RequestBody::refuse(std::string const& name, std::string const& right) {
    if (members_->wrong.empty()) {
        members_->wrong = name + ": expected " + right;
    }
}

Result<void> RequestBody::finish() const {
    if (!members_->wrong.empty()) {
        return fail(Errc::malformed, members_->wrong);
    }
    if (!members_->object.empty()) {
        std::string const name = members_->object.begin().key().substr(0, 100);
        return fail(Errc::malformed, api::redacted(name) + ": is not a member of this request");
    }
    return {};
}

}  // namespace florin::admin
