#include "daemon/flow/event_text.h"

#include "daemon/model/events.h"

namespace florin::flow {

Result<std::optional<std::string>> event_text(
    ledger::Ledger const& ledger,
    Renderer const& renderer,
    ledger::Event const& event,
    std::int64_t pending_webhooks
) {
    FLORIN_TRY(auto const body, ledger.payload(event.sequence, event.payload_index));
    if (!body) {
        return std::nullopt;
    }
    if (event.document_kind == 0) {
        return model::event_json(event, *body, pending_webhooks);
    }
    FLORIN_TRY(auto const document, ledger.payload(event.sequence, event.document_index));
    if (!document) {
        return std::nullopt;
    }
    auto const kind = static_cast<model::Kind>(event.document_kind);
    FLORIN_TRY(std::string const object, renderer.document(kind, event.owner, *document));
    return model::event_json(
        event, model::event_body_about(event, *body, object), pending_webhooks
    );
}

}  // namespace florin::flow
