// Events as merchants read them: what is stored when something happened, and the envelope around it
// when it is shown or sent.
//
//   stored body := {"api_version", "created", "data": {"object", "previous_attributes"?},
//   "request"} or          := {"api_version", "request"}, about a document of the same record shown
//   := the members of the first, and id, object, livemode, pending_webhooks, type
//
// A snapshot in a stored body is shown as that text: nothing renders it again. What is about a
// document shows that document as the record wrote it; it is rendered whenever it is shown.
// Thread rule: pure functions.
#pragma once

#include "ledger/base/result.h"
#include "ledger/documents.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace florin::model {

// The one shape in which objects are rendered; the default of every request and event.
inline constexpr char const* kApiVersion = "2026-10-28.endive";

// How long events are shown.
inline constexpr std::int64_t kEventDays = 30;
inline constexpr std::uint64_t kEventKeptNs =
    static_cast<std::uint64_t>(kEventDays) * 86'400 * 1'000'000'000;

// The request that something happened because of; empty: nobody asked.
struct Cause {
    std::string request_id;
    std::string idempotency_key;
};

struct NewEventBody {
    std::int64_t created = 0;         // seconds since 1970 UTC
    std::string object;               // JSON, as rendered at this moment
    std::string previous_attributes;  // JSON; empty: none
    Cause cause;
};
std::string event_body(NewEventBody const& parts);
// Of an event about a document: the same for all of one request.
std::string event_body(Cause const& cause);
// The first form of the second. `body`: as stored; `object`: JSON.
std::string event_body_about(
    ledger::Event const& event, std::string_view body, std::string_view object
);

// When an event was recorded, from its id; 0 for an id that IdMaker did not make.
std::uint64_t event_time_ns(ledger::Event const& event);

// The event as JSON text. `body`: as stored. Errc::corrupt where it is not an object.
Result<std::string> event_json(
    ledger::Event const& event, std::string_view body, std::int64_t pending_webhooks
);

}  // namespace florin::model
