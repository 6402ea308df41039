#include "tools/florin/totals.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace florin::tools {
namespace {

using nlohmann::ordered_json;

// "3 / 45.00": how many, and how much. What the bank left out is a hyphen.
std::string side(
    ordered_json const& figures, std::string const& name, std::string const& currency
) {
    if (!figures.is_object()) {
        return "";
    }
    auto const number = figures.find(name + "_number");
    auto const amount = figures.find(name + "_amount");
    auto const has = [&](auto found) { return found != figures.end() && !found->is_null(); };
    return fmt::format(
        "{} / {}",
        has(number) ? std::to_string(number->template get<std::int64_t>()) : "-",
        has(amount) ? decimal_of(amount->template get<std::int64_t>(), currency) : "-"
    );
}

std::string words(ordered_json const& names) {
    std::string text;
    for (auto const& name : names) {
        text += (text.empty() ? "" : " ") + name.get<std::string>();
    }
    return text;
}

}  // namespace

int totals_list(
    DaemonOptions const& daemon, std::string const& connector, int limit, Format format
) {
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    std::string path = "/totals?limit=" + std::to_string(limit);
    if (!connector.empty()) {
        path += "&connector=" + path_part(connector);
    }
    auto const list = (*client)->get(path);
    if (!list) {
        return report_error(list.error());
    }
    bool any_differs = false;
    Table table{
        {"date",
         "connector",
         "currency",
         "state",
         "result",
         ">our_debits",
         ">our_credits",
         ">their_debits",
         ">their_credits",
         ">open",
         "differing"}
    };
    for (auto const& each : *list) {
        any_differs = any_differs || text_of(each, "result") == "out_of_balance";
        std::string const currency = text_of(each, "currency");
        table.add(
            {text_of(each, "date"),
             text_of(each, "connector"),
             currency,
             text_of(each, "state"),
             text_of(each, "result"),
             side(each.at("ours"), "debits", currency),
             side(each.at("ours"), "credits", currency),
             side(each.at("theirs"), "debits", currency),
             side(each.at("theirs"), "credits", currency),
             text_of(each, "open"),
             words(each.at("differing"))}
        );
    }
    if (format == Format::json) {
        fmt::print("{}\n", list->dump(2));
    } else {
        table.print(format);
    }
    return any_differs ? kFoundSomething : kDone;
}

}  // namespace florin::tools
