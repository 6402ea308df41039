// The live views: what documents, timers, events and counters look like in the state store, and how
// they look at the decided front.
//
// One function turns an effect into store changes; the ledger thread uses it when it decides,
// replay and verify use it when they read the journal, so the two cannot drift apart. Thread rule:
// the ledger thread only (live_changes is a pure function).
#pragma once

#include "ledger/effects.h"
#include "ledger/journal.h"
#include "ledger/state_store.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace florin::ledger {

// The body of a record's payload; nullptr where it was dropped.
using PayloadLookup = std::function<Payload const*(std::uint32_t index)>;

// Changes of the live tables that an effect of record `sequence` makes; none for kernel effects.
// `event_index` counts the record's events. A dropped payload leaves a document without a body.
std::vector<Change> live_changes(
    Effect const& effect, Sequence sequence, std::uint32_t event_index, PayloadLookup const& payload
);

// Live tables as decided: the store, and over it what has not been applied yet.
class LiveFront {
public:
    explicit LiveFront(StateStore const& store) : store_{store} {}

    Result<std::optional<std::string>> get(Table table, std::string const& key) const;
    void put(Change const& change, Sequence sequence);
    // Forgets what the store knows by now.
    void applied_up_to(Sequence sequence);

private:
    struct Decided {
        std::optional<std::string> value;
        Sequence sequence;
    };
    StateStore const& store_;
    std::map<std::pair<Table, std::string>, Decided> decided_;
    std::multimap<Sequence, std::pair<Table, std::string>> by_sequence_;
};

}  // namespace florin::ledger
