#include "daemon/api/error.h"

#include "daemon/api/json.h"
#include "daemon/api/redact.h"
#include "daemon/log/log.h"

namespace florin::api {

std::string_view error_type_name(ErrorType type) {
    switch (type) {
        case ErrorType::api_error: return "api_error";
        case ErrorType::card_error: return "card_error";
        case ErrorType::idempotency_error: return "idempotency_error";
        case ErrorType::invalid_request_error: return "invalid_request_error";
    }
    return "api_error";
}

std::string ApiError::json() const {
    Json error = Json::object();
    auto const add = [&](char const* name, std::string const& value) {
        if (!value.empty()) {
            error.add(name, value);
        }
    };
    auto const add_object = [&](char const* name, std::string const& text) {
        if (!text.empty()) {
            error.add(name, Json::raw(text));
        }
    };
    add("advice_code", advice_code);
    add("charge", charge);
    add("code", code);
    add("decline_code", decline_code);
    // What came from outside is shown back in some messages: never a card number or a key of it.
    error.add("message", is_own_text ? message : redacted(message));
    add("network_decline_code", network_decline_code);
    add("param", redacted(param));
    add_object("payment_intent", payment_intent_json);
    add_object("payment_method", payment_method_json);
    error.add("type", error_type_name(type));
    Json body = {{"error", error}};
    return std::move(body).text();
}

http::Response ApiError::response() const {
    http::Response response;
    response.status = http_status;
    response.body = indented(json());
    if (should_retry) {
        response.headers.emplace_back("Stripe-Should-Retry", *should_retry ? "true" : "false");
    }
    if (retry_after_s > 0) {
        response.headers.emplace_back("Retry-After", std::to_string(retry_after_s));
    }
    return response;
}

ApiError bad_parameter(std::string code, std::string param, std::string message) {
    ApiError error;
    error.code = std::move(code);
    error.param = std::move(param);
    error.message = std::move(message);
    return error;
}

ApiError missing_resource(std::string_view kind, std::string_view id, std::string_view param) {
    ApiError error;
    error.http_status = param.empty() ? 404 : 400;
    error.code = "resource_missing";
    error.param = param.empty() ? "id" : param;
    error.message = "No such " + std::string{kind} + ": '" + shown(id) + "'";
    return error;
}

ApiError internal_error(std::string_view what) {
    log::error("api.internal_error", {{"what", what}});
    ApiError error;
    error.http_status = 500;
    error.type = ErrorType::api_error;
    error.message = "An internal error has been logged.";
    return error;
}

}  // namespace florin::api
