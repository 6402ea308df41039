// Connectors for operators: which are tried, in which order, and whether they answer.
#include "daemon/admin/body.h"
#include "daemon/admin/service.h"

#include <nlohmann/json.hpp>

namespace florin::admin {
namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kPriorityMost = 1'000'000;

ordered_json route_json(flow::Route const& route) {
    auto const health = route.connector->health();
    ordered_json body = {
        {"connector", route.connector->id().text()},
        {"rail", route.connector->name()},
        {"enabled", route.is_enabled},
        {"priority", route.priority},
        {"configured_priority", route.configured_priority},
        {"ready", health.ready},
        {"detail", health.detail},
        {"guard", guard_json(health)},
        {"links", links_json(*route.connector)},
        {"changed", nullptr},
    };
    if (route.setting) {
        body["changed"] = {
            {"by", route.setting->changed_by},
            {"key", route.setting->changed_key},
            {"at", route.setting->changed},
            {"reason", route.setting->reason},
        };
    }
    return body;
}

}  // namespace

ordered_json guard_json(connectors::Health const& health) {
    if (!health.guard) {
        return nullptr;
    }
    connectors::GuardHealth const& guard = *health.guard;
    return {
        {"breaker", connectors::breaker_state_name(guard.breaker)},
        {"since", guard.since_s},
        {"window_calls", guard.window_calls},
        {"window_failures", guard.window_failures},
        {"in_flight", guard.in_flight},
        {"waiting", guard.waiting},
        {"failures", guard.failures},
        {"rejected_open", guard.rejected_open},
        {"rejected_full", guard.rejected_full},
        {"last_error", guard.last_error},
    };
}

ordered_json links_json(connectors::Connector const& connector) {
    ordered_json list = ordered_json::array();
    for (connectors::LinkHealth const& link : connector.links()) {
        ordered_json body = {
            {"link", list.size() + 1},
            {"ready", link.ready},
            {"detail", link.detail},
            {"connections", link.connections},
            {"connections_ready", link.connections_ready},
        };
        for (auto const& counter : connectors::link_counter_names()) {
            body[std::string{counter.name}] = link.counters.*counter.member;
        }
        list.push_back(std::move(body));
    }
    return list;
}

namespace {

Answer list_routes(Call& call) {
    FLORIN_CO_TRY(auto const routes, call.mode->routing.routes());
    ordered_json found = ordered_json::array();
    for (flow::Route const& route : routes) {
        found.push_back(route_json(route));
    }
    ordered_json const body = {{"routes", found}};
    co_return reply(body);
}

Answer change(Call& call) {
    FLORIN_CO_TRY(Body body, Body::parse(call.request.body));
    flow::Routing::Wish wish{
        .enabled = body.take_boolean("enabled"),
        .priority = body.take_integer("priority", -1, kPriorityMost),
        .reason = body.require_text("reason", Body::kReasonMax),
    };
    FLORIN_CO_TRY_VOID(body.finish());
    if (!wish.enabled && !wish.priority) {
        co_return fail(Errc::malformed, "enabled, priority: expected one of them, or both");
    }
    FLORIN_CO_TRY_VOID(flow::check_named(call.person()));
    flow::Person person = call.person();
    FLORIN_CO_TRY(
        auto const route,
        co_await call.mode->routing.set(call.id("connector"), std::move(wish), std::move(person))
    );
    co_return reply(route_json(route));
}

}  // namespace

void add_routes(Rows& rows) {
    using api::Access;
    using http::Method;
    std::string const base = "/admin/v1/:mode/routes";
    rows.push_back({Method::get, base, "routes", Access::read, list_routes});
    rows.push_back({Method::post, base + "/:connector", "routes", Access::write, change});
}

}  // namespace florin::admin
