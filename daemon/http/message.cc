#include "daemon/http/message.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace florin::http {

std::string_view method_name(Method method) {
    switch (method) {
        case Method::get: return "GET";
        case Method::post: return "POST";
        case Method::delete_: return "DELETE";
        case Method::other: break;
    }
    return "OTHER";
}

std::optional<std::string_view> Request::header(std::string_view name) const {
    auto const same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) ==
               std::tolower(static_cast<unsigned char>(b));
    };
    for (auto const& [key, value] : headers) {
        if (std::ranges::equal(key, name, same)) {
            return value;
        }
    }
    return std::nullopt;
}

std::string transport_error_json(std::string_view type, std::string_view message) {
    nlohmann::ordered_json const error = {{"error", {{"type", type}, {"message", message}}}};
    return error.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace florin::http
