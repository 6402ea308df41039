#include "daemon/model/events.h"

#include "daemon/model/documents.h"
#include "daemon/model/ids.h"

#include <nlohmann/json.hpp>

namespace florin::model {
namespace {

// An id from a merchant may be any text.
std::string quoted(std::string const& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
std::string quoted_or_null(std::string const& text) {
    return text.empty() ? "null" : quoted(text);
}

}  // namespace

std::string event_body(NewEventBody const& parts) {
    std::string body = R"({"api_version":)" + quoted(kApiVersion) + R"(,"created":)" +
                       std::to_string(parts.created) + R"(,"data":{"object":)" + parts.object;
    if (!parts.previous_attributes.empty()) {
        body += R"(,"previous_attributes":)" + parts.previous_attributes;
    }
    body += R"(},"request":)";
    if (parts.cause.request_id.empty()) {
        return body + "null}";
    }
    return body + R"({"id":)" + quoted(parts.cause.request_id) + R"(,"idempotency_key":)" +
           quoted_or_null(parts.cause.idempotency_key) + "}}";
}

std::uint64_t event_time_ns(ledger::Event const& event) {
    return id_time_ns(event.id).value_or(0);
}

Result<std::string> event_json(
    ledger::Event const& event, std::string_view body, std::int64_t pending_webhooks
) {
    if (body.size() < 3 || body.front() != '{' || body.back() != '}') {
        return fail(Errc::corrupt, "event " + event.id + ": its body is not an object");
    }
    std::string json = R"({"id":)" + quoted(event.id) + R"(,"object":"event",)";
    json += body.substr(1, body.size() - 2);
    json += R"(,"livemode":)";
    json += mode_of(event.owner) == Mode::live ? "true" : "false";
    json += R"(,"pending_webhooks":)" + std::to_string(pending_webhooks);
    json += R"(,"type":)" + quoted(event.type) + "}";
    return json;
}

}  // namespace florin::model
