// What need not be kept is forgotten when its time has come, and nothing else; the books stay
// verifiable, and can be made anew from the journal.
#include "daemon/model/retention.h"

#include "daemon/flow/store.h"
#include "daemon/retention/retention.h"
#include "ledger/verify.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

using namespace florin;
using namespace florin::retention;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr char const* kOwner = "acct_a/test";
constexpr Options kOptions{.replaced_s = 100, .events_s = 1'000, .interval_ms = 10};

class SteppedClock final : public Clock {
public:
    std::uint64_t wall_ns() const override { return now_; }
    std::uint64_t steady_ns() const override { return now_; }
    void forward_s(std::uint64_t seconds) { now_ += seconds * kSecond; }

private:
    std::atomic<std::uint64_t> now_ = 1'700'000'000 * kSecond;
};

class Rig {
public:
    Rig() { open(); }

    void open() {
        auto opened = ledger::Ledger::open({.data_dir = directory()}, clock_);
        REQUIRE(opened.has_value());
        ledger_ = std::move(*opened);
        sweeper_ = std::make_unique<Sweeper>(*ledger_, kOptions);
    }
    void close() {
        sweeper_.reset();
        ledger_.reset();
    }

    // The record that wrote version `expected` + 1.
    ledger::Sequence put(std::string const& id, std::string note, std::uint64_t expected) {
        model::Refund refund;
        refund.id = id;
        refund.reason = std::move(note);
        flow::Change change{kOwner};
        change.put(id, refund, expected);
        change.command.events.push_back(
            {.owner = kOwner, .id = "evt_" + id, .type = "refund.updated", .body = "{\"event\":1}"}
        );
        return commit(std::move(change));
    }
    ledger::Sequence remove(std::string const& id, std::uint64_t version) {
        flow::Change change{kOwner};
        change.remove(model::Kind::refund, id, version);
        return commit(std::move(change));
    }
    ledger::Sequence commit(flow::Change change) {
        auto const answer = ledger_->call(std::move(change.command));
        REQUIRE(answer.has_value());
        auto const& receipt = std::get<ledger::Receipt>(*answer);
        REQUIRE(receipt.committed());
        return receipt.sequence;
    }

    // Until nothing else is due; how many bodies went.
    std::uint64_t sweep() {
        std::uint64_t dropped = 0;
        for (;;) {
            auto const swept = sweeper_->sweep(clock_.wall_ns());
            REQUIRE(swept.has_value());
            dropped += swept->dropped;
            if (swept->is_done) {
                return dropped;
            }
        }
    }
    bool has(ledger::Sequence sequence, std::uint32_t index) const {
        auto const body = ledger_->payload(sequence, index);
        REQUIRE(body.has_value());
        return body->has_value();
    }
    std::string note(std::string const& id) const {
        auto const stored = flow::load<model::Refund>(ledger_->documents(), kOwner, id);
        REQUIRE(stored.has_value());
        return *stored ? (*stored)->value.reason : "(gone)";
    }
    std::filesystem::path directory() const { return folder_.path() / "data"; }

    test::TempDir folder_;
    SteppedClock clock_;
    std::unique_ptr<ledger::Ledger> ledger_;
    std::unique_ptr<Sweeper> sweeper_;
};

constexpr std::uint32_t kDocument = 0, kEvent = 1;  // payloads of what put() writes

TEST_CASE("a body goes when its document was replaced or removed, and its time has come") {
    Rig rig;
    auto const first = rig.put("re_a", "one", 0);
    auto const second = rig.put("re_a", "two", 1);
    auto const gone = rig.put("re_b", "three", 0);
    rig.remove("re_b", 1);
    CHECK(rig.sweep() == 0);  // too early

    rig.clock_.forward_s(101);
    CHECK(rig.sweep() == 2);
    CHECK_FALSE(rig.has(first, kDocument));
    CHECK(rig.has(second, kDocument));
    CHECK_FALSE(rig.has(gone, kDocument));
    CHECK(rig.has(first, kEvent));
    CHECK(rig.note("re_a") == "two");
    CHECK(rig.sweep() == 0);
}

TEST_CASE("what an event is about is kept as long as the event is shown") {
    Rig rig;
    auto const put = [&](std::string const& note, std::uint64_t expected) {
        model::Refund refund;
        refund.id = "re_a";
        refund.reason = note;
        flow::Change change{kOwner};
        change.put(refund.id, refund, expected);
        change.command.events.push_back(
            {.owner = kOwner,
             .id = "evt_" + note,
             .type = "refund.created",
             .body = "{\"request\":null}",
             .document = model::key_of(model::Kind::refund, kOwner, refund.id)}
        );
        return rig.commit(std::move(change));
    };
    auto const first = put("one", 0);
    auto const second = put("two", 1);
    rig.clock_.forward_s(101);
    CHECK(rig.sweep() == 0);
    CHECK(rig.has(first, kDocument));
    rig.clock_.forward_s(900);
    CHECK(rig.sweep() == 3);
    CHECK_FALSE(rig.has(first, kDocument));
    CHECK_FALSE(rig.has(first, kEvent));
    CHECK(rig.has(second, kDocument));  // it is the document
    CHECK_FALSE(rig.has(second, kEvent));
    CHECK(rig.note("re_a") == "two");
}

TEST_CASE("events go later, and with them what was replaced meanwhile") {
    Rig rig;
    auto const first = rig.put("re_a", "one", 0);
    rig.clock_.forward_s(500);
    CHECK(rig.sweep() == 0);  // the first pass found it current
    rig.put("re_a", "two", 1);
    rig.clock_.forward_s(501);
    // Pass "replaced" is beyond the first record by then or not: the late pass takes it in any
    // case.
    rig.sweep();
    CHECK_FALSE(rig.has(first, kEvent));
    CHECK_FALSE(rig.has(first, kDocument));
    CHECK(rig.note("re_a") == "two");
}

TEST_CASE("what was forgotten stays so, and the books verify and can be made anew") {
    Rig rig;
    std::map<std::string, std::string> expected;
    for (int i = 0; i < 50; ++i) {
        std::string const id = "re_" + std::to_string(i);
        rig.put(id, "old", 0);
        rig.put(id, "new " + id, 1);
        expected[id] = "new " + id;
    }
    rig.clock_.forward_s(2'000);
    CHECK(rig.sweep() == 50 + 50 + 100);  // both passes come by the documents
    rig.close();
    {
        auto const report = ledger::verify_ledger(
            {.data_dir = rig.directory(), .scratch = rig.folder_.path()}, [](auto const&) {}
        );
        REQUIRE(report.has_value());
        CHECK(report->payloads_forgotten >= 150);
    }
    std::filesystem::remove_all(rig.directory() / "ledger" / "state");
    rig.open();
    for (auto const& [id, note] : expected) {
        CHECK(rig.note(id) == note);
    }
    CHECK(rig.sweep() == 0);
}

TEST_CASE("what is replaced when the late pass has gone by is forgotten by a round") {
    Rig rig;
    auto const first = rig.put("re_a", "one", 0);
    auto const removed = rig.put("re_b", "two", 0);
    auto const stays = rig.put("re_c", "three", 0);
    rig.put("re_d", "five", 0);
    rig.put("re_d", "six", 1);  // a pass that finds nothing stays where it is
    rig.clock_.forward_s(1'001);
    CHECK(rig.sweep() == 1 + 1 + 5);  // that one in both passes, and the events
    CHECK(rig.has(first, kDocument));
    auto const second = rig.put("re_a", "four", 1);
    rig.remove("re_b", 1);

    rig.clock_.forward_s(990);
    rig.sweep();
    CHECK(rig.has(first, kDocument));  // it rests

    rig.clock_.forward_s(11);
    rig.close();  // where it is and since when is remembered
    rig.open();
    rig.sweep();
    CHECK_FALSE(rig.has(first, kDocument));
    CHECK_FALSE(rig.has(removed, kDocument));
    CHECK(rig.has(stays, kDocument));
    CHECK(rig.has(second, kDocument));
    CHECK(rig.note("re_a") == "four");
    CHECK(rig.note("re_c") == "three");

    // Round after round: what is never replaced stays, and nothing counts twice.
    auto const before = rig.ledger_->head().sequence;
    for (int round = 0; round < 3; ++round) {
        rig.clock_.forward_s(1'001);
        rig.sweep();
        rig.sweep();  // the cursors that the first one replaced
        CHECK(rig.sweep() == 0);
    }
    CHECK(rig.ledger_->head().sequence <= before + 3 * 4);  // a cursor of each step at most
    CHECK(rig.has(stays, kDocument));
    CHECK(rig.has(second, kDocument));
    rig.close();
    auto const report = ledger::verify_ledger(
        {.data_dir = rig.directory(), .scratch = rig.folder_.path()}, [](auto const&) {}
    );
    REQUIRE(report.has_value());
    std::filesystem::remove_all(rig.directory() / "ledger" / "state");
    rig.open();
    CHECK(rig.note("re_a") == "four");
    CHECK(rig.note("re_b") == "(gone)");
    CHECK(rig.note("re_c") == "three");
}

TEST_CASE("a round takes a bounded step at a look, and goes on where it was") {
    constexpr int kCommands = 110, kEach = 100;  // more than one step's documents
    Rig rig;
    ledger::Sequence last = 0;
    std::string last_id;
    for (int i = 0; i < kCommands; ++i) {
        flow::Change change{kOwner};
        for (int j = 0; j < kEach; ++j) {
            model::Refund refund;
            refund.id = last_id = "re_" + std::to_string(i) + "_" + std::to_string(j);
            change.put(refund.id, refund, 0);
        }
        last = rig.commit(std::move(change));
    }
    rig.put("re_x", "old", 0);
    rig.put("re_x", "new", 1);  // what the other passes find takes them past all
    rig.clock_.forward_s(1'001);
    rig.sweep();  // the first of two steps
    rig.put(last_id, "new", 1);
    CHECK(rig.has(last, kEach - 1));
    rig.close();
    rig.open();
    rig.sweep();  // without a rest between them
    CHECK_FALSE(rig.has(last, kEach - 1));
    CHECK(rig.has(last, kEach - 2));
}

TEST_CASE("the thread sweeps by itself and stops at once") {
    Rig rig;
    rig.put("re_a", "one", 0);
    rig.put("re_a", "two", 1);
    rig.clock_.forward_s(101);
    Retention retention{*rig.ledger_, rig.clock_, kOptions};
    retention.start();
    while (retention.dropped() == 0) {
        std::this_thread::yield();
    }
    retention.stop();
    CHECK(retention.dropped() == 1);
}

}  // namespace
