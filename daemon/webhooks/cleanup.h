// What is removed from the queues of endpoints, some hundred documents at a time: a command that
// removes the next of them, to be committed and asked for again. An empty one: nothing is left.
// Thread rule: any thread.
#pragma once

#include "ledger/command.h"
#include "ledger/documents.h"

#include <cstdint>
#include <string>

namespace florin::webhooks {

// Of a queue that nobody wants any more: all that belonged to it, and at last the queue itself.
Result<ledger::Command> next_to_sweep(
    ledger::DocumentReader const& reader, std::string const& owner, std::string const& queue
);

// Of a queue that lives on: deliveries that were given up and gaps, of events that are older than
// events are kept (model::kEventKeptNs). `now_ns` since 1970.
Result<ledger::Command> next_to_purge(
    ledger::DocumentReader const& reader,
    std::string const& owner,
    std::string const& queue,
    std::uint64_t now_ns
);

}  // namespace florin::webhooks
