#include "daemon/model/webhooks.h"

#include "daemon/model/json_document.h"

#include <fmt/format.h>

namespace florin::model {

FLORIN_FIELDS(
    WebhookEndpoint,
    id,
    url,
    description,
    api_version,
    enabled_events,
    metadata,
    enabled,
    secret,
    old_secret,
    old_secret_until,
    queue,
    created
)
FLORIN_FIELDS(WebhookEndpoints, made)
FLORIN_FIELDS(WebhookQueue, endpoint, dropped, start, sequence, index, waiting)
FLORIN_FIELDS(WebhookDelivery, state, attempts, due_ms)
FLORIN_FIELDS(WebhookDue, event)
FLORIN_FIELDS(WebhookGap, sequence, index, until)

FLORIN_DOCUMENT(WebhookEndpoint)
FLORIN_DOCUMENT(WebhookEndpoints)
FLORIN_DOCUMENT(WebhookQueue)
FLORIN_DOCUMENT(WebhookDelivery)
FLORIN_DOCUMENT(WebhookDue)
FLORIN_DOCUMENT(WebhookGap)

std::string webhook_delivery_id(std::string_view queue, std::string_view event) {
    return fmt::format("{}/{}", queue, event);
}

std::string webhook_due_id(std::string_view queue, std::uint64_t due_ms, std::string_view event) {
    return fmt::format("{}/{:015}/{}", queue, due_ms, event);
}

std::string webhook_gap_id(std::string_view queue, Place first) {
    return fmt::format("{}/{:020}/{:010}", queue, first.sequence, first.index);
}

}  // namespace florin::model
