#include "ledger/live.h"

#include "ledger/documents.h"

namespace florin::ledger {
namespace {

constexpr std::uint32_t kNoPayload = 0xffffffff;

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

// One entry for each way of finding it (documents.h).
void add_event(
    EventRecorded const& event, Sequence sequence, std::uint32_t index, std::vector<Change>& changes
) {
    std::string by_place;
    ByteWriter place{by_place};
    place.sized(event.owner);
    place.sized(event.id);
    place.sized(event.type);
    place.little(event.body.index);
    changes.push_back({Table::event, event_store_key(sequence, index), std::move(by_place)});
    std::string by_owner;
    ByteWriter owner{by_owner};
    owner.sized(event.id);
    owner.sized(event.type);
    owner.little(event.body.index);
    changes.push_back(
        {Table::event, owner_event_store_key(event.owner, sequence, index), std::move(by_owner)}
    );
    std::string by_id;
    ByteWriter id{by_id};
    id.little(sequence);
    id.little(index);
    id.sized(event.type);
    id.little(event.body.index);
    changes.push_back({Table::event, event_id_store_key(event.owner, event.id), std::move(by_id)});
}

}  // namespace

std::vector<Change> live_changes(
    Effect const& effect, Sequence sequence, std::uint32_t event_index, PayloadLookup const& payload
) {
    std::vector<Change> changes;
    if (auto const* written = std::get_if<DocumentWritten>(&effect)) {
        changes.push_back(
            {Table::document,
             document_store_key(written->key),
             document_value(*written, sequence, payload)}
        );
    } else if (auto const* removed = std::get_if<DocumentRemoved>(&effect)) {
        changes.push_back({Table::document, document_store_key(removed->key), std::nullopt});
    } else if (auto const* set = std::get_if<TimerSet>(&effect)) {
        changes.push_back(
            {Table::timer, timer_store_key(set->due_ns, set->kind, set->key), std::string{}}
        );
    } else if (auto const* cleared = std::get_if<TimerCleared>(&effect)) {
        changes.push_back(
            {Table::timer, timer_store_key(cleared->due_ns, cleared->kind, cleared->key), {}}
        );
    } else if (auto const* event = std::get_if<EventRecorded>(&effect)) {
        add_event(*event, sequence, event_index, changes);
    } else if (auto const* taken = std::get_if<CounterTaken>(&effect)) {
        std::string last;
        ByteWriter{last}.little(taken->value);
        changes.push_back({Table::counter, counter_last_store_key(taken->counter), last});
        changes.push_back(
            {Table::counter, counter_held_store_key(taken->counter, taken->value), taken->holder}
        );
    } else if (auto const* released = std::get_if<CounterReleased>(&effect)) {
        changes.push_back(
            {Table::counter, counter_held_store_key(released->counter, released->value), {}}
        );
    }
    return changes;
}

Result<std::optional<std::string>> LiveFront::get(Table table, std::string const& key) const {
    if (auto const found = decided_.find({table, key}); found != decided_.end()) {
        return found->second.value;
    }
    return store_.get(table, key);
}

void LiveFront::put(Change const& change, Sequence sequence) {
    std::pair const key{change.table, change.key};
    decided_.insert_or_assign(key, Decided{.value = change.value, .sequence = sequence});
    by_sequence_.emplace(sequence, key);
}

void LiveFront::applied_up_to(Sequence sequence) {
    auto const end = by_sequence_.upper_bound(sequence);
    for (auto entry = by_sequence_.begin(); entry != end; ++entry) {
        auto const found = decided_.find(entry->second);
        if (found != decided_.end() && found->second.sequence <= sequence) {
            decided_.erase(found);
        }
    }
    by_sequence_.erase(by_sequence_.begin(), end);
}

}  // namespace florin::ledger
