// Which members can be expanded, and what is behind them.
#include "daemon/api/redact.h"
#include "daemon/api/render.h"
#include "daemon/api/rights.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

namespace florin::api {
namespace {

constexpr std::size_t kExpandLevelsMax = 4;

// Expandable members, and what is behind them where this version has it.
struct Expandable {
    std::string_view name;
    std::optional<ObjectKind> kind;                    // nullopt: always null here, or a list
    std::optional<ObjectKind> list_of = std::nullopt;  // shown, and nothing below it is expanded
};
std::vector<Expandable> const& expandable(ObjectKind kind) {
    static std::map<ObjectKind, std::vector<Expandable>> const table{
        {ObjectKind::payment_intent,
         {{"customer", ObjectKind::customer},
          {"latest_charge", ObjectKind::charge},
          {"payment_method", ObjectKind::payment_method},
          {"on_behalf_of", std::nullopt},
          {"review", std::nullopt},
          {"transfer_data.destination", std::nullopt}}},
        {ObjectKind::charge,
         {{"balance_transaction", ObjectKind::balance_transaction},
          {"customer", ObjectKind::customer},
          {"payment_intent", ObjectKind::payment_intent},
          {"refunds", std::nullopt, ObjectKind::refund},
          {"review", std::nullopt},
          {"transfer", std::nullopt},
          {"application_fee", std::nullopt},
          {"on_behalf_of", std::nullopt},
          {"transfer_data.destination", std::nullopt}}},
        {ObjectKind::refund,
         {{"charge", ObjectKind::charge},
          {"payment_intent", ObjectKind::payment_intent},
          {"balance_transaction", ObjectKind::balance_transaction},
          {"payment_method", ObjectKind::payment_method},
          {"customer", ObjectKind::customer},
          {"transfer_reversal", std::nullopt}}},
        {ObjectKind::payment_method, {{"customer", ObjectKind::customer}}},
        {ObjectKind::customer,
         {{"default_source", std::nullopt},
          {"invoice_settings.default_payment_method", ObjectKind::payment_method}}},
        // Either of them; a payout is no object of this version, its id stays.
        {ObjectKind::balance_transaction,
         {{"source", ObjectKind::charge}, {"source", ObjectKind::refund}}},
        {ObjectKind::balance, {}},
    };
    return table.at(kind);
}

// What rights to an object are called after.
std::string_view resource_of(ObjectKind kind) {
    switch (kind) {
        case ObjectKind::payment_intent: return "payment_intents";
        case ObjectKind::charge: return "charges";
        case ObjectKind::refund: return "refunds";
        case ObjectKind::payment_method: return "payment_methods";
        case ObjectKind::customer: return "customers";
        case ObjectKind::balance: return "balance";
        case ObjectKind::balance_transaction: return "balance_transactions";
    }
    return {};
}

// Every kind of object that a path shows, also on the way; nullopt: it cannot be expanded.
std::optional<std::set<ObjectKind>> shown_by(ObjectKind kind, std::string_view path) {
    std::optional<std::set<ObjectKind>> shown;
    for (Expandable const& each : expandable(kind)) {
        std::string const below = std::string{each.name} + ".";
        std::optional<std::set<ObjectKind>> deeper;
        if (path == each.name) {
            deeper.emplace();
        } else if (path.starts_with(below) && each.kind) {
            deeper = shown_by(*each.kind, path.substr(below.size()));
        }
        if (!deeper) {
            continue;
        }
        if (auto const there = each.kind ? each.kind : each.list_of) {
            deeper->insert(*there);
        }
        shown = shown.value_or(std::set<ObjectKind>{});
        shown->merge(*deeper);
    }
    return shown;
}

ApiError not_expandable(std::string const& path) {
    return bad_parameter("", "expand", "This property cannot be expanded (" + shown(path) + ").");
}

ApiError lacks_right(std::string const& path, std::string_view resource) {
    ApiError error;
    error.http_status = 403;
    error.code = "account_invalid";
    error.param = "expand";
    error.message = "The provided key does not have the required permissions to expand '" +
                    shown(path) + "'. The right '" + std::string{resource} +
                    "=read' would allow this request.";
    return error;
}

}  // namespace

ApiResult<Expansions> Expansions::make(
    ObjectKind kind,
    std::vector<std::string> const& paths,
    model::ApiKey const& key,
    std::string const& prefix
) {
    Expansions expansions;
    for (std::string const& path : paths) {
        // On lists the levels count from below "data".
        std::string_view const below =
            path.starts_with(prefix) ? std::string_view{path}.substr(prefix.size()) : "";
        auto const levels = static_cast<std::size_t>(std::ranges::count(below, '.')) + 1;
        auto const shown = levels <= kExpandLevelsMax ? shown_by(kind, below) : std::nullopt;
        if (!shown) {
            return std::unexpected{not_expandable(path)};
        }
        // An id says that something is there; what it is, only whoever may read it is shown.
        for (ObjectKind const each : *shown) {
            if (!may(key, resource_of(each), Access::read)) {
                return std::unexpected{lacks_right(path, resource_of(each))};
            }
        }
        expansions.paths_.insert(path.substr(prefix.size()));
    }
    return expansions;
}

ApiResult<Expansions> Expansions::none(
    std::vector<std::string> const& paths, std::string const& prefix
) {
    return make(ObjectKind::balance, paths, {}, prefix);  // has nothing to expand
}

bool Expansions::has(std::string const& name) const {
    return std::ranges::any_of(paths_, [&](std::string const& path) {
        return path == name || path.starts_with(name + ".");
    });
}

Expansions Expansions::below(std::string const& name) const {
    Expansions expansions;
    for (std::string const& path : paths_) {
        if (path.starts_with(name + ".")) {
            expansions.paths_.insert(path.substr(name.size() + 1));
        }
    }
    return expansions;
}

}  // namespace florin::api
