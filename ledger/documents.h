// Documents: versioned bodies under (kind, owner, id), read by any thread from the state store.
//
// A reader sees what has been answered to somebody: a write is applied after it is durable and
// before it is answered. Listing order is the byte order of ids, so ids that start with their
// creation time list in order of creation.
//
//   key of table document   := kind u16 big-endian, owner, 0x00, id
//   value                   := version u64, sequence u64, payload index u32, body present u8, body
//   key of table timer      := due_ns u64 big-endian, kind u16 big-endian, key
//   table event             := an entry for each way to find one; numbers in keys big-endian, texts
//                              in values as u32 length and bytes:
//     's' sequence u64, owner                   -> nothing: this record has events of this owner
//     'o' owner, 0x00, sequence u64, index u32  -> id, type, content
//     'i' owner, 0x00, id                       -> sequence u64, index u32, type, content
//     content := payload index u32; of an event about a document also its kind u16 and the index
//                u32 of its payload
//   key of table counter    := 'l' counter (value: last u64 given) or
//                              'h' counter 0x00 value u64 big-endian (value: holder)
#pragma once

#include "ledger/effects.h"
#include "ledger/state_store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace florin::ledger {

std::string document_store_key(DocumentKey const& key);
std::string timer_store_key(std::uint64_t due_ns, std::uint16_t kind, std::string_view key);
std::string event_owner_store_key(std::uint64_t sequence, std::string_view owner);
std::string owner_event_store_key(
    std::string_view owner, std::uint64_t sequence, std::uint32_t index
);
std::string event_id_store_key(std::string_view owner, std::string_view id);
std::string counter_last_store_key(std::string_view counter);
std::string counter_held_store_key(std::string_view counter, std::uint64_t value);

struct Document {
    DocumentKey key;
    std::uint64_t version = 0;
    std::uint64_t sequence = 0;       // record that wrote it
    std::optional<std::string> body;  // nullopt: forgotten
};

struct Event {
    std::uint64_t sequence = 0;
    std::uint32_t index = 0;
    std::string owner;
    std::string id;
    std::string type;
    std::uint32_t payload_index = 0;
    // Of the document that it is about, as its record wrote it; kind 0: it is about none.
    std::uint16_t document_kind = 0;
    std::uint32_t document_index = 0;
};

// Thread rule: any thread, at any time.
class DocumentReader {
public:
    explicit DocumentReader(StateStore const& store) : store_{store} {}

    // nullopt: there is no such document.
    Result<std::optional<Document>> get(DocumentKey const& key) const;

    struct List {
        std::uint16_t kind = 0;
        std::string owner;
        std::string after;  // ids strictly after this one in the direction of travel; empty: all
        bool newest_first = true;
        std::size_t limit = 100;
    };
    Result<std::vector<Document>> list(List const& list) const;

    // Every document of a kind, whoever owns it, until the visitor answers false.
    Result<void> each(
        std::uint16_t kind, std::function<Result<bool>(Document const& document)> const& visit
    ) const;

    // Timers due at or before `now_ns`, earliest first.
    Result<std::vector<TimerSet>> due_timers(std::uint64_t now_ns, std::size_t limit) const;
    // The earliest timer's due time; nullopt: there is none.
    Result<std::optional<std::uint64_t>> next_timer() const;

    // Who has events in which records, from one on, in the order of records and owners.
    struct EventOwner {
        std::uint64_t sequence = 0;
        std::string owner;
        friend bool operator==(EventOwner const&, EventOwner const&) = default;
    };
    Result<std::vector<EventOwner>> event_owners(EventOwner const& from, std::size_t limit) const;
    // One owner's events from (sequence, index) on, in the order of the journal, without looking at
    // anybody else's.
    Result<std::vector<Event>> events_of(
        std::string const& owner, std::uint64_t sequence, std::uint32_t index, std::size_t limit
    ) const;
    // nullopt: this owner has no event of that id.
    Result<std::optional<Event>> event(std::string const& owner, std::string const& id) const;
    // One owner's events in the order of their ids.
    struct EventList {
        std::string owner;
        std::string after;  // ids strictly after this one in the direction of travel; empty: all
        std::string least;  // no ids before this one; empty: all
        bool newest_first = true;
        std::size_t limit = 100;
    };
    Result<std::vector<Event>> list_events(EventList const& list) const;

    // Who holds which numbers of a counter.
    struct Held {
        std::uint64_t value = 0;
        std::string holder;
    };
    Result<std::vector<Held>> held(std::string_view counter) const;

private:
    StateStore const& store_;
};

}  // namespace florin::ledger
