#include "daemon/webhooks/pending.h"

#include "daemon/flow/store.h"
#include "daemon/webhooks/rules.h"

namespace florin::webhooks {

std::uint64_t start_of(model::WebhookQueue const& queue, std::uint64_t written_at) {
    return queue.start != 0 ? queue.start : written_at + 1;
}

model::Place cursor_of(model::WebhookQueue const& queue, std::uint64_t written_at) {
    if (queue.sequence == 0) {
        return {.sequence = start_of(queue, written_at), .index = 0};
    }
    return {.sequence = queue.sequence, .index = static_cast<std::uint32_t>(queue.index)};
}

Result<PendingEndpoints> PendingEndpoints::load(
    ledger::DocumentReader const& reader, std::string const& owner
) {
    PendingEndpoints pending{reader};
    auto const add = [&](std::string const&,
                         flow::Stored<model::WebhookEndpoint> endpoint) -> Result<bool> {
        if (endpoint.value.queue.empty()) {
            return true;
        }
        FLORIN_TRY(
            auto const document,
            reader.get(model::key_of(model::Kind::webhook_queue, owner, endpoint.value.queue))
        );
        if (!document) {
            return true;  // disabled or deleted between the two reads
        }
        FLORIN_TRY(
            auto const queue, model::from_text<model::WebhookQueue>(document->body.value_or(""))
        );
        pending.endpoints_.push_back(
            {.queue = endpoint.value.queue,
             .enabled_events = std::move(endpoint.value.enabled_events),
             .start = start_of(queue, document->sequence),
             .cursor = cursor_of(queue, document->sequence)}
        );
        return true;
    };
    FLORIN_TRY_VOID(flow::each_of<model::WebhookEndpoint>(reader, owner, {}, add));
    return pending;
}

Result<std::int64_t> PendingEndpoints::count(ledger::Event const& event) const {
    std::int64_t count = 0;
    for (Served const& endpoint : endpoints_) {
        if (!wants(endpoint.enabled_events, event.type) || event.sequence < endpoint.start) {
            continue;
        }
        FLORIN_TRY(bool const served, is_served(endpoint, event));
        count += served ? 0 : 1;
    }
    return count;
}

Result<bool> PendingEndpoints::is_served(Served const& endpoint, ledger::Event const& event) const {
    model::Place const place{.sequence = event.sequence, .index = event.index};
    if (place >= endpoint.cursor) {
        return false;
    }
    FLORIN_TRY(
        auto const delivery,
        reader_->get(model::key_of(
            model::Kind::webhook_delivery,
            event.owner,
            model::webhook_delivery_id(endpoint.queue, event.id)
        ))
    );
    if (delivery) {
        return false;
    }
    // The last gap that begins at or before this place.
    std::string const prefix = endpoint.queue + "/";
    FLORIN_TRY(
        auto const gaps,
        reader_->list(
            {.kind = static_cast<std::uint16_t>(model::Kind::webhook_gap),
             .owner = event.owner,
             .after = model::webhook_gap_id(endpoint.queue, place) + "~",
             .newest_first = true,
             .limit = 1}
        )
    );
    if (gaps.empty() || !gaps[0].key.id.starts_with(prefix)) {
        return true;
    }
    FLORIN_TRY(auto const gap, model::from_text<model::WebhookGap>(gaps[0].body.value_or("")));
    model::Place const last{
        .sequence = gap.sequence, .index = static_cast<std::uint32_t>(gap.index)
    };
    return place > last;
}

}  // namespace florin::webhooks
