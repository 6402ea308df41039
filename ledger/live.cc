#include "ledger/live.h"

#include "ledger/documents.h"

namespace florin::ledger {
namespace {

constexpr std::uint32_t kNoPayload = 0xffffffff;
constexpr std::size_t kDocumentVersionBytes = sizeof(std::uint64_t);  // a value begins with it

std::string document_value(
    DocumentWritten const& written, Sequence sequence, PayloadLookup const& payload
) {
    std::string value;
    ByteWriter out{value};
    out.little(written.version);
    out.little(sequence);
    if (auto const* body = std::get_if<std::string>(&written.body)) {
        out.little(kNoPayload);
        out.little(std::uint8_t{1});
        out.raw(*body);
        return value;
    }
    auto const& reference = std::get<PayloadReference>(written.body);
    Payload const* const body = payload(reference.index);
    out.little(reference.index);
    out.little(static_cast<std::uint8_t>(body != nullptr ? 1 : 0));
    if (body != nullptr) {
        out.raw(*body);
    }
    return value;
}

// One entry for each way of finding it (documents.h). `about`: nullptr where it is about no
// document.
void add_event(
    EventRecorded const& event,
    DocumentEventRecorded const* about,
    Sequence sequence,
    std::uint32_t index,
    std::vector<Change>& changes
) {
    auto const add_content = [&](ByteWriter& out) {
        out.little(event.body.index);
        if (about != nullptr) {
            out.little(about->kind);
            out.little(about->document);
        }
    };
    changes.push_back({Table::event, event_owner_store_key(sequence, event.owner), std::string{}});
    std::string by_owner;
    ByteWriter owner{by_owner};
    owner.sized(event.id);
    owner.sized(event.type);
    add_content(owner);
    changes.push_back(
        {Table::event, owner_event_store_key(event.owner, sequence, index), std::move(by_owner)}
    );
    std::string by_id;
    ByteWriter id{by_id};
    id.little(sequence);
    id.little(index);
    id.sized(event.type);
    add_content(id);
    changes.push_back({Table::event, event_id_store_key(event.owner, event.id), std::move(by_id)});
}

void add(
    DocumentWritten const& written,
    Sequence sequence,
    std::uint32_t,
    PayloadLookup const& payload,
    std::vector<Change>& changes
) {
    changes.push_back(
        {Table::document,
         document_store_key(written.key),
         document_value(written, sequence, payload)}
    );
}
void add(
    DocumentRemoved const& removed,
    Sequence,
    std::uint32_t,
    PayloadLookup const&,
    std::vector<Change>& changes
) {
    changes.push_back({Table::document, document_store_key(removed.key), std::nullopt});
}
void add(
    TimerSet const& set, Sequence, std::uint32_t, PayloadLookup const&, std::vector<Change>& changes
) {
    changes.push_back({Table::timer, timer_store_key(set.due_ns, set.kind, set.key), std::string{}}
    );
}
void add(
    TimerCleared const& cleared,
    Sequence,
    std::uint32_t,
    PayloadLookup const&,
    std::vector<Change>& changes
) {
    changes.push_back(
        {Table::timer, timer_store_key(cleared.due_ns, cleared.kind, cleared.key), std::nullopt}
    );
}
void add(
    EventRecorded const& event,
    Sequence sequence,
    std::uint32_t event_index,
    PayloadLookup const&,
    std::vector<Change>& changes
) {
    add_event(event, nullptr, sequence, event_index, changes);
}
void add(
    DocumentEventRecorded const& recorded,
    Sequence sequence,
    std::uint32_t event_index,
    PayloadLookup const&,
    std::vector<Change>& changes
) {
    add_event(recorded.event, &recorded, sequence, event_index, changes);
}
void add(
    CounterTaken const& taken,
    Sequence,
    std::uint32_t,
    PayloadLookup const&,
    std::vector<Change>& changes
) {
    std::string last;
    ByteWriter{last}.little(taken.value);
    changes.push_back({Table::counter, counter_last_store_key(taken.counter), last});
    changes.push_back(
        {Table::counter, counter_held_store_key(taken.counter, taken.value), taken.holder}
    );
}
void add(
    CounterReleased const& released,
    Sequence,
    std::uint32_t,
    PayloadLookup const&,
    std::vector<Change>& changes
) {
    changes.push_back(
        {Table::counter, counter_held_store_key(released.counter, released.value), std::nullopt}
    );
}

}  // namespace

template <class E>
void add_live_changes(
    E const& effect,
    Sequence sequence,
    std::uint32_t event_index,
    PayloadLookup const& payload,
    std::vector<Change>& changes
) {
    add(effect, sequence, event_index, payload, changes);
}

#define FLORIN_LIVE_EFFECT(E) \
    template void             \
    add_live_changes(E const&, Sequence, std::uint32_t, PayloadLookup const&, std::vector<Change>&);
FLORIN_LIVE_EFFECT(DocumentWritten)
FLORIN_LIVE_EFFECT(DocumentRemoved)
FLORIN_LIVE_EFFECT(TimerSet)
FLORIN_LIVE_EFFECT(TimerCleared)
FLORIN_LIVE_EFFECT(EventRecorded)
FLORIN_LIVE_EFFECT(DocumentEventRecorded)
FLORIN_LIVE_EFFECT(CounterTaken)
FLORIN_LIVE_EFFECT(CounterReleased)
#undef FLORIN_LIVE_EFFECT

std::vector<Change> live_changes(
    Effect const& effect, Sequence sequence, std::uint32_t event_index, PayloadLookup const& payload
) {
    std::vector<Change> changes;
    std::visit(
        [&](auto const& e) {
            if constexpr (requires { add(e, sequence, event_index, payload, changes); }) {
                add(e, sequence, event_index, payload, changes);
            }
        },
        effect
    );
    return changes;
}

std::string const& LiveFront::name_of(Table table, std::string const& key) {
    name_.assign(1, static_cast<char>(table));
    return name_.append(key);
}

Result<std::optional<std::string>> LiveFront::get(Table table, std::string const& key) {
    std::string const& name = name_of(table, key);
    for (Generation const* const generation : {&young_, &old_}) {
        if (auto const found = generation->entries.find(name); found != generation->entries.end()) {
            return found->second;
        }
    }
    return store_.get(table, key);
}

void LiveFront::put(Change const& change, Sequence sequence) {
    if (change.table == Table::event) {
        return;
    }
    auto& value = young_.entries[name_of(change.table, change.key)];
    bool const is_document = change.table == Table::document;
    if (change.value && is_document && change.value->size() > kDocumentVersionBytes) {
        value = change.value->substr(0, kDocumentVersionBytes);
    } else {
        value = change.value;
    }
    young_.last = sequence;
}

void LiveFront::applied_up_to(Sequence sequence) {
    if (young_.entries.size() >= kKept && old_.last <= sequence) {
        old_.entries.clear();
        std::swap(old_, young_);
    }
}

}  // namespace florin::ledger
