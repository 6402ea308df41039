// How many endpoints have not been served with an event, from what is stored.
//
// Counted are the enabled endpoints that want the event's type and were there when it was recorded.
// One that gave up is still not served. Thread rule: any thread; a value is of the moment at which
// it was loaded.
#pragma once

#include "daemon/model/webhooks.h"
#include "ledger/documents.h"

#include <string>
#include <vector>

namespace florin::webhooks {

class PendingEndpoints {
public:
    // The endpoints of an owner. `reader` outlives this.
    static Result<PendingEndpoints> load(
        ledger::DocumentReader const& reader, std::string const& owner
    );
    Result<std::int64_t> count(ledger::Event const& event) const;

private:
    explicit PendingEndpoints(ledger::DocumentReader const& reader) : reader_{&reader} {}
    struct Served {
        std::string queue;
        std::vector<std::string> enabled_events;
        std::uint64_t start = 0;  // first record
        model::Place cursor;
    };
    Result<bool> is_served(Served const& endpoint, ledger::Event const& event) const;

    ledger::DocumentReader const* reader_;
    std::vector<Served> endpoints_;
};

// The first record a queue is about, and where it goes on. `written_at`: the record its document
// was written by.
std::uint64_t start_of(model::WebhookQueue const& queue, std::uint64_t written_at);
model::Place cursor_of(model::WebhookQueue const& queue, std::uint64_t written_at);

}  // namespace florin::webhooks
