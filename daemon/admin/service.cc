#include "daemon/admin/service.h"

#include "daemon/api/authorization.h"
#include "daemon/log/log.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

namespace florin::admin {
namespace {

namespace asio = boost::asio;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kBatchesShown = 100;
constexpr std::size_t kLinesMax = 1'000;
constexpr std::int64_t kDay = 86'400;

int status_of(Errc code) {
    switch (code) {
        case Errc::malformed:
        case Errc::out_of_range:
        case Errc::unsupported: return 400;
        case Errc::refused: return 403;
        case Errc::not_found: return 404;
        case Errc::conflict:
        case Errc::already_held: return 409;
        case Errc::overloaded:
        case Errc::closed: return 503;
        case Errc::io:
        case Errc::corrupt:
        case Errc::timeout: return 500;
    }
    return 500;
}

http::Response error_response(Error const& error, int status) {
    ordered_json const body = {
        {"error", {{"code", errc_name(error.code)}, {"message", error.context}}}
    };
    http::Response response;
    response.status = status;
    response.body = body.dump(2, ' ', false, ordered_json::error_handler_t::replace);
    return response;
}

std::string text(ordered_json const& value) {
    return value.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

Result<json> parse_body(http::Request const& request) {
    json body = json::parse(request.body, nullptr, false);
    if (body.is_discarded() || !body.is_object()) {
        return fail(Errc::malformed, "the body is not a JSON object");
    }
    return body;
}

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

ordered_json batch_json(
    model::SettlementBatch const& batch,
    std::vector<model::Payout> const& payouts,
    std::string const& file
) {
    ordered_json list = ordered_json::array();
    for (model::Payout const& payout : payouts) {
        auto const& lines = payout.lines;
        bool const is_gone =
            payout.state == "prepared" && (batch.state == "submitted" || batch.state == "unknown");
        list.push_back(
            {{"payout", payout.id},
             {"merchant", payout.merchant},
             {"currency", payout.currency},
             {"amount_minor", payout.amount},
             {"state", is_gone ? batch.state : payout.state},
             {"iban", payout.iban},
             {"end_to_end_id", model::end_to_end_id(payout.id)},
             {"opening_minor", lines.opening},
             {"gross_minor", lines.gross},
             {"fees_minor", lines.fees},
             {"refunds_minor", lines.refunds},
             {"returned_minor", lines.returned},
             {"payouts_minor", lines.payouts},
             {"other_minor", lines.other},
             {"available_minor", lines.available}}
        );
    }
    return {
        {"batch", batch.id},
        {"state", batch.state},
        {"date", batch.date},
        {"cut_sequence", batch.cut_sequence},
        {"made_available", batch.availabilities},
        {"payouts_count", batch.payouts},
        {"file", batch.file.empty() ? "" : file},
        {"file_sha256", batch.file_sha256},
        {"payouts", list},
    };
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

// The batch with everything that belongs to it.
Result<std::string> whole_batch(
    settlement::Settlement const& settlement, model::SettlementBatch const& batch
) {
    FLORIN_TRY(auto const payouts, settlement.payouts(batch.id));
    return text(batch_json(batch, payouts, settlement.file_of(batch).string()));
}

asio::awaitable<Result<std::string>> settle(settlement::Settlement& settlement) {
    FLORIN_CO_TRY(auto const batch, co_await settlement.run());
    co_return whole_batch(settlement, batch);
}

asio::awaitable<Result<std::string>> reconcile(recon::Reconciliation& reconciliation) {
    FLORIN_CO_TRY(auto const report, co_await reconciliation.run());
    co_return text(report_json(report));
}

}  // namespace

Service::Service(Parts parts)
    : parts_{std::move(parts)},
      key_desk_{
          {.ledger = parts_.ledger,
           .keys = parts_.keys,
           .ids = parts_.ids,
           .merchant_resources = parts_.merchant_resources}
      },
      merchant_desk_{{.ledger = parts_.ledger, .ids = parts_.ids}} {
    using http::Method;
    routes_.add(Method::get, "/admin/v1", &Service::overview);
    routes_.add(Method::get, "/admin/v1/jobs/:id", &Service::job);
    routes_.add(Method::post, "/admin/v1/:mode/settlement/runs", &Service::start_settlement);
    routes_.add(Method::get, "/admin/v1/:mode/settlement/batches", &Service::batches);
    routes_.add(Method::get, "/admin/v1/:mode/settlement/batches/:id", &Service::batch);
    routes_.add(Method::post, "/admin/v1/:mode/recon/imports", &Service::begin_import);
    routes_.add(Method::post, "/admin/v1/:mode/recon/lines", &Service::add_lines);
    routes_.add(Method::post, "/admin/v1/:mode/recon/completions", &Service::complete_import);
    routes_.add(Method::post, "/admin/v1/:mode/recon/runs", &Service::start_reconciliation);
    routes_.add(Method::get, "/admin/v1/:mode/recon/breaks", &Service::open_breaks);
    routes_.add(Method::get, "/admin/v1/:mode/recon/breaks/all", &Service::all_breaks);
    routes_.add(Method::post, "/admin/v1/keys", &Service::create_key);
    routes_.add(Method::get, "/admin/v1/keys", &Service::list_keys);
    routes_.add(Method::get, "/admin/v1/keys/:id", &Service::show_key);
    routes_.add(Method::post, "/admin/v1/keys/:id/roll", &Service::roll_key);
    routes_.add(Method::post, "/admin/v1/keys/:id/revoke", &Service::revoke_key);
    routes_.add(Method::post, "/admin/v1/merchants", &Service::create_merchant);
    routes_.add(Method::get, "/admin/v1/merchants", &Service::list_merchants);
    routes_.add(Method::get, "/admin/v1/merchants/:id", &Service::show_merchant);
    routes_.add(Method::post, "/admin/v1/merchants/:id", &Service::update_merchant);
}

Result<std::shared_ptr<api::Keys::Known>> Service::authenticate(http::Request const& request
) const {
    auto const header = request.header("Authorization");
    auto const key = header ? api::key_from_header(*header) : std::nullopt;
    if (!key) {
        return fail(Errc::refused, "an admin key is needed: Authorization: Bearer ak_…");
    }
    FLORIN_TRY(auto found, parts_.keys.find(*key));
    if (!found || found->document.kind != "admin") {
        return fail(Errc::refused, "this is not an admin key");
    }
    return found;
}

asio::awaitable<http::Response> Service::handle(http::Request request) {
    constexpr int kUnauthorised = 401;
    auto const allowed = authenticate(request);
    if (!allowed) {
        bool const is_refusal = allowed.error().code == Errc::refused;
        co_return error_response(
            allowed.error(), is_refusal ? kUnauthorised : status_of(allowed.error().code)
        );
    }
    auto const match = routes_.find(request.method, request.path);
    if (!match) {
        Error const unknown{
            Errc::not_found,
            "no such operation: " + std::string{http::method_name(request.method)} + " " +
                request.path.substr(0, 200)
        };
        co_return error_response(unknown, status_of(unknown.code));
    }
    Call call{
        .request = request, .path = match->parameters, .key = (*allowed)->document, .mode = nullptr
    };
    if (auto const mode = match->parameters.find("mode"); mode != match->parameters.end()) {
        auto const found = parts_.modes.find(mode->second);
        if (found == parts_.modes.end()) {
            Error const unknown{Errc::not_found, "mode: expected \"test\" or \"live\""};
            co_return error_response(unknown, status_of(unknown.code));
        }
        call.mode = &found->second;
    }
    Answer work = (this->**match->target)(call);
    auto const answer =
        co_await asio::co_spawn(parts_.background, std::move(work), asio::use_awaitable);
    if (!answer) {
        if (status_of(answer.error().code) >= 500) {
            log::error("admin.failed", {{"path", request.path}, {"what", answer.error().context}});
        }
        co_return error_response(answer.error(), status_of(answer.error().code));
    }
    http::Response response;
    response.body = *answer;
    co_return response;
}

Service::Answer Service::overview(Call call) {
    static_cast<void>(call);
    ordered_json modes = ordered_json::array();
    for (auto const& [name, parts] : parts_.modes) {
        modes.push_back(name);
    }
    ordered_json const overview = {{"modes", modes}};
    co_return text(overview);
}

Service::Answer Service::job(Call call) {
    auto const report = jobs_.report(call.path.find("id")->second);
    if (!report) {
        co_return fail(Errc::not_found, "no such job");
    }
    ordered_json body = {
        {"state",
         report->running  ? "running"
         : report->result ? "done"
                          : "failed"},
        {"step", report->progress.step},
        {"done", report->progress.done},
    };
    if (!report->running && report->result) {
        body["result"] = ordered_json::parse(*report->result);
    } else if (!report->running) {
        body["error"] = {
            {"code", errc_name(report->result.error().code)},
            {"message", report->result.error().context}
        };
    }
    co_return text(body);
}

Service::Answer Service::start_settlement(Call call) {
    auto& settlement = call.mode->settlement;
    auto const progress = [&settlement] {
        auto const at = settlement.progress();
        return Jobs::Progress{.step = at.step, .done = at.done};
    };
    ordered_json const body = {
        {"job", jobs_.start(parts_.background, "settlement", settle(settlement), progress)}
    };
    co_return text(body);
}

Service::Answer Service::batches(Call call) {
    FLORIN_CO_TRY(auto const found, call.mode->settlement.batches(kBatchesShown));
    ordered_json list = ordered_json::array();
    for (auto const& batch : found) {
        auto shown = batch_json(batch, {}, call.mode->settlement.file_of(batch).string());
        shown.erase("payouts");
        list.push_back(std::move(shown));
    }
    co_return text(list);
}

Service::Answer Service::batch(Call call) {
    auto const& settlement = call.mode->settlement;
    std::string const& id = call.path.find("id")->second;
    FLORIN_CO_TRY(auto const found, settlement.batch(id));
    if (!found) {
        co_return fail(Errc::not_found, "no such batch: " + id);
    }
    co_return whole_batch(settlement, *found);
}

Service::Answer Service::begin_import(Call call) {
    FLORIN_CO_TRY(json const body, parse_body(call.request));
    FLORIN_CO_TRY(auto statement, statement_of(body));
    FLORIN_CO_TRY(
        auto const begun, co_await call.mode->reconciliation.begin_import(std::move(statement))
    );
    ordered_json const answer = {{"state", begun.state}, {"lines", begun.lines}};
    co_return text(answer);
}

Service::Answer Service::add_lines(Call call) {
    FLORIN_CO_TRY(json const body, parse_body(call.request));
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
    co_return text(answer);
}

Service::Answer Service::complete_import(Call call) {
    FLORIN_CO_TRY(json const body, parse_body(call.request));
    FLORIN_CO_TRY(auto statement, statement_of(body));
    FLORIN_CO_TRY_VOID(co_await call.mode->reconciliation.complete_import(std::move(statement)));
    ordered_json const answer = {{"state", "complete"}};
    co_return text(answer);
}

Service::Answer Service::start_reconciliation(Call call) {
    auto& reconciliation = call.mode->reconciliation;
    auto const progress = [&reconciliation] {
        return Jobs::Progress{.step = "lines", .done = reconciliation.progress()};
    };
    ordered_json const body = {
        {"job", jobs_.start(parts_.background, "recon", reconcile(reconciliation), progress)}
    };
    co_return text(body);
}

Service::Answer Service::open_breaks(Call call) {
    FLORIN_CO_TRY(auto const found, call.mode->reconciliation.breaks(false));
    co_return text(breaks_json(found, now_s()));
}

Service::Answer Service::all_breaks(Call call) {
    FLORIN_CO_TRY(auto const found, call.mode->reconciliation.breaks(true));
    co_return text(breaks_json(found, now_s()));
}

Service::Answer Service::create_key(Call call) {
    return key_desk_.create(call.key, call.request.body);
}
Service::Answer Service::list_keys(Call call) {
    return key_desk_.list(call.key);
}
Service::Answer Service::show_key(Call call) {
    return key_desk_.show(call.key, call.id());
}
Service::Answer Service::roll_key(Call call) {
    return key_desk_.roll(call.key, call.id(), call.request.body);
}
Service::Answer Service::revoke_key(Call call) {
    return key_desk_.revoke(call.key, call.id());
}
Service::Answer Service::create_merchant(Call call) {
    return merchant_desk_.create(call.key, call.request.body);
}
Service::Answer Service::list_merchants(Call call) {
    return merchant_desk_.list(call.key);
}
Service::Answer Service::show_merchant(Call call) {
    return merchant_desk_.show(call.key, call.id());
}
Service::Answer Service::update_merchant(Call call) {
    return merchant_desk_.update(call.key, call.id(), call.request.body);
}

}  // namespace florin::admin
