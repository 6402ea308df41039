// /v1/events: what happened, as it was recorded.
#include "daemon/model/events.h"

#include "daemon/api/list.h"
#include "daemon/api/service.h"
#include "daemon/flow/event_text.h"
#include "daemon/webhooks/pending.h"
#include "daemon/webhooks/rules.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;

constexpr std::size_t kTypesMax = 20;
constexpr std::size_t kEventScanMax = 100'000;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

// The least id of a second; later ones than clocks can say are the last.
std::string id_of_second(std::int64_t second) {
    constexpr std::int64_t kLast = 18'000'000'000;  // in nanoseconds still 64 bits
    return model::id_from(
        "evt", static_cast<std::uint64_t>(std::clamp<std::int64_t>(second, 0, kLast)) * kNsPerSecond
    );
}

// The id that every event still shown sorts after.
std::string first_kept(Call const& call) {
    std::uint64_t const now_ns = call.services.ids.now_ns();
    return model::id_from("evt", now_ns > model::kEventKeptNs ? now_ns - model::kEventKeptNs : 0);
}

// nullopt: not there, not this owner's, too old, or its payload was forgotten.
Result<std::optional<ledger::Event>> find_event(Call const& call, std::string const& id) {
    FLORIN_TRY(auto event, call.documents().event(call.owner(), id));
    if (!event || event->id < first_kept(call)) {
        return std::nullopt;
    }
    return event;
}

// nullopt: what it is made of was forgotten.
Result<std::optional<std::string>> shown_event(
    Call const& call, webhooks::PendingEndpoints const& endpoints, ledger::Event const& event
) {
    FLORIN_TRY(auto const pending, endpoints.count(event));
    return flow::event_text(call.services.ledger.ledger(), call.services.renderer, event, pending);
}

asio::awaitable<ApiResult<Done>> retrieve_event(Call& call) {
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    if (auto const none = Expansions::none(paths); !none) {
        co_return std::unexpected{none.error()};  // nothing of a snapshot is expandable
    }
    auto const event = find_event(call, call.id());
    auto const endpoints = webhooks::PendingEndpoints::load(call.documents(), call.owner());
    if (!event || !endpoints) {
        co_return std::unexpected{
            internal_error(event ? endpoints.error().context : event.error().context)
        };
    }
    if (!*event) {
        co_return std::unexpected{missing_resource("event", call.id())};
    }
    auto const json = shown_event(call, *endpoints, **event);
    if (!json) {
        co_return std::unexpected{internal_error(json.error().context)};
    }
    if (!*json) {
        co_return std::unexpected{missing_resource("event", call.id())};
    }
    co_return Done{200, **json};
}

struct EventFilter {
    std::vector<std::string> types;  // empty: all
    std::optional<bool> delivery_success;
    CreatedFilter created;

    bool matches(ledger::Event const& event) const {
        auto const created_s =
            static_cast<std::int64_t>(model::event_time_ns(event) / kNsPerSecond);
        bool const is_type =
            types.empty() || std::ranges::any_of(types, [&](std::string const& pattern) {
                return webhooks::matches(pattern, event.type);
            });
        return is_type && created.matches(created_s);
    }
};

EventFilter take_event_filter(Parameters& parameters) {
    EventFilter filter;
    filter.created = take_created(parameters);
    filter.delivery_success = parameters.take_boolean("delivery_success");
    bool const has_types = parameters.has("types");
    filter.types = parameters.take_strings("types");
    auto const type = parameters.take_string("type");
    if (type && has_types) {
        parameters.refuse(bad_parameter(
            "parameters_exclusive", "types", "Received both type and types; only one may be used."
        ));
    }
    if (filter.types.size() > kTypesMax) {
        parameters.refuse(bad_parameter(
            "", "types", "Invalid types: at most " + std::to_string(kTypesMax) + " may be given."
        ));
    }
    if (type) {
        filter.types.push_back(*type);
    }
    return filter;
}

struct Found {
    std::string json;  // of the list's data, joined by commas
    bool has_more = false;
    bool is_cut = false;  // too many were looked at, and none was found
};

// Newest first, or in the order of time towards `ending_before`.
Result<Found> find_page(
    Call const& call,
    webhooks::PendingEndpoints const& endpoints,
    Page const& page,
    EventFilter const& filter
) {
    bool const backwards = !page.ending_before.empty();
    ledger::DocumentReader::EventList list{
        .owner = call.owner(),
        .after = backwards ? page.ending_before : page.starting_after,
        .least = first_kept(call),
        .newest_first = !backwards,
        .limit = page.limit + 1,
    };
    if (filter.created.least) {
        list.least = std::max(list.least, id_of_second(*filter.created.least));
    }
    if (filter.created.most && !backwards && list.after.empty()) {
        list.after = id_of_second(*filter.created.most + 1);
    }
    std::vector<std::string> found;
    Found answer;
    std::size_t scanned = 0;
    bool at_end = false;
    while (!at_end && !answer.has_more && scanned < kEventScanMax) {
        FLORIN_TRY(auto const events, call.documents().list_events(list));
        at_end = events.size() < list.limit;
        for (ledger::Event const& event : events) {
            ++scanned;
            list.after = event.id;
            if (!filter.matches(event)) {
                continue;
            }
            if (filter.delivery_success) {
                FLORIN_TRY(auto const pending, endpoints.count(event));
                if ((pending == 0) != *filter.delivery_success) {
                    continue;
                }
            }
            FLORIN_TRY(auto json, shown_event(call, endpoints, event));
            if (!json) {
                continue;
            }
            if (found.size() == page.limit) {
                answer.has_more = true;
                break;
            }
            found.push_back(std::move(*json));
        }
    }
    answer.has_more = answer.has_more || !at_end;
    answer.is_cut = !at_end && found.empty();
    if (backwards) {
        std::ranges::reverse(found);
    }
    for (std::string const& json : found) {
        answer.json += (answer.json.empty() ? "" : ",") + json;
    }
    return answer;
}

asio::awaitable<ApiResult<Done>> list_events(Call& call) {
    Page const page = take_page(call.parameters);
    EventFilter const filter = take_event_filter(call.parameters);
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    if (auto const none = Expansions::none(paths, "data."); !none) {
        co_return std::unexpected{none.error()};
    }
    bool const backwards = !page.ending_before.empty();
    std::string const& cursor = backwards ? page.ending_before : page.starting_after;
    if (!cursor.empty()) {
        auto const known = call.documents().event(call.owner(), cursor);
        if (!known) {
            co_return std::unexpected{internal_error(known.error().context)};
        }
        if (!*known) {
            co_return std::unexpected{
                missing_resource("event", cursor, backwards ? "ending_before" : "starting_after")
            };
        }
    }
    auto const endpoints = webhooks::PendingEndpoints::load(call.documents(), call.owner());
    if (!endpoints) {
        co_return std::unexpected{internal_error(endpoints.error().context)};
    }
    auto const found = find_page(call, *endpoints, page, filter);
    if (!found) {
        co_return std::unexpected{internal_error(found.error().context)};
    }
    if (found->is_cut) {
        co_return std::unexpected{too_much_to_read()};
    }
    co_return Done{
        200,
        R"({"object":"list","data":[)" + found->json + R"(],"has_more":)" +
            (found->has_more ? "true" : "false") + R"(,"url":"/v1/events"})"
    };
}

}  // namespace

void add_events(Routes& routes) {
    routes.add(http::Method::get, "/v1/events", list_events);
    routes.add(http::Method::get, "/v1/events/:id", retrieve_event);
}

}  // namespace florin::api
