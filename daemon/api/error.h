// What the API answers when it says no: API errors in Stripe's wire convention.
// Thread rule: values.
#pragma once

#include "daemon/http/message.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace florin::api {

// The whole enumeration of `error.type`.
enum class ErrorType { api_error, card_error, idempotency_error, invalid_request_error };
std::string_view error_type_name(ErrorType type);

struct ApiError {
    int http_status = 400;
    ErrorType type = ErrorType::invalid_request_error;
    std::string message;
    // The message quotes nothing that was sent, so that its numbers may be shown however long.
    bool is_own_text = false;
    std::string code;
    std::string param;
    std::string decline_code;
    std::string advice_code;
    std::string network_decline_code;
    std::string charge;               // an id
    std::string payment_intent_json;  // the whole object, rendered
    std::string payment_method_json;  // the whole object, rendered
    // Headers: whether an SDK should try again by itself, and when anybody may. Not set: by status.
    std::optional<bool> should_retry;
    std::int64_t retry_after_s = 0;  // 0: not said

    // {"error":{…}}; empty members are left out.
    std::string json() const;
    http::Response response() const;
};

template <class T>
using ApiResult = std::expected<T, ApiError>;

// 400 invalid_request_error.
ApiError bad_parameter(std::string code, std::string param, std::string message);
// 404, for an id in the path; 400 with `param` for one in a parameter.
ApiError missing_resource(std::string_view kind, std::string_view id, std::string_view param = {});
ApiError internal_error(std::string_view what);

}  // namespace florin::api
