// Events are found by place, by owner and place, and by owner and id; also after a restart and in
// views that were made anew from the journal.
#include "ledger/ledger.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <filesystem>

using namespace florin;
using namespace florin::ledger;

namespace {

using Ids = std::vector<std::string>;

class Rig {
public:
    Rig() { open(); }
    void open() {
        LedgerOptions options;
        options.data_dir = folder_.path() / "data";
        options.sync = false;
        auto opened = Ledger::open(options, clock_);
        REQUIRE(opened.has_value());
        ledger_ = std::move(*opened);
    }
    void reopen(bool without_views) {
        ledger_.reset();
        if (without_views) {
            std::filesystem::remove_all(folder_.path() / "data" / "ledger" / "state");
        }
        open();
    }
    Sequence record(std::vector<NewEvent> events) {
        Command command;
        command.events = std::move(events);
        return commit(std::move(command));
    }
    Sequence commit(Command command) {
        auto const answer = ledger_->call(std::move(command));
        REQUIRE(answer.has_value());
        auto const& receipt = std::get<Receipt>(*answer);
        REQUIRE(receipt.committed());
        return receipt.sequence;
    }
    DocumentReader const& reader() { return ledger_->documents(); }
    Ledger& ledger() { return *ledger_; }

private:
    test::TempDir const folder_;
    SystemClock clock_;
    std::unique_ptr<Ledger> ledger_;
};

NewEvent event(std::string owner, std::string id, std::string type = "type") {
    return {.owner = std::move(owner), .id = id, .type = std::move(type), .body = "body of " + id};
}

template <class T>
T must(Result<T> result) {
    REQUIRE(result.has_value());
    return std::move(*result);
}

Ids ids_of(Result<std::vector<Event>> const& events) {
    REQUIRE(events.has_value());
    Ids ids;
    for (Event const& each : *events) {
        ids.push_back(each.id);
    }
    return ids;
}

}  // namespace

TEST_CASE("events are found in every way there is, and only by their owner") {
    Rig rig;
    // Ids that are not in the order of the journal, and owners one of which begins like the other.
    Sequence const first = rig.record({event("a", "e3"), event("ab", "e2"), event("a", "e1", "x")});
    Sequence const second = rig.record({event("a", "e2")});
    Sequence const third = rig.record({event("b", "e9")});
    for (bool const without_views : {false, false, true}) {
        CAPTURE(without_views);
        auto const& reader = rig.reader();
        using Owners = std::vector<DocumentReader::EventOwner>;
        Owners const all{{first, "a"}, {first, "ab"}, {second, "a"}, {third, "b"}};
        CHECK(must(reader.event_owners({}, 10)) == all);
        CHECK(must(reader.event_owners({first, "a"}, 2)) == Owners(all.begin(), all.begin() + 2));
        std::string const after_a{"a\0", 2};
        CHECK(
            must(reader.event_owners({first, after_a}, 10)) == Owners(all.begin() + 1, all.end())
        );
        CHECK(must(reader.event_owners({third + 1, ""}, 10)).empty());
        CHECK(ids_of(reader.events_of("a", 0, 0, 10)) == Ids{"e3", "e1", "e2"});
        CHECK(ids_of(reader.events_of("a", first, 1, 10)) == Ids{"e1", "e2"});
        CHECK(ids_of(reader.events_of("a", second, 0, 10)) == Ids{"e2"});
        CHECK(ids_of(reader.events_of("a", second, 1, 10)).empty());
        CHECK(ids_of(reader.events_of("a", 0, 0, 1)) == Ids{"e3"});
        CHECK(ids_of(reader.events_of("ab", 0, 0, 10)) == Ids{"e2"});
        CHECK(ids_of(reader.events_of("", 0, 0, 10)).empty());

        auto const found = reader.event("a", "e1");
        REQUIRE(found.has_value());
        REQUIRE(found->has_value());
        CHECK((*found)->sequence == first);
        CHECK((*found)->index == 2);
        CHECK((*found)->type == "x");
        CHECK((*found)->owner == "a");
        auto const body = rig.ledger().payload((*found)->sequence, (*found)->payload_index);
        REQUIRE(body.has_value());
        CHECK(body->value_or("") == "body of e1");
        CHECK_FALSE(reader.event("ab", "e1")->has_value());
        CHECK_FALSE(reader.event("a", "e")->has_value());
        CHECK_FALSE(reader.event("a", "e12")->has_value());
        rig.reopen(without_views);
    }
}

TEST_CASE("an event about a document names the body that its command writes") {
    constexpr std::uint16_t kKind = 5;
    Rig rig;
    auto const written = [&](std::uint64_t version) {
        Command command;
        for (std::string const id : {"d1", "d2"}) {
            command.puts.push_back(
                {.key = {kKind, "a", id},
                 .expected_version = version,
                 .body = id + " at version " + std::to_string(version + 1)}
            );
        }
        std::string const number = std::to_string(version);
        NewEvent about = event("a", "e1" + number);
        about.body = "because of it";
        about.document = DocumentKey{kKind, "a", "d2"};
        NewEvent other = about;
        other.id = "e2" + number;
        other.document->id = "d1";
        command.events = {about, other, event("a", "e3" + number)};
        return rig.commit(std::move(command));
    };
    Sequence const first = written(0);
    written(1);
    for (bool const without_views : {false, false, true}) {
        CAPTURE(without_views);
        auto const events = must(rig.reader().events_of("a", first, 0, 3));
        REQUIRE(events.size() == 3);
        auto const payload = [&](std::uint32_t index) {
            return must(rig.ledger().payload(first, index)).value_or("");
        };
        CHECK(events[0].document_kind == kKind);
        CHECK(payload(events[0].document_index) == "d2 at version 1");
        CHECK(payload(events[0].payload_index) == "because of it");
        CHECK(payload(events[1].document_index) == "d1 at version 1");
        CHECK(events[1].payload_index == events[0].payload_index);  // stored once
        CHECK(events[2].document_kind == 0);
        CHECK(payload(events[2].payload_index) == "body of e30");
        auto const found = must(rig.reader().event("a", "e10"));
        REQUIRE(found);
        CHECK(found->document_kind == kKind);
        CHECK(found->document_index == events[0].document_index);
        rig.reopen(without_views);
    }
}

TEST_CASE("an owner's events are listed by id, in both directions, from a bound on") {
    Rig rig;
    for (int i = 10; i < 20; ++i) {
        rig.record({event("a", "e" + std::to_string(i)), event("b", "e" + std::to_string(i) + "b")}
        );
    }
    auto const& reader = rig.reader();
    CHECK(ids_of(reader.list_events({.owner = "a", .limit = 3})) == Ids{"e19", "e18", "e17"});
    CHECK(
        ids_of(reader.list_events({.owner = "a", .after = "e17", .limit = 2})) == Ids{"e16", "e15"}
    );
    CHECK(
        ids_of(reader.list_events({.owner = "a", .after = "e17", .newest_first = false})) ==
        Ids{"e18", "e19"}
    );
    CHECK(
        ids_of(reader.list_events({.owner = "a", .after = "e14", .least = "e12"})) ==
        Ids{"e13", "e12"}
    );
    CHECK(
        ids_of(
            reader.list_events({.owner = "a", .least = "e18", .newest_first = false, .limit = 100})
        ) == Ids{"e18", "e19"}
    );
    CHECK(ids_of(reader.list_events({.owner = "a", .after = "e12", .least = "e15"})).empty());
    CHECK(ids_of(reader.list_events({.owner = "c"})).empty());
}
