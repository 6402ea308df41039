// Typed reading of documents, and a command in the making.
// Thread rule: reading from any thread; a Change belongs to its coroutine.
#pragma once

#include "daemon/model/documents.h"
#include "daemon/model/events.h"
#include "daemon/model/ids.h"
#include "ledger/command.h"
#include "ledger/documents.h"

#include <optional>
#include <string>

namespace florin::flow {

// A document and the version it was read at; version 0: not stored yet.
template <class T>
struct Stored {
    T value{};
    std::uint64_t version = 0;
};

// nullopt: there is no such document.
template <class T>
Result<std::optional<Stored<T>>> load(
    ledger::DocumentReader const& reader, std::string const& owner, std::string const& id
) {
    FLORIN_TRY(auto const document, reader.get(model::key_of(T::kKind, owner, id)));
    if (!document || !document->body) {
        return std::nullopt;
    }
    FLORIN_TRY(T value, model::from_text<T>(*document->body));
    return Stored<T>{std::move(value), document->version};
}

// The same where it must be there: Errc::corrupt otherwise.
template <class T>
Result<Stored<T>> load_known(
    ledger::DocumentReader const& reader, std::string const& owner, std::string const& id
) {
    FLORIN_TRY(auto document, load<T>(reader, owner, id));
    if (!document) {
        return fail(Errc::corrupt, "document " + owner + "/" + id + " is gone");
    }
    return std::move(*document);
}

// Whether there is such a document, with or without a body.
inline Result<bool> is_there(
    ledger::DocumentReader const& reader,
    model::Kind kind,
    std::string const& owner,
    std::string const& id
) {
    FLORIN_TRY(auto const document, reader.get(model::key_of(kind, owner, id)));
    return document.has_value();
}

// Every document of one owner whose id comes after `after`, in the order of ids, until `visit`
// answers false: visit(std::string const& id, Stored<T> document) -> Result<bool>.
template <class T, class Visit>
Result<void> each_of(
    ledger::DocumentReader const& reader,
    std::string const& owner,
    std::string after,
    Visit const& visit
) {
    constexpr std::size_t kPage = 500;
    for (bool at_end = false; !at_end;) {
        FLORIN_TRY(
            auto const page,
            reader.list(
                {.kind = static_cast<std::uint16_t>(T::kKind),
                 .owner = owner,
                 .after = after,
                 .newest_first = false,
                 .limit = kPage}
            )
        );
        at_end = page.size() < kPage;
        for (ledger::Document const& document : page) {
            after = document.key.id;
            FLORIN_TRY(T value, model::from_text<T>(document.body.value_or("")));
            FLORIN_TRY(
                bool const go_on, visit(after, Stored<T>{std::move(value), document.version})
            );
            if (!go_on) {
                return {};
            }
        }
    }
    return {};
}

// A command in the making, for one owner, and because of what.
class Change {
public:
    explicit Change(std::string owner, model::Cause cause = {})
        : owner_{std::move(owner)}, cause_{std::move(cause)} {}

    template <class T>
    void put(std::string id, T const& value, std::uint64_t expected_version) {
        put_for(owner_, std::move(id), value, expected_version);
    }
    // For a document that belongs to somebody else than the rest.
    template <class T>
    void put_for(
        std::string owner, std::string id, T const& value, std::uint64_t expected_version
    ) {
        command.puts.push_back(
            {.key = model::key_of(T::kKind, std::move(owner), std::move(id)),
             .expected_version = expected_version,
             .body = model::to_text(value)}
        );
    }
    template <class T>
    void put(std::string id, Stored<T> const& stored) {
        put(std::move(id), stored.value, stored.version);
    }
    void remove(model::Kind kind, std::string id, std::uint64_t version) {
        remove_for(owner_, kind, std::move(id), version);
    }
    void remove_for(std::string owner, model::Kind kind, std::string id, std::uint64_t version) {
        command.removes.push_back({model::key_of(kind, std::move(owner), std::move(id)), version});
    }
    // A document without a body, which says all there is to say by being there.
    void mark(model::Kind kind, std::string id) {
        command.puts.push_back(
            {.key = model::key_of(kind, owner_, std::move(id)),
             .expected_version = 0,
             .body = {},
             .detached = false}
        );
    }
    // A way to find `to` from `from` (Kind says which).
    void link(model::Kind kind, std::string_view from, std::string_view to) {
        mark(kind, model::link_id(from, to));
    }
    void unlink(model::Kind kind, std::string_view from, std::string_view to) {
        remove(kind, model::link_id(from, to), 1);
    }
    // The command is refused where the document has another version by then.
    void guard(model::Kind kind, std::string id, std::uint64_t version) {
        command.guards.push_back(
            ledger::DocumentGuard{model::key_of(kind, owner_, std::move(id)), version}
        );
    }
    // Of a document that this change writes, before or after this: it is shown as it was written.
    void event_about(model::IdMaker& ids, std::string type, model::Kind kind, std::string id) {
        command.events.push_back(
            {.owner = owner_,
             .id = ids.make("evt"),
             .type = std::move(type),
             .body = model::event_body(cause_),
             .document = model::key_of(kind, owner_, std::move(id))}
        );
    }
    // `object` and `previous_attributes` (of an *.updated event) as JSON, as they are now.
    void event(
        model::IdMaker& ids,
        std::string type,
        std::string object,
        std::string previous_attributes = {}
    ) {
        std::string id = ids.make("evt");
        auto const made_ns = model::id_time_ns(id).value_or(0);
        std::string body = model::event_body(
            {.created = static_cast<std::int64_t>(made_ns / 1'000'000'000),
             .object = std::move(object),
             .previous_attributes = std::move(previous_attributes),
             .cause = cause_}
        );
        command.events.push_back(
            {.owner = owner_, .id = std::move(id), .type = std::move(type), .body = std::move(body)}
        );
    }
    void post(std::vector<ledger::Transfer> const& transfers) {
        command.transfers.insert(command.transfers.end(), transfers.begin(), transfers.end());
    }
    std::string const& owner() const { return owner_; }

    ledger::Command command;

private:
    std::string owner_;
    model::Cause cause_;
};

}  // namespace florin::flow
