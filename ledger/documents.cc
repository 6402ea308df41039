#include "ledger/documents.h"

#include "ledger/base/check.h"
#include "ledger/body_codec.h"

#include <algorithm>

namespace florin::ledger {
namespace {

std::string kind_prefix(std::uint16_t kind) {
    std::string key;
    ByteWriter{key}.big(kind);
    return key;
}

// With room for `more` bytes behind it.
std::string owner_prefix(std::uint16_t kind, std::string_view owner, std::size_t more = 0) {
    std::string key;
    key.reserve(sizeof kind + owner.size() + 1 + more);
    ByteWriter{key}.big(kind);
    return key.append(owner) += '\0';
}

// The smallest key after every key that starts with `prefix`; empty: the end of the table.
std::string after_prefix(std::string prefix) {
    while (!prefix.empty()) {
        auto const last = static_cast<unsigned char>(prefix.back());
        if (last != 0xff) {
            prefix.back() = static_cast<char>(static_cast<unsigned char>(last + 1));
            return prefix;
        }
        prefix.pop_back();
    }
    return prefix;
}

std::string owner_event_prefix(std::string_view owner) {
    FLORIN_CHECK(owner.find('\0') == std::string_view::npos, "an owner has no zero byte");
    return "o" + std::string{owner} + '\0';
}

std::string event_id_prefix(std::string_view owner) {
    FLORIN_CHECK(owner.find('\0') == std::string_view::npos, "an owner has no zero byte");
    return "i" + std::string{owner} + '\0';
}

Result<void> decode_content(ByteReader& in, Event& event) {
    FLORIN_TRY(event.payload_index, in.little<std::uint32_t>());
    if (!in.at_end()) {
        FLORIN_TRY(event.document_kind, in.little<std::uint16_t>());
        FLORIN_TRY(event.document_index, in.little<std::uint32_t>());
    }
    return {};
}

// `position`: the key behind the owner.
Result<Event> decode_owner_event(std::string const& owner, ByteView position, ByteView value) {
    Event event;
    event.owner = owner;
    ByteReader keys{position, "state: key of an owner's event"};
    FLORIN_TRY(event.sequence, keys.big<std::uint64_t>());
    FLORIN_TRY(event.index, keys.big<std::uint32_t>());
    ByteReader in{value, "state: event of an owner"};
    FLORIN_TRY(event.id, in.sized());
    FLORIN_TRY(event.type, in.sized());
    FLORIN_TRY_VOID(decode_content(in, event));
    return event;
}

Result<Event> decode_event_id(std::string const& owner, ByteView id, ByteView value) {
    Event event;
    event.owner = owner;
    event.id = id;
    ByteReader in{value, "state: event by its id"};
    FLORIN_TRY(event.sequence, in.little<std::uint64_t>());
    FLORIN_TRY(event.index, in.little<std::uint32_t>());
    FLORIN_TRY(event.type, in.sized());
    FLORIN_TRY_VOID(decode_content(in, event));
    return event;
}

Result<Document> decode_document(ByteView key, ByteView value) {
    Document document;
    ByteReader keys{key, "state: key of a document"};
    FLORIN_TRY(document.key.kind, keys.big<std::uint16_t>());
    FLORIN_TRY(ByteView const rest, keys.take(keys.left()));
    auto const cut = rest.find('\0');
    if (cut == ByteView::npos) {
        return fail(Errc::corrupt, "state: key of a document without an owner");
    }
    document.key.owner = rest.substr(0, cut);
    document.key.id = rest.substr(cut + 1);
    ByteReader in{value, "state: document"};
    FLORIN_TRY(document.version, in.little<std::uint64_t>());
    FLORIN_TRY(document.sequence, in.little<std::uint64_t>());
    FLORIN_TRY_VOID(in.little<std::uint32_t>());
    FLORIN_TRY(auto const has_body, in.little<std::uint8_t>());
    FLORIN_TRY(ByteView const body, in.take(in.left()));
    if (has_body != 0) {
        FLORIN_TRY(document.body, unpack_body(body));
    }
    return document;
}

}  // namespace

std::string document_store_key(DocumentKey const& key) {
    FLORIN_CHECK(key.owner.find('\0') == std::string::npos, "an owner has no zero byte");
    return owner_prefix(key.kind, key.owner, key.id.size()) += key.id;
}

std::string timer_store_key(std::uint64_t due_ns, std::uint16_t kind, std::string_view key) {
    std::string store_key;
    ByteWriter out{store_key};
    out.big(due_ns);
    out.big(kind);
    out.raw(key);
    return store_key;
}

std::string event_owner_store_key(std::uint64_t sequence, std::string_view owner) {
    std::string key{"s"};
    ByteWriter out{key};
    out.big(sequence);
    out.raw(owner);
    return key;
}

std::string owner_event_store_key(
    std::string_view owner, std::uint64_t sequence, std::uint32_t index
) {
    std::string key = owner_event_prefix(owner);
    ByteWriter out{key};
    out.big(sequence);
    out.big(index);
    return key;
}

std::string event_id_store_key(std::string_view owner, std::string_view id) {
    return event_id_prefix(owner) + std::string{id};
}

std::string counter_last_store_key(std::string_view counter) {
    return "l" + std::string{counter};
}

std::string counter_held_store_key(std::string_view counter, std::uint64_t value) {
    std::string key = "h" + std::string{counter} + '\0';
    ByteWriter{key}.big(value);
    return key;
}

Result<std::optional<Document>> DocumentReader::get(DocumentKey const& key) const {
    std::string const store_key = document_store_key(key);
    FLORIN_TRY(auto const value, store_.get(Table::document, store_key));
    if (!value) {
        return std::nullopt;
    }
    FLORIN_TRY(Document document, decode_document(store_key, *value));
    return document;
}

Result<std::vector<Document>> DocumentReader::list(List const& list) const {
    std::string const prefix = owner_prefix(list.kind, list.owner);
    std::string from = prefix;
    std::string to = after_prefix(prefix);
    if (!list.after.empty()) {
        if (list.newest_first) {
            to = prefix + list.after;
        } else {
            from = prefix + list.after + '\0';
        }
    }
    std::vector<Document> documents;
    auto const collect = [&](ByteView key, ByteView value) -> Result<bool> {
        if (documents.size() >= list.limit) {
            return false;
        }
        FLORIN_TRY(Document document, decode_document(key, value));
        documents.push_back(std::move(document));
        return documents.size() < list.limit;
    };
    FLORIN_TRY_VOID(store_.scan(
        {.table = Table::document, .from = from, .to = to, .reverse = list.newest_first}, collect
    ));
    return documents;
}

Result<void> DocumentReader::each(
    std::uint16_t kind, std::function<Result<bool>(Document const& document)> const& visit
) const {
    std::string const prefix = kind_prefix(kind);
    auto const decode = [&](ByteView key, ByteView value) -> Result<bool> {
        FLORIN_TRY(Document const document, decode_document(key, value));
        return visit(document);
    };
    return store_.scan(
        {.table = Table::document, .from = prefix, .to = after_prefix(prefix)}, decode
    );
}

Result<std::vector<TimerSet>> DocumentReader::due_timers(std::uint64_t now_ns, std::size_t limit)
    const {
    std::vector<TimerSet> timers;
    auto const collect = [&](ByteView key, ByteView) -> Result<bool> {
        ByteReader in{key, "state: key of a timer"};
        TimerSet timer;
        FLORIN_TRY(timer.due_ns, in.big<std::uint64_t>());
        FLORIN_TRY(timer.kind, in.big<std::uint16_t>());
        FLORIN_TRY(ByteView const rest, in.take(in.left()));
        timer.key = rest;
        if (timer.due_ns > now_ns || timers.size() >= limit) {
            return false;
        }
        timers.push_back(std::move(timer));
        return true;
    };
    FLORIN_TRY_VOID(store_.scan({.table = Table::timer, .from = {}, .to = {}}, collect));
    return timers;
}

Result<std::optional<std::uint64_t>> DocumentReader::next_timer() const {
    FLORIN_TRY(auto const first, due_timers(~std::uint64_t{0}, 1));
    if (first.empty()) {
        return std::nullopt;
    }
    return first.front().due_ns;
}

Result<std::vector<DocumentReader::EventOwner>> DocumentReader::event_owners(
    EventOwner const& from, std::size_t limit
) const {
    std::vector<EventOwner> owners;
    auto const collect = [&](ByteView key, ByteView) -> Result<bool> {
        if (owners.size() >= limit) {
            return false;
        }
        EventOwner found;
        ByteReader in{key, "state: key of an owner of events"};
        FLORIN_TRY_VOID(in.take(1));
        FLORIN_TRY(found.sequence, in.big<std::uint64_t>());
        FLORIN_TRY(found.owner, in.take(in.left()));
        owners.push_back(std::move(found));
        return true;
    };
    FLORIN_TRY_VOID(store_.scan(
        {.table = Table::event,
         .from = event_owner_store_key(from.sequence, from.owner),
         .to = after_prefix("s")},
        collect
    ));
    return owners;
}

Result<std::vector<Event>> DocumentReader::events_of(
    std::string const& owner, std::uint64_t sequence, std::uint32_t index, std::size_t limit
) const {
    std::string const prefix = owner_event_prefix(owner);
    std::vector<Event> events;
    auto const collect = [&](ByteView key, ByteView value) -> Result<bool> {
        if (events.size() >= limit) {
            return false;
        }
        FLORIN_TRY(Event event, decode_owner_event(owner, key.substr(prefix.size()), value));
        events.push_back(std::move(event));
        return true;
    };
    FLORIN_TRY_VOID(store_.scan(
        {.table = Table::event,
         .from = owner_event_store_key(owner, sequence, index),
         .to = after_prefix(prefix)},
        collect
    ));
    return events;
}

Result<std::optional<Event>> DocumentReader::event(std::string const& owner, std::string const& id)
    const {
    FLORIN_TRY(auto const value, store_.get(Table::event, event_id_store_key(owner, id)));
    if (!value) {
        return std::nullopt;
    }
    FLORIN_TRY(Event event, decode_event_id(owner, id, *value));
    return event;
}

Result<std::vector<Event>> DocumentReader::list_events(EventList const& list) const {
    std::string const prefix = event_id_prefix(list.owner);
    std::string from = prefix + list.least;
    std::string to = after_prefix(prefix);
    if (!list.after.empty()) {
        if (list.newest_first) {
            to = prefix + list.after;
        } else {
            from = std::max(from, prefix + list.after + '\0');
        }
    }
    std::vector<Event> events;
    if (from >= to) {
        return events;
    }
    auto const collect = [&](ByteView key, ByteView value) -> Result<bool> {
        if (events.size() >= list.limit) {
            return false;
        }
        FLORIN_TRY(Event event, decode_event_id(list.owner, key.substr(prefix.size()), value));
        events.push_back(std::move(event));
        return true;
    };
    FLORIN_TRY_VOID(store_.scan(
        {.table = Table::event, .from = from, .to = to, .reverse = list.newest_first}, collect
    ));
    return events;
}

Result<std::vector<DocumentReader::Held>> DocumentReader::held(std::string_view counter) const {
    std::string const prefix = "h" + std::string{counter} + '\0';
    std::vector<Held> held;
    auto const collect = [&](ByteView key, ByteView value) -> Result<bool> {
        ByteReader in{key.substr(prefix.size()), "state: key of a counter"};
        Held entry;
        FLORIN_TRY(entry.value, in.big<std::uint64_t>());
        entry.holder = value;
        held.push_back(std::move(entry));
        return true;
    };
    FLORIN_TRY_VOID(
        store_.scan({.table = Table::counter, .from = prefix, .to = after_prefix(prefix)}, collect)
    );
    return held;
}

}  // namespace florin::ledger
