#include "tools/florin/route.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace florin::tools {
namespace {

using json = nlohmann::ordered_json;

int print_routes(json const& routes, Format format) {
    Table table{
        {"connector",
         "rail",
         "enabled",
         ">priority",
         ">configured",
         "ready",
         "detail",
         "breaker",
         ">failures",
         "changed_by",
         "reason"}
    };
    for (json const& route : routes) {
        json const changed = route.value("changed", json{});
        bool const is_changed = changed.is_object();
        json const guard = route.value("guard", json{});
        bool const is_guarded = guard.is_object();
        table.add(
            {text_of(route, "connector"),
             text_of(route, "rail"),
             text_of(route, "enabled"),
             text_of(route, "priority"),
             text_of(route, "configured_priority"),
             text_of(route, "ready"),
             text_of(route, "detail"),
             is_guarded ? text_of(guard, "breaker") : "",
             is_guarded ? text_of(guard, "failures") : "",
             is_changed ? text_of(changed, "by") : "",
             is_changed ? text_of(changed, "reason") : ""}
        );
    }
    table.print(format);
    return kDone;
}

}  // namespace

int route_list(DaemonOptions const& daemon, Format format) {
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    auto const found = (*client)->get("/routes");
    return found ? print_routes(found->value("routes", json::array()), format)
                 : report_error(found.error());
}

int route_set(DaemonOptions const& daemon, RouteChange const& change, Format format) {
    json body = {{"reason", change.reason}};
    if (change.enable || change.disable) {
        body["enabled"] = change.enable;
    }
    if (change.priority) {
        body["priority"] = *change.priority;
    }
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    auto const route = (*client)->post("/routes/" + change.connector, body);
    return route ? print_routes(json::array({*route}), format) : report_error(route.error());
}

}  // namespace florin::tools
