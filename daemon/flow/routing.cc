#include "daemon/flow/routing.h"

#include "daemon/log/log.h"

#include <algorithm>

namespace florin::flow {

namespace asio = boost::asio;
using model::RouteSetting;

Result<std::vector<Route>> Routing::routes() const {
    std::vector<Route> routes;
    for (auto const& [connector, priority] : parts_.connectors) {
        Route route{
            .connector = connector,
            .configured_priority = priority,
            .priority = priority,
        };
        FLORIN_TRY(
            auto stored,
            flow::load<RouteSetting>(
                parts_.ledger.documents(),
                model::owner_of("platform", parts_.mode),
                connector->id().text()
            )
        );
        if (stored) {
            route.is_enabled = !stored->value.disabled;
            route.priority = stored->value.has_priority ? stored->value.priority : priority;
            route.setting = std::move(stored->value);
        }
        routes.push_back(std::move(route));
    }
    std::ranges::stable_sort(routes, {}, [](Route const& route) {
        bool const is_tried = route.is_enabled && route.priority >= 0;
        return std::pair{!is_tried, route.priority};
    });
    return routes;
}

Result<void> Routing::apply() {
    std::lock_guard const lock{mutex_};
    FLORIN_TRY(auto const all, routes());
    Payments::ModeRoutes chosen;
    for (Route const& route : all) {
        if (!route.is_enabled) {
            continue;
        }
        chosen.by_name.push_back(route.connector);
        if (route.priority >= 0) {
            chosen.by_priority.push_back(route.connector);
        }
    }
    parts_.payments.set_routes(parts_.mode, std::move(chosen));
    return {};
}

asio::awaitable<Result<Route>> Routing::set(std::string connector, Wish wish, Person person) {
    auto const is_it = [&](auto const& each) { return each.first->id().text() == connector; };
    if (std::ranges::none_of(parts_.connectors, is_it)) {
        co_return fail(Errc::not_found, "no such connector in this mode");
    }
    std::string const owner = model::owner_of("platform", parts_.mode);
    FLORIN_CO_TRY(
        auto const stored, flow::load<RouteSetting>(parts_.ledger.documents(), owner, connector)
    );
    auto setting = stored.value_or(Stored<RouteSetting>{});
    if (wish.enabled) {
        setting.value.disabled = !*wish.enabled;
    }
    if (wish.priority) {
        setting.value.has_priority = true;
        setting.value.priority = *wish.priority;
    }
    setting.value.reason = std::move(wish.reason);
    setting.value.changed_by = person.name;
    setting.value.changed_key = person.key_id;
    setting.value.changed = parts_.ids.now_s();
    Change change{owner};
    change.put(connector, setting);
    std::string const what = "the setting of " + connector;
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), what));
    FLORIN_CO_TRY_VOID(apply());
    log::warn(
        "route.changed",
        {{"connector", connector},
         {"mode", model::mode_name(parts_.mode)},
         {"enabled", !setting.value.disabled},
         {"person", person.name},
         {"key", person.key_id}}
    );
    FLORIN_CO_TRY(auto const all, routes());
    auto const found = std::ranges::find_if(all, [&](Route const& route) {
        return route.connector->id().text() == connector;
    });
    co_return *found;
}

}  // namespace florin::flow
