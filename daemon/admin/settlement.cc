// Settlement for operators: runs, batches, payouts.
#include "daemon/admin/service.h"
#include "daemon/api/redact.h"

#include <nlohmann/json.hpp>

namespace florin::admin {
namespace {

namespace asio = boost::asio;
using nlohmann::ordered_json;

constexpr std::size_t kBatchesShown = 100;

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

// The batch with everything that belongs to it.
Result<std::string> whole_batch(
    settlement::Settlement const& settlement, model::SettlementBatch const& batch
) {
    FLORIN_TRY(auto const payouts, settlement.payouts(batch.id));
    return reply(batch_json(batch, payouts, settlement.file_of(batch).string())).body;
}

asio::awaitable<Result<std::string>> settle(settlement::Settlement& settlement) {
    FLORIN_CO_TRY(auto const batch, co_await settlement.run());
    co_return whole_batch(settlement, batch);
}

Answer start_settlement(Call& call) {
    auto& settlement = call.mode->settlement;
    auto const progress = [&settlement] {
        auto const at = settlement.progress();
        return Jobs::Progress{.step = at.step, .done = at.done};
    };
    co_return start_job(call, "settlement", settle(settlement), progress);
}

Answer batches(Call& call) {
    FLORIN_CO_TRY(auto const found, call.mode->settlement.batches(kBatchesShown));
    ordered_json list = ordered_json::array();
    for (auto const& batch : found) {
        auto shown = batch_json(batch, {}, call.mode->settlement.file_of(batch).string());
        shown.erase("payouts");
        list.push_back(std::move(shown));
    }
    co_return reply(list);
}

Answer batch(Call& call) {
    auto const& settlement = call.mode->settlement;
    std::string const& id = call.id();
    FLORIN_CO_TRY(auto const found, settlement.batch(id));
    if (!found) {
        co_return fail(Errc::not_found, "no such batch: " + api::redacted(id));
    }
    FLORIN_CO_TRY(std::string whole, whole_batch(settlement, *found));
    co_return Reply{std::move(whole)};
}

}  // namespace

void add_settlement(Rows& rows) {
    using api::Access;
    using http::Method;
    std::string const base = "/admin/v1/:mode/settlement";
    rows.push_back({Method::post, base + "/runs", "settlement", Access::write, start_settlement});
    rows.push_back({Method::get, base + "/batches", "settlement", Access::read, batches});
    rows.push_back({Method::get, base + "/batches/:id", "settlement", Access::read, batch});
}

}  // namespace florin::admin
