// Reconciliation for operators: statements come in, runs, breaks.
#include "daemon/admin/body.h"
#include "daemon/admin/service.h"

#include <nlohmann/json.hpp>

namespace florin::admin {
namespace {

namespace asio = boost::asio;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kLinesMax = 1'000;
constexpr std::int64_t kDay = 86'400;

// A member of the body as one of our documents.
template <class T>
Result<T> document(json const& value) {
    auto made = model::from_text<T>(value.dump());
    if (!made) {
        return fail(Errc::malformed, made.error().context);
    }
    return made;
}

Result<model::StatementDocument> statement_of(json const& body) {
    auto const found = body.find("statement");
    if (found == body.end()) {
        return fail(Errc::malformed, "statement: is missing");
    }
    return document<model::StatementDocument>(*found);
}

ordered_json level_json(recon::LevelReport const& level) {
    ordered_json by = {{"reference", 0}, {"amount_date", 0}, {"net_sum", 0}};
    for (auto const& [rule, count] : level.matched_by) {
        by[rule] = count;
    }
    return {{"lines", level.lines}, {"matched", level.matched}, {"matched_by", by}};
}

ordered_json report_json(recon::RunReport const& report) {
    ordered_json resolved = ordered_json::array();
    for (auto const& each : report.unknowns_resolved) {
        resolved.push_back(
            {{"attempt", each.attempt},
             {"operation", each.operation},
             {"payment_intent", each.payment_intent},
             {"outcome", each.outcome},
             {"line", each.line}}
        );
    }
    return {
        {"acquirer", level_json(report.acquirer)},
        {"bank", level_json(report.bank)},
        {"unknowns_resolved", resolved},
        {"breaks_open", report.breaks_open},
    };
}

ordered_json breaks_json(std::vector<model::Break> const& breaks, std::int64_t now_s) {
    ordered_json list = ordered_json::array();
    for (model::Break const& each : breaks) {
        list.push_back(
            {{"break", each.id},
             {"type", each.type},
             {"state", each.state},
             {"age_days", (now_s - each.opened) / kDay},
             {"owner", each.assignee},
             {"account", each.account},
             {"currency", each.currency},
             {"amount_minor", each.amount},
             {"line", each.line},
             {"attempt", each.attempt},
             {"reference", each.reference},
             {"explanation", each.explanation}}
        );
    }
    return list;
}

std::int64_t now_s() {
    return static_cast<std::int64_t>(SystemClock{}.wall_ns() / 1'000'000'000);
}

asio::awaitable<Result<std::string>> reconcile(recon::Reconciliation& reconciliation) {
    FLORIN_CO_TRY(auto const report, co_await reconciliation.run());
    co_return reply(report_json(report)).body;
}

// Whoever imports is named: a statement is evidence by that person.
Result<recon::Importer> importer_of(Call const& call) {
    FLORIN_TRY_VOID(flow::check_named(call.person()));
    return recon::Importer{.name = call.key.name, .key_id = call.key.id};
}

Answer begin_import(Call& call) {
    FLORIN_CO_TRY(auto by, importer_of(call));
    FLORIN_CO_TRY(json const body, parse_object(call.request.body));
    FLORIN_CO_TRY(auto statement, statement_of(body));
    FLORIN_CO_TRY(
        auto const begun,
        co_await call.mode->reconciliation.begin_import(std::move(statement), std::move(by))
    );
    ordered_json const answer = {
        {"state", begun.state},
        {"lines", begun.lines},
        {"imported_by", begun.imported_by},
        {"imported_key", begun.imported_key},
        {"completed_by", begun.completed_by},
        {"completed_key", begun.completed_key},
    };
    co_return reply(answer);
}

Answer add_lines(Call& call) {
    FLORIN_CO_TRY(json const body, parse_object(call.request.body));
    FLORIN_CO_TRY(auto statement, statement_of(body));
    auto const found = body.find("lines");
    if (found == body.end() || !found->is_array() || found->size() > kLinesMax) {
        co_return fail(
            Errc::malformed, "lines: expected a list of at most " + std::to_string(kLinesMax)
        );
    }
    std::vector<model::StatementLineDocument> lines;
    for (json const& each : *found) {
        FLORIN_CO_TRY(auto line, document<model::StatementLineDocument>(each));
        lines.push_back(std::move(line));
    }
    FLORIN_CO_TRY(
        std::int64_t const added,
        co_await call.mode->reconciliation.add_lines(std::move(statement), std::move(lines))
    );
    ordered_json const answer = {{"new_lines", added}};
    co_return reply(answer);
}

Answer complete_import(Call& call) {
    FLORIN_CO_TRY(json const body, parse_object(call.request.body));
    FLORIN_CO_TRY(auto statement, statement_of(body));
    FLORIN_CO_TRY(auto by, importer_of(call));
    auto& reconciliation = call.mode->reconciliation;
    FLORIN_CO_TRY_VOID(co_await reconciliation.complete_import(std::move(statement), std::move(by))
    );
    ordered_json const answer = {{"state", "complete"}};
    co_return reply(answer);
}

Answer start_reconciliation(Call& call) {
    auto& reconciliation = call.mode->reconciliation;
    auto const progress = [&reconciliation] {
        return Jobs::Progress{.step = "lines", .done = reconciliation.progress()};
    };
    co_return start_job(call, "recon", reconcile(reconciliation), progress);
}

Answer open_breaks(Call& call) {
    FLORIN_CO_TRY(auto const found, call.mode->reconciliation.breaks(false));
    co_return reply(breaks_json(found, now_s()));
}

Answer all_breaks(Call& call) {
    FLORIN_CO_TRY(auto const found, call.mode->reconciliation.breaks(true));
    co_return reply(breaks_json(found, now_s()));
}

}  // namespace

void add_recon(Rows& rows) {
    using api::Access;
    using http::Method;
    std::string const base = "/admin/v1/:mode/recon";
    rows.push_back({Method::post, base + "/imports", "recon", Access::write, begin_import});
    rows.push_back({Method::post, base + "/lines", "recon", Access::write, add_lines});
    rows.push_back({Method::post, base + "/completions", "recon", Access::write, complete_import});
    rows.push_back({Method::post, base + "/runs", "recon", Access::write, start_reconciliation});
    rows.push_back({Method::get, base + "/breaks", "recon", Access::read, open_breaks});
    rows.push_back({Method::get, base + "/breaks/all", "recon", Access::read, all_breaks});
}

}  // namespace florin::admin
