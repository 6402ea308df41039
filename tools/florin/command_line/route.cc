// The command line of `florin route`.
#include "tools/florin/route.h"

#include "tools/florin/command_line/command_line.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

namespace florin::tools {
namespace {

// What was said to these commands alone; lives as long as they do.
struct RouteSaid {
    RouteChange route;
};
using RouteSaidPointer = std::shared_ptr<RouteSaid>;

}  // namespace

void add_route(CLI::App& app, CommandLine& run) {
    auto const said = std::make_shared<RouteSaid>();
    CLI::App* const route =
        app.add_subcommand("route", "Which connectors new payments go through, in which order");
    route->require_subcommand(1);

    CLI::App* const list =
        route->add_subcommand("list", "Connectors as they are tried; changes nothing");
    add_daemon(list, run);
    add_format(list, run);
    list->callback([&run] { run.exit_code = route_list(run.daemon, run.format); });

    CLI::App* const set = route->add_subcommand(
        "set", "Enable or disable a connector for new payments, or give it another priority"
    );
    add_daemon(set, run);
    add_format(set, run);
    set->add_option("connector", said->route.connector, "The connector's name")->required();
    auto* const enable = set->add_flag("--enable", said->route.enable, "New payments may use it");
    set->add_flag("--disable", said->route.disable, "New payments go past it")->excludes(enable);
    set->add_option(
        "--priority",
        said->route.priority,
        "Lower is tried first; -1: only where a payment names it"
    );
    set->add_option("--reason", said->route.reason, "Why")->required();
    set->callback([said, &run] { run.exit_code = route_set(run.daemon, said->route, run.format); });
}

}  // namespace florin::tools
