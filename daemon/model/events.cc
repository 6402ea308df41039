#include "daemon/model/events.h"

#include "daemon/model/documents.h"
#include "daemon/model/ids.h"
#include "daemon/model/json_text.h"

#include <algorithm>

namespace florin::model {
namespace {

std::string request_member(Cause const& cause) {
    if (cause.request_id.empty()) {
        return R"("request":null)";
    }
    std::string member = R"("request":{"id":)";
    append_json(member, std::string_view{cause.request_id});
    member += R"(,"idempotency_key":)";
    if (cause.idempotency_key.empty()) {
        member += "null";
    } else {
        append_json(member, std::string_view{cause.idempotency_key});
    }
    return member += '}';
}

}  // namespace

std::string event_body(NewEventBody const& parts) {
    std::string body = R"({"api_version":")";
    body.append(kApiVersion).append(R"(","created":)").append(std::to_string(parts.created));
    body.append(R"(,"data":{"object":)").append(parts.object);
    if (!parts.previous_attributes.empty()) {
        body.append(R"(,"previous_attributes":)").append(parts.previous_attributes);
    }
    return body.append("},").append(request_member(parts.cause)) += '}';
}

std::string event_body(Cause const& cause) {
    std::string body = R"({"api_version":")";
    return body.append(kApiVersion).append("\",").append(request_member(cause)) += '}';
}

std::string event_body_about(
    ledger::Event const& event, std::string_view body, std::string_view object
) {
    std::string whole = R"({"created":)";
    whole += std::to_string(event_time_ns(event) / 1'000'000'000);
    whole.append(R"(,"data":{"object":)").append(object).append("},");
    return whole.append(body.substr(std::min<std::size_t>(body.size(), 1)));
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
    std::string json = R"({"id":)";
    append_json(json, std::string_view{event.id});
    json += R"(,"object":"event",)";
    json += body.substr(1, body.size() - 2);
    json += R"(,"livemode":)";
    json += mode_of(event.owner) == Mode::live ? "true" : "false";
    json += R"(,"pending_webhooks":)" + std::to_string(pending_webhooks);
    json += R"(,"type":)";
    append_json(json, std::string_view{event.type});
    return json += '}';
}

}  // namespace florin::model
