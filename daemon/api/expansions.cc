// Which members can be expanded, and what is behind them.
#include "daemon/api/render.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

namespace florin::api {
namespace {

constexpr std::size_t kExpandLevelsMax = 4;

// Expandable members, and what is behind them where this version has it.
struct Expandable {
    std::string_view name;
    std::optional<ObjectKind> kind;  // nullopt: always null here
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
          {"refunds", std::nullopt},
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

bool is_expandable(ObjectKind kind, std::string_view path) {
    for (Expandable const& each : expandable(kind)) {
        if (path == each.name) {
            return true;
        }
        std::string const below = std::string{each.name} + ".";
        if (path.starts_with(below) && each.kind &&
            is_expandable(*each.kind, path.substr(below.size()))) {
            return true;
        }
    }
    return false;
}

}  // namespace

ApiResult<Expansions> Expansions::make(
    ObjectKind kind, std::vector<std::string> const& paths, std::string const& prefix
) {
    Expansions expansions;
    for (std::string const& path : paths) {
        // On lists the levels count from below "data".
        std::string_view const below =
            path.starts_with(prefix) ? std::string_view{path}.substr(prefix.size()) : "";
        auto const levels = static_cast<std::size_t>(std::ranges::count(below, '.')) + 1;
        bool const is_known = levels <= kExpandLevelsMax && is_expandable(kind, below);
        if (!is_known) {
            return std::unexpected{bad_parameter(
                "", "expand", "This property cannot be expanded (" + path.substr(0, 100) + ")."
            )};
        }
        expansions.paths_.insert(path.substr(prefix.size()));
    }
    return expansions;
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
