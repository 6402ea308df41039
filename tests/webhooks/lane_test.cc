// An endpoint's way through its events, with a real ledger and a clock that the test turns.
#include "daemon/webhooks/lane.h"

#include "daemon/webhooks/pending.h"
#include "ledger/ledger.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <map>

using namespace florin;
using namespace florin::webhooks;
using Outcome = Lane::Outcome;

namespace {

constexpr char const* kOwner = "acct_1/test";
constexpr std::uint64_t kStartMs = 1'700'000'000'000;
constexpr std::uint64_t kMinute = 60'000;
constexpr std::uint64_t kHour = 60 * kMinute;

class LaneClock final : public Clock {
public:
    std::uint64_t wall_ns() const override { return now_ms * 1'000'000; }
    std::uint64_t steady_ns() const override { return wall_ns(); }
    std::uint64_t now_ms = kStartMs;
};

class LaneRig {
public:
    LaneRig() {
        ledger::LedgerOptions options;
        options.data_dir = folder_.path() / "data";
        options.sync = false;
        auto opened = ledger::Ledger::open(options, clock);
        REQUIRE(opened.has_value());
        ledger_ = std::move(*opened);
        endpoint.id = "we_1";
        endpoint.url = "https://example.com/";
        endpoint.enabled_events = {"*"};
        endpoint.queue = "wq_1";
        model::WebhookQueue queue;
        queue.endpoint = endpoint.id;
        flow::Change change{kOwner};
        change.put(endpoint.id, endpoint, 0);
        change.put(endpoint.queue, queue, 0);
        commit(std::move(change.command));
    }

    void commit(ledger::Command command) {
        auto const answer = ledger_->call(std::move(command));
        REQUIRE(answer.has_value());
        auto const& receipt = std::get<ledger::Receipt>(*answer);
        CAPTURE(status_name(receipt.status));
        REQUIRE(receipt.committed());
    }
    std::string record(std::string type = "charge.failed", char const* owner = kOwner) {
        flow::Change change{owner};
        change.event(ids_, std::move(type), "{}");
        std::string id = change.command.events[0].id;
        commit(std::move(change.command));
        return id;
    }
    std::unique_ptr<Lane> open(LaneOptions options = {}) {
        auto lane = Lane::open(reader(), options, kOwner, endpoint);
        REQUIRE(lane.has_value());
        return std::move(*lane);
    }
    std::optional<Try> next(Lane& lane) {
        auto found = lane.next(clock.now_ms);
        REQUIRE(found.has_value());
        return std::move(*found);
    }
    // The next try of this event and no other.
    Try must(Lane& lane, std::string const& id) {
        auto found = next(lane);
        REQUIRE(found.has_value());
        CHECK(found->event.id == id);
        return std::move(*found);
    }
    void finish(Lane& lane, Try const& attempt, Outcome outcome) {
        lane.finished(attempt, outcome, clock.now_ms);
    }
    void store(Lane& lane) {
        while (auto command = lane.to_store()) {
            commit(std::move(*command));
            lane.stored(true);
        }
    }
    std::int64_t pending(std::string const& id) {
        auto const endpoints = PendingEndpoints::load(reader(), kOwner);
        REQUIRE(endpoints.has_value());
        auto const event = reader().event(kOwner, id);
        REQUIRE(event.has_value());
        REQUIRE(event->has_value());
        auto const count = endpoints->count(**event);
        REQUIRE(count.has_value());
        return *count;
    }
    std::size_t documents(model::Kind kind) {
        auto const found = reader().list(
            {.kind = static_cast<std::uint16_t>(kind),
             .owner = kOwner,
             .after = {},
             .limit = 100'000}
        );
        REQUIRE(found.has_value());
        return found->size();
    }
    ledger::DocumentReader const& reader() { return ledger_->documents(); }

    LaneClock clock;
    model::WebhookEndpoint endpoint;

private:
    test::TempDir const folder_;
    crypto::SystemRandom random_;
    model::IdMaker ids_{clock, random_};
    std::unique_ptr<ledger::Ledger> ledger_;
};

}  // namespace

TEST_CASE("events recorded after the endpoint was made come in order, others do not come") {
    LaneRig rig;
    auto lane = rig.open();
    CHECK_FALSE(rig.next(*lane).has_value());
    std::string const first = rig.record();
    rig.record("charge.failed", "acct_2/test");
    rig.record("charge.failed", "acct_1/live");
    std::string const second = rig.record();
    CHECK_FALSE(rig.next(*lane).has_value());  // nobody said that there is something new
    lane->wake();
    Try const one = rig.must(*lane, first);
    Try const two = rig.must(*lane, second);
    CHECK_FALSE(rig.next(*lane).has_value());
    CHECK(rig.pending(first) == 1);
    rig.finish(*lane, two, Outcome::delivered);
    rig.store(*lane);
    CHECK(rig.pending(second) == 1);  // not known to be: the one before it is still under way
    rig.finish(*lane, one, Outcome::delivered);
    rig.store(*lane);
    CHECK(rig.pending(first) == 0);
    CHECK(rig.pending(second) == 0);
    CHECK(rig.documents(model::Kind::webhook_delivery) == 0);
}

TEST_CASE("an endpoint that was made later is not told what was before it") {
    LaneRig rig;
    rig.record();
    std::string const old = rig.record();
    rig.endpoint.id = "we_2";
    rig.endpoint.queue = "wq_2";
    model::WebhookQueue queue;
    queue.endpoint = "we_2";
    flow::Change change{kOwner};
    change.put("we_2", rig.endpoint, 0);
    change.put("wq_2", queue, 0);
    rig.commit(std::move(change.command));
    auto lane = rig.open();
    CHECK_FALSE(rig.next(*lane).has_value());
    CHECK(rig.pending(old) == 1);  // of the first endpoint
    std::string const fresh = rig.record();
    lane->wake();
    rig.must(*lane, fresh);
    CHECK(rig.pending(fresh) == 2);
}

TEST_CASE("unwanted events are passed over and count nowhere") {
    LaneRig rig;
    rig.endpoint.enabled_events = {"refund.created", "charge.captured"};
    flow::Change change{kOwner};
    change.put(rig.endpoint.id, rig.endpoint, 1);
    rig.commit(std::move(change.command));
    auto lane = rig.open({.page = 3});
    std::string const unwanted = rig.record();
    for (int i = 0; i < 100; ++i) {
        rig.record();
    }
    std::string const wanted = rig.record("charge.captured");
    lane->wake();
    // A long stretch is read in pieces.
    std::optional<Try> found;
    int asked = 0;
    while (!found && lane->may_have_work(rig.clock.now_ms)) {
        found = rig.next(*lane);
        ++asked;
    }
    CHECK(asked > 1);
    REQUIRE(found.has_value());
    CHECK(found->event.id == wanted);
    CHECK(rig.pending(unwanted) == 0);
    CHECK(rig.pending(wanted) == 1);
}

TEST_CASE("a failure is tried again when it is due, until it is taken") {
    LaneRig rig;
    auto lane = rig.open();
    std::string const id = rig.record();
    lane->wake();
    Try attempt = rig.must(*lane, id);
    std::uint64_t const delays[] = {kMinute, 5 * kMinute, 30 * kMinute, 2 * kHour};
    for (std::size_t i = 0; i < std::size(delays); ++i) {
        rig.finish(*lane, attempt, Outcome::failed);
        CHECK_FALSE(rig.next(*lane).has_value());  // not stored yet
        rig.store(*lane);
        CHECK(rig.pending(id) == 1);
        CHECK(lane->waiting() == 1);
        rig.clock.now_ms += delays[i] - 1;
        CHECK_FALSE(rig.next(*lane).has_value());
        rig.clock.now_ms += 1;
        attempt = rig.must(*lane, id);
        CHECK(attempt.attempts == static_cast<std::int64_t>(i) + 1);
        CHECK_FALSE(rig.next(*lane).has_value());  // under way
    }
    rig.finish(*lane, attempt, Outcome::delivered);
    rig.store(*lane);
    CHECK(rig.pending(id) == 0);
    CHECK(lane->waiting() == 0);
    CHECK(rig.documents(model::Kind::webhook_delivery) == 0);
    CHECK(rig.documents(model::Kind::webhook_due) == 0);
}

TEST_CASE("after 72 hours it is given up, and stays known as not delivered") {
    LaneRig rig;
    auto lane = rig.open();
    std::string const id = rig.record();
    lane->wake();
    int tries = 0;
    for (std::uint64_t hour = 0; hour < 100 * 12; ++hour) {
        if (auto const attempt = rig.next(*lane)) {
            ++tries;
            rig.finish(*lane, *attempt, Outcome::failed);
            rig.store(*lane);
        }
        rig.clock.now_ms += 5 * kMinute;
    }
    CHECK(tries == 11);
    CHECK(lane->given_up() == 1);
    CHECK(lane->waiting() == 0);
    CHECK(rig.pending(id) == 1);
    CHECK(rig.documents(model::Kind::webhook_due) == 0);
    auto const delivery = flow::load<model::WebhookDelivery>(rig.reader(), kOwner, "wq_1/" + id);
    REQUIRE(delivery.has_value());
    REQUIRE(delivery->has_value());
    CHECK((*delivery)->value.state == "given_up");
    CHECK((*delivery)->value.attempts == 11);
}

TEST_CASE("a restart loses nothing, and repeats only what was under way") {
    LaneRig rig;
    auto lane = rig.open();
    std::vector<std::string> ids;
    for (int i = 0; i < 4; ++i) {
        ids.push_back(rig.record());
    }
    lane->wake();
    Try const stuck = rig.must(*lane, ids[0]);
    rig.finish(*lane, rig.must(*lane, ids[1]), Outcome::failed);
    rig.finish(*lane, rig.must(*lane, ids[2]), Outcome::delivered);
    rig.finish(*lane, rig.must(*lane, ids[3]), Outcome::failed);
    rig.store(*lane);
    CHECK(lane->waiting() == 2);

    lane = rig.open();
    CHECK(lane->waiting() == 2);
    rig.finish(*lane, rig.must(*lane, ids[0]), Outcome::delivered);
    // The failures behind it are on record and not tried as if they were new.
    rig.finish(*lane, rig.must(*lane, ids[2]), Outcome::delivered);
    CHECK_FALSE(rig.next(*lane).has_value());
    rig.store(*lane);
    rig.clock.now_ms += kMinute;
    rig.finish(*lane, rig.must(*lane, ids[1]), Outcome::delivered);
    rig.finish(*lane, rig.must(*lane, ids[3]), Outcome::delivered);
    rig.store(*lane);
    for (std::string const& id : ids) {
        CHECK(rig.pending(id) == 0);
    }
    lane = rig.open();
    CHECK_FALSE(rig.next(*lane).has_value());
}

TEST_CASE("what could not be stored is stored later, as one") {
    LaneRig rig;
    auto lane = rig.open();
    std::string const first = rig.record();
    std::string const second = rig.record();
    lane->wake();
    rig.finish(*lane, rig.must(*lane, first), Outcome::failed);
    REQUIRE(lane->to_store().has_value());
    lane->stored(false);
    rig.finish(*lane, rig.must(*lane, second), Outcome::delivered);
    rig.store(*lane);
    CHECK(rig.pending(first) == 1);
    CHECK(rig.pending(second) == 0);
    rig.clock.now_ms += kMinute;
    rig.must(*lane, first);
}

TEST_CASE("an endpoint that is down is asked rarely, and gets all it missed when it is back") {
    LaneRig rig;
    auto lane = rig.open({.concurrency = 4, .down_after = 5});
    std::vector<std::string> ids;
    for (int i = 0; i < 50; ++i) {
        ids.push_back(rig.record());
    }
    lane->wake();
    for (std::size_t i = 0; i < 5; ++i) {
        auto const turn =
            lane->finished(rig.must(*lane, ids[i]), Outcome::failed, rig.clock.now_ms);
        CHECK((turn == Lane::Turn::down) == (i == 4));
    }
    rig.store(*lane);
    CHECK(lane->is_down());
    CHECK_FALSE(rig.next(*lane).has_value());
    // For 50 minutes a handful of retries and one new event a minute, one at a time.
    int tries = 0;
    for (int minute = 0; minute < 20; ++minute) {
        rig.clock.now_ms += kMinute;
        while (auto const attempt = rig.next(*lane)) {
            CHECK_FALSE(rig.next(*lane).has_value());
            ++tries;
            rig.finish(*lane, *attempt, Outcome::failed);
            rig.store(*lane);
        }
    }
    CHECK(tries > 20);
    CHECK(tries < 80);
    CHECK(lane->waiting() == 25);  // and not 50
    // It is back.
    rig.clock.now_ms += kMinute;
    bool up = false;
    std::size_t delivered = 0;
    for (std::uint64_t minute = 0; minute < 40; ++minute) {
        while (auto const attempt = rig.next(*lane)) {
            up = lane->finished(*attempt, Outcome::delivered, rig.clock.now_ms) == Lane::Turn::up ||
                 up;
            ++delivered;
            rig.store(*lane);
        }
        if (minute == 0) {
            CHECK(delivered == 50);  // all at once: new events, and those whose time is hours away
        }
        rig.clock.now_ms += kMinute;
    }
    CHECK(up);
    CHECK(delivered == 50);
    CHECK(lane->waiting() == 0);
    CHECK(rig.documents(model::Kind::webhook_delivery) == 0);
}

TEST_CASE("what fails after an endpoint is up again waits its time") {
    LaneRig rig;
    auto lane = rig.open({.concurrency = 1, .down_after = 3, .probe_ms = 1, .page = 2});
    std::vector<std::string> ids;
    for (int i = 0; i < 5; ++i) {
        ids.push_back(rig.record());
    }
    lane->wake();
    for (std::size_t i = 0; i < 3; ++i) {
        rig.finish(*lane, rig.must(*lane, ids[i]), Outcome::failed);
    }
    CHECK(lane->is_down());
    // Up again before the failures are stored: they count as missed nevertheless.
    rig.clock.now_ms += 1;
    Try const probe = rig.must(*lane, ids[3]);
    rig.store(*lane);
    rig.clock.now_ms += 1;
    CHECK(lane->finished(probe, Outcome::delivered, rig.clock.now_ms) == Lane::Turn::up);
    rig.clock.now_ms += 1;
    std::map<std::string, int> tries;
    for (int i = 0; i < 100; ++i) {
        auto const attempt = rig.next(*lane);
        if (!attempt) {
            break;
        }
        ++tries[attempt->event.id];
        rig.finish(
            *lane, *attempt, attempt->event.id == ids[1] ? Outcome::failed : Outcome::delivered
        );
        rig.store(*lane);
    }
    CHECK(tries == std::map<std::string, int>{{ids[0], 1}, {ids[1], 1}, {ids[2], 1}, {ids[4], 1}});
    rig.clock.now_ms += 5 * kMinute - 1;
    CHECK_FALSE(rig.next(*lane).has_value());
    rig.clock.now_ms += 1;
    Try const last = rig.must(*lane, ids[1]);
    CHECK(last.attempts == 2);
    rig.finish(*lane, last, Outcome::delivered);
    rig.store(*lane);
    CHECK(lane->waiting() == 0);
    CHECK(rig.documents(model::Kind::webhook_due) == 0);
    CHECK(rig.documents(model::Kind::webhook_delivery) == 0);
}

TEST_CASE("failures that are stored after the endpoint is up again are missed ones too") {
    LaneRig rig;
    auto lane = rig.open({.concurrency = 4, .down_after = 3});
    std::vector<std::string> ids;
    std::vector<Try> tries;
    for (int i = 0; i < 4; ++i) {
        ids.push_back(rig.record());
    }
    lane->wake();
    for (std::string const& id : ids) {
        tries.push_back(rig.must(*lane, id));
    }
    for (std::size_t i = 0; i < 3; ++i) {
        rig.finish(*lane, tries[i], Outcome::failed);
    }
    rig.clock.now_ms += 1;
    CHECK(lane->finished(tries[3], Outcome::delivered, rig.clock.now_ms) == Lane::Turn::up);
    CHECK_FALSE(rig.next(*lane).has_value());
    rig.store(*lane);
    for (std::size_t i = 0; i < 3; ++i) {
        rig.finish(*lane, rig.must(*lane, ids[i]), Outcome::delivered);
    }
    rig.store(*lane);
    CHECK(lane->waiting() == 0);
}

TEST_CASE("an endpoint that is given another URL is not down, and gets what it missed") {
    LaneRig rig;
    auto lane = rig.open({.concurrency = 4, .down_after = 3});
    std::vector<Try> tries;
    for (int i = 0; i < 8; ++i) {
        rig.record();
    }
    lane->wake();
    while (auto attempt = rig.next(*lane)) {
        tries.push_back(std::move(*attempt));
    }
    REQUIRE(tries.size() == 4);
    for (Try const& attempt : tries) {
        rig.finish(*lane, attempt, Outcome::failed);
    }
    rig.store(*lane);
    CHECK(lane->is_down());
    rig.endpoint.description = "the same URL";
    lane->update(rig.endpoint);
    CHECK(lane->is_down());
    rig.endpoint.url = "https://example.com/corrected";
    lane->update(rig.endpoint);
    CHECK_FALSE(lane->is_down());
    rig.clock.now_ms += 1;
    std::size_t delivered = 0;
    while (auto const attempt = rig.next(*lane)) {
        rig.finish(*lane, *attempt, Outcome::delivered);
        rig.store(*lane);
        ++delivered;
    }
    CHECK(delivered == 8);
    CHECK(lane->waiting() == 0);
}

TEST_CASE("what was put off comes again soon, as if it had never been tried") {
    LaneRig rig;
    auto lane = rig.open({.concurrency = 2, .down_after = 1, .put_off_ms = 1'000});
    std::string const first = rig.record();
    std::string const second = rig.record();
    std::string const third = rig.record();
    lane->wake();
    Try const one = rig.must(*lane, first);
    Try const two = rig.must(*lane, second);
    CHECK(lane->finished(one, Outcome::put_off, rig.clock.now_ms) == Lane::Turn::none);
    rig.finish(*lane, two, Outcome::put_off);
    CHECK_FALSE(lane->is_down());
    CHECK(lane->waiting() == 0);
    CHECK(lane->oldest_untried_ms() != 0);
    rig.store(*lane);
    CHECK(rig.documents(model::Kind::webhook_delivery) == 0);
    rig.clock.now_ms += 999;
    CHECK_FALSE(rig.next(*lane).has_value());
    rig.clock.now_ms += 1;
    Try const again = rig.must(*lane, first);
    CHECK(again.attempts == 0);
    rig.finish(*lane, again, Outcome::delivered);
    rig.store(*lane);
    CHECK(rig.pending(second) == 1);
    // A restart finds it where it was.
    lane = rig.open({.down_after = 10, .put_off_ms = 1'000});
    rig.finish(*lane, rig.must(*lane, second), Outcome::failed);
    rig.finish(*lane, rig.must(*lane, third), Outcome::delivered);
    rig.store(*lane);
    rig.clock.now_ms += kMinute;
    // A repeated one too, with the tries it has had.
    Try const repeated = rig.must(*lane, second);
    CHECK(repeated.attempts == 1);
    rig.finish(*lane, repeated, Outcome::put_off);
    CHECK_FALSE(rig.next(*lane).has_value());
    CHECK(lane->waiting() == 1);
    rig.clock.now_ms += 1'000;
    Try const last = rig.must(*lane, second);
    CHECK(last.attempts == 1);
    rig.finish(*lane, last, Outcome::delivered);
    rig.store(*lane);
    for (std::string const& id : {first, second, third}) {
        CHECK(rig.pending(id) == 0);
    }
    CHECK(lane->waiting() == 0);
}

TEST_CASE("what is too old when its turn comes is passed over, in one document") {
    LaneRig rig;
    auto lane = rig.open();
    std::string const delivered = rig.record();
    lane->wake();
    rig.finish(*lane, rig.must(*lane, delivered), Outcome::delivered);
    rig.store(*lane);
    std::vector<std::string> missed;
    for (int i = 0; i < 300; ++i) {
        missed.push_back(rig.record());
    }
    rig.clock.now_ms += 72 * kHour + 1'000;
    std::string const fresh = rig.record();
    lane->wake();
    rig.finish(*lane, rig.must(*lane, fresh), Outcome::delivered);
    rig.store(*lane);
    CHECK(rig.documents(model::Kind::webhook_gap) == 1);
    CHECK(lane->given_up() == 300);
    CHECK(rig.pending(delivered) == 0);
    CHECK(rig.pending(fresh) == 0);
    for (std::string const& id : {missed.front(), missed[150], missed.back()}) {
        CHECK(rig.pending(id) == 1);
    }
    // The next stretch is another document.
    std::string const late = rig.record();
    rig.clock.now_ms += 72 * kHour + 1'000;
    std::string const last = rig.record();
    lane->wake();
    rig.finish(*lane, rig.must(*lane, last), Outcome::delivered);
    rig.store(*lane);
    CHECK(rig.documents(model::Kind::webhook_gap) == 2);
    CHECK(rig.pending(late) == 1);
    CHECK(rig.pending(fresh) == 0);
    CHECK(rig.pending(last) == 0);
}

TEST_CASE("an endpoint whose waiting deliveries are too many gets no new events meanwhile") {
    LaneRig rig;
    auto lane = rig.open({.down_after = 1'000, .waiting_max = 3});
    for (int i = 0; i < 10; ++i) {
        rig.record();
    }
    lane->wake();
    int tries = 0;
    while (auto const attempt = rig.next(*lane)) {
        ++tries;
        rig.finish(*lane, *attempt, Outcome::failed);
        rig.store(*lane);
    }
    CHECK(tries == 3);
    CHECK(lane->is_full());
    rig.clock.now_ms += kMinute;
    rig.finish(*lane, *rig.next(*lane), Outcome::delivered);
    rig.store(*lane);
    CHECK_FALSE(lane->is_full());
}

TEST_CASE("many outcomes at once are stored in more than one command, and none twice") {
    LaneRig rig;
    auto lane = rig.open({.concurrency = 200, .down_after = 1'000});
    for (int i = 0; i < 200; ++i) {
        rig.record();
    }
    lane->wake();
    std::vector<Try> tries;
    while (auto attempt = rig.next(*lane)) {
        tries.push_back(std::move(*attempt));
    }
    REQUIRE(tries.size() == 200);
    for (Try const& attempt : tries) {
        rig.finish(*lane, attempt, Outcome::failed);
    }
    auto command = lane->to_store();
    REQUIRE(command.has_value());
    rig.commit(std::move(*command));
    // A crash now: the rest was not stored, so it comes again.
    auto const after_crash = rig.open({.concurrency = 200, .down_after = 1'000});
    std::size_t again = 0;
    while (rig.next(*after_crash)) {
        ++again;
    }
    CHECK(after_crash->waiting() == static_cast<std::int64_t>(200 - again));
    CHECK(again > 0);
    lane->stored(true);
    rig.store(*lane);
    CHECK(rig.documents(model::Kind::webhook_delivery) == 200);
    CHECK(rig.documents(model::Kind::webhook_due) == 200);
    CHECK(rig.open()->waiting() == 200);
}
