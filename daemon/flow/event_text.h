// Events as merchants read them, from what the journal has of them.
// Thread rule: any thread.
#pragma once

#include "daemon/flow/render.h"
#include "ledger/ledger.h"

#include <optional>
#include <string>

namespace florin::flow {

// The event as JSON. `pending_webhooks`: endpoints that have not taken it. nullopt: what it is made
// of was forgotten.
Result<std::optional<std::string>> event_text(
    ledger::Ledger const& ledger,
    Renderer const& renderer,
    ledger::Event const& event,
    std::int64_t pending_webhooks
);

}  // namespace florin::flow
