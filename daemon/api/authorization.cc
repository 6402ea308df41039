#include "daemon/api/authorization.h"

#include "crypto/base64.h"

#include <algorithm>
#include <string>

namespace florin::api {

std::optional<ApiKey> key_from_header(std::string_view authorization) {
    constexpr std::size_t kBase64Max = 1024;
    // RFC 9110 section 11.1: schemes are compared in any case.
    auto const is_scheme = [&](std::string_view scheme) {
        return authorization.size() > scheme.size() && authorization[scheme.size()] == ' ' &&
               std::ranges::equal(authorization.substr(0, scheme.size()), scheme, {}, [](char c) {
                   return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
               });
    };
    if (is_scheme("bearer")) {
        return ApiKey{authorization.substr(7)};
    }
    if (is_scheme("basic") && authorization.size() - 6 <= kBase64Max) {
        // RFC 7617: user and password; ours is the user, with or without the colon.
        if (auto text = crypto::from_base64(authorization.substr(6))) {
            text->resize(std::min(text->find(':'), text->size()));
            return ApiKey{std::move(*text)};
        }
    }
    return std::nullopt;
}

}  // namespace florin::api
