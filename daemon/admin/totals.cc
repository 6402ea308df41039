// Totals for operators: what was compared with banks after the cut-over, and what came of it.
#include "connectors/totals.h"

#include "daemon/admin/service.h"
#include "daemon/api/parameters.h"
#include "daemon/http/form.h"
#include "daemon/model/reconciliation.h"
#include "daemon/model/totals.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <tuple>

namespace florin::admin {
namespace {

using model::TotalsDocument;
using nlohmann::ordered_json;

constexpr std::int64_t kTotalsPageMost = 1'000;
constexpr std::int64_t kTotalsPageUsual = 100;

struct WantedTotals {
    std::string connector;
    std::string before;
    std::size_t limit = 0;
};

Result<WantedTotals> wanted_totals(Call const& call) {
    FLORIN_TRY(auto const form, http::parse_form(call.request.query));
    api::Parameters parameters{form};
    WantedTotals wanted{
        .connector = parameters.take_string("connector").value_or(""),
        .before = parameters.take_string("before").value_or(""),
        .limit = static_cast<std::size_t>(
            parameters.take_integer("limit", 1, kTotalsPageMost).value_or(kTotalsPageUsual)
        ),
    };
    if (auto const error = parameters.finish()) {
        return fail(Errc::malformed, error->param + ": " + error->message);
    }
    if (!wanted.before.empty() && !recon::day_number(wanted.before)) {
        return fail(Errc::malformed, "before: expected a date, YYYY-MM-DD");
    }
    return wanted;
}

// In the order in which ISO 8583 has them; null: the bank left it out.
ordered_json figures_json(model::TotalsByName const& totals) {
    ordered_json figures = ordered_json::object();
    auto const add = [&](std::string const& name) {
        auto const found = totals.find(name);
        figures[name] = found == totals.end() ? ordered_json(nullptr) : ordered_json(found->second);
    };
    for (auto const& each : connectors::total_names()) {
        add(std::string{each.name});
    }
    add(std::string{connectors::kNetTotal});
    return figures;
}

ordered_json totals_json(TotalsDocument const& totals) {
    bool const is_answered = totals.state == "answered";
    return {
        {"connector", totals.connector},
        {"date", totals.date},
        {"currency", totals.currency},
        {"message", totals.message},
        {"state", totals.state},
        {"result", totals.result},
        {"claim", totals.claim},
        {"code", totals.code},
        {"detail", totals.detail},
        {"differing", totals.differing},
        {"ours", figures_json(totals.ours)},
        {"theirs", is_answered ? figures_json(totals.theirs) : ordered_json(nullptr)},
        {"open", totals.open},
        {"stan", totals.stan == 0 ? "" : fmt::format("{:06}", totals.stan)},
        {"transmission_time", totals.transmission_time},
        {"sends", totals.sends},
        {"created", totals.created},
        {"answered", totals.answered},
    };
}

Answer list_totals(Call& call) {
    FLORIN_CO_TRY(WantedTotals const wanted, wanted_totals(call));
    FLORIN_CO_TRY(auto const routes, call.mode->routing.routes());
    std::vector<TotalsDocument> found;
    for (flow::Route const& route : routes) {
        std::string const& connector = route.connector->id().text();
        if (!wanted.connector.empty() && wanted.connector != connector) {
            continue;
        }
        FLORIN_CO_TRY(
            auto const page,
            call.documents().list(
                {.kind = static_cast<std::uint16_t>(TotalsDocument::kKind),
                 .owner = model::connector_owner(connector, call.mode->mode),
                 .after = wanted.before,
                 .newest_first = true,
                 .limit = wanted.limit}
            )
        );
        for (ledger::Document const& document : page) {
            FLORIN_CO_TRY(
                auto totals, model::from_text<TotalsDocument>(document.body.value_or(""))
            );
            found.push_back(std::move(totals));
        }
    }
    std::ranges::sort(found, [](TotalsDocument const& a, TotalsDocument const& b) {
        return a.date != b.date
                   ? a.date > b.date
                   : std::tie(a.connector, a.currency) < std::tie(b.connector, b.currency);
    });
    found.resize(std::min(found.size(), wanted.limit));
    ordered_json rows = ordered_json::array();
    for (TotalsDocument const& each : found) {
        rows.push_back(totals_json(each));
    }
    co_return reply(rows);
}

}  // namespace

void add_totals(Rows& rows) {
    rows.push_back(
        {http::Method::get, "/admin/v1/:mode/totals", "recon", api::Access::read, list_totals}
    );
}

}  // namespace florin::admin
