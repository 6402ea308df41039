// The documents of webhooks: endpoints, and what each has been told so far.
//
// A queue is a place in the journal: every event of its owner before it was delivered, is not
// wanted, or has a document that says what became of it. So a queue takes as much room as there are
// failures, however many events wait. An endpoint that is disabled loses its queue and gets a new
// one when it is enabled.
// Times are seconds since 1970 UTC unless a name says otherwise. Thread rule: values.
#pragma once

#include "daemon/model/documents.h"

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace florin::model {

struct WebhookEndpoint {
    static constexpr Kind kKind = Kind::webhook_endpoint;
    std::string id, url, description, api_version;
    std::vector<std::string> enabled_events;  // names, or "*"
    Metadata metadata;
    bool enabled = true;
    std::string secret;                 // sealed (webhooks/secrets.h)
    std::string old_secret;             // sealed; signs too until old_secret_until
    std::int64_t old_secret_until = 0;  // 0: there is none
    std::string queue;                  // empty while disabled
    std::int64_t created = 0;
};

// One for each owner, id "made": every new endpoint changes it, so that of two at the same time one
// is decided after the other, and an owner has no more of them than allowed.
struct WebhookEndpoints {
    static constexpr Kind kKind = Kind::webhook_endpoints;
    std::int64_t made = 0;  // since the first; those that are gone are among them
};

// Where an event is in the journal.
struct Place {
    std::uint64_t sequence = 0;
    std::uint32_t index = 0;
    friend auto operator<=>(Place const&, Place const&) = default;
    friend bool operator==(Place const&, Place const&) = default;
};

struct WebhookQueue {
    static constexpr Kind kKind = Kind::webhook_queue;
    std::string endpoint;
    bool dropped = false;        // nobody wants it any more; what belongs to it is being removed
    std::uint64_t start = 0;     // the first record it is about; 0: the one after its own
    std::uint64_t sequence = 0;  // with `index` the place to go on from; 0: from the start
    std::uint64_t index = 0;
    std::int64_t waiting = 0;  // deliveries in state waiting
};

// An event that an endpoint did not take. Its version is `attempts`.
//   waiting   tried again at due_ms
//   given_up  not any more
struct WebhookDelivery {
    static constexpr Kind kKind = Kind::webhook_delivery;
    std::string state;
    std::int64_t attempts = 0;
    std::uint64_t due_ms = 0;  // milliseconds since 1970 UTC
};

// The place of a waiting delivery in the order of time.
struct WebhookDue {
    static constexpr Kind kKind = Kind::webhook_due;
    std::string event;
};

// Events that were too old when it was their turn, so that nobody tried: from the place in its id
// to this one, both included.
struct WebhookGap {
    static constexpr Kind kKind = Kind::webhook_gap;
    std::uint64_t sequence = 0;
    std::uint64_t index = 0;
    std::int64_t until = 0;  // when the last of them was recorded
};

std::string webhook_delivery_id(std::string_view queue, std::string_view event);
std::string webhook_due_id(std::string_view queue, std::uint64_t due_ms, std::string_view event);
std::string webhook_gap_id(std::string_view queue, Place first);

}  // namespace florin::model
