#include "daemon/webhooks/cleanup.h"

#include "daemon/flow/store.h"
#include "daemon/model/documents.h"
#include "daemon/model/events.h"
#include "daemon/model/ids.h"
#include "daemon/model/webhooks.h"

namespace florin::webhooks {
namespace {

using model::Kind;

// The first documents of a kind that belong to a queue, in the order of their ids.
Result<std::vector<ledger::Document>> first_of(
    ledger::DocumentReader const& reader,
    Kind kind,
    std::string const& owner,
    std::string const& queue
) {
    constexpr std::size_t kPage = 200;
    std::string const prefix = queue + "/";
    FLORIN_TRY(
        auto page,
        reader.list(
            {.kind = static_cast<std::uint16_t>(kind),
             .owner = owner,
             .after = prefix,
             .newest_first = false,
             .limit = kPage}
        )
    );
    std::erase_if(page, [&](ledger::Document const& document) {
        return !document.key.id.starts_with(prefix);
    });
    return page;
}

}  // namespace

Result<ledger::Command> next_to_sweep(
    ledger::DocumentReader const& reader, std::string const& owner, std::string const& queue
) {
    flow::Change change{owner};
    for (Kind const kind : {Kind::webhook_due, Kind::webhook_delivery, Kind::webhook_gap}) {
        FLORIN_TRY(auto const page, first_of(reader, kind, owner, queue));
        for (ledger::Document const& document : page) {
            change.remove(kind, document.key.id, document.version);
        }
    }
    if (change.command.removes.empty()) {
        FLORIN_TRY(
            auto const document, reader.get(model::key_of(Kind::webhook_queue, owner, queue))
        );
        if (document) {
            change.remove(Kind::webhook_queue, queue, document->version);
        }
    }
    return std::move(change.command);
}

Result<ledger::Command> next_to_purge(
    ledger::DocumentReader const& reader,
    std::string const& owner,
    std::string const& queue,
    std::uint64_t now_ns
) {
    std::uint64_t const kept_ns = now_ns > model::kEventKeptNs ? now_ns - model::kEventKeptNs : 0;
    flow::Change change{owner};
    // Both are in the order of time.
    FLORIN_TRY(auto const deliveries, first_of(reader, Kind::webhook_delivery, owner, queue));
    std::string const first_kept = queue + "/" + model::id_from("evt", kept_ns);
    for (ledger::Document const& document : deliveries) {
        if (document.key.id >= first_kept) {
            break;
        }
        FLORIN_TRY(
            auto const delivery,
            model::from_text<model::WebhookDelivery>(document.body.value_or(""))
        );
        if (delivery.state == "given_up") {
            change.remove(Kind::webhook_delivery, document.key.id, document.version);
        }
    }
    FLORIN_TRY(auto const gaps, first_of(reader, Kind::webhook_gap, owner, queue));
    // The last one may still be growing.
    for (std::size_t i = 0; i + 1 < gaps.size(); ++i) {
        FLORIN_TRY(auto const gap, model::from_text<model::WebhookGap>(gaps[i].body.value_or("")));
        if (static_cast<std::uint64_t>(gap.until) >= kept_ns / 1'000'000'000) {
            break;
        }
        change.remove(Kind::webhook_gap, gaps[i].key.id, gaps[i].version);
    }
    return std::move(change.command);
}

}  // namespace florin::webhooks
