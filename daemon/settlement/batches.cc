// What runs have made, for whoever asks: batches, their payouts, their files.
#include "daemon/settlement/settlement.h"

namespace florin::settlement {

Result<std::vector<model::SettlementBatch>> Settlement::batches(std::size_t limit) const {
    FLORIN_TRY(
        auto const documents,
        parts_.ledger.documents().list(
            {.kind = static_cast<std::uint16_t>(model::Kind::settlement_batch),
             .owner = platform(),
             .after = {},
             .newest_first = true,
             .limit = limit}
        )
    );
    std::vector<model::SettlementBatch> found;
    for (ledger::Document const& document : documents) {
        FLORIN_TRY(
            auto batch, model::from_text<model::SettlementBatch>(document.body.value_or(""))
        );
        found.push_back(std::move(batch));
    }
    return found;
}

Result<std::optional<model::SettlementBatch>> Settlement::batch(std::string const& id) const {
    FLORIN_TRY(
        auto const found,
        flow::load<model::SettlementBatch>(parts_.ledger.documents(), platform(), id)
    );
    if (!found) {
        return std::nullopt;
    }
    return found->value;
}

Result<std::vector<model::Payout>> Settlement::payouts(std::string const& batch) const {
    auto const& reader = parts_.ledger.documents();
    std::vector<model::Payout> found;
    std::string const prefix = batch + "/";
    auto const add = [&](std::string const& id, auto const& place) -> Result<bool> {
        if (!id.starts_with(prefix)) {
            return false;
        }
        FLORIN_TRY(
            auto payout,
            flow::load_known<model::Payout>(reader, place.value.owner, place.value.payout)
        );
        found.push_back(std::move(payout.value));
        return true;
    };
    FLORIN_TRY_VOID(flow::each_of<model::BatchPayout>(reader, platform(), prefix, add));
    return found;
}

std::filesystem::path Settlement::file_of(model::SettlementBatch const& batch) const {
    return parts_.outbox.path_of(batch.file);
}

}  // namespace florin::settlement
