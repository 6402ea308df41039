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
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace florin::ledger {

// The body of a record's payload; nullptr where it was dropped.
using PayloadLookup = std::function<Payload const*(std::uint32_t index)>;

// Changes of the live tables that an effect of record `sequence` makes; none for kernel effects.
// `event_index` counts the record's events. A dropped payload leaves a document without a body.
std::vector<Change> live_changes(
    Effect const& effect, Sequence sequence, std::uint32_t event_index, PayloadLookup const& payload
);
// The same behind what `changes` holds already, for an effect whose type is known.
template <class E>
void add_live_changes(
    E const& effect,
    Sequence sequence,
    std::uint32_t event_index,
    PayloadLookup const& payload,
    std::vector<Change>& changes
);

// Live tables as decided: the store, and over it what has not been applied yet. What was applied
// lately stays too, as far as there is room: what is changed was mostly just made, and asking the
// store costs more.
//
// Of documents it knows the version alone, of events nothing: no decision asks for more.
class LiveFront {
public:
    explicit LiveFront(StateStore const& store) : store_{store} {}

    // Of a document only what stands before its body; never of an event.
    Result<std::optional<std::string>> get(Table table, std::string const& key);
    void put(Change const& change, Sequence sequence);
    // What the store knows by now may be forgotten.
    void applied_up_to(Sequence sequence);

private:
    // A generation that has so many is followed by a new one.
    static constexpr std::size_t kKept = 8'192;

    // What was decided up to `last`, by table and key. Generations are forgotten as a whole: an
    // entry costs one look when it is decided and none when it goes.
    struct Generation {
        std::unordered_map<std::string, std::optional<std::string>> entries;
        Sequence last = 0;
    };
    std::string const& name_of(Table table, std::string const& key);

    StateStore const& store_;
    Generation young_;
    Generation old_;    // where both have a key, the young one knows it
    std::string name_;  // kept for its memory
};

}  // namespace florin::ledger
