// What is stored of an event, and how it is shown.
#include "daemon/flow/store.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace florin;
using nlohmann::json;

namespace {

// Counts up by a millisecond.
class TickingClock final : public Clock {
public:
    std::uint64_t wall_ns() const override { return now_ns_ += 1'000'000; }
    std::uint64_t steady_ns() const override { return wall_ns(); }

private:
    mutable std::uint64_t now_ns_ = 1'700'000'000'000'000'000;
};

ledger::Event recorded(ledger::NewEvent const& event) {
    return {.owner = event.owner, .id = event.id, .type = event.type};
}

}  // namespace

TEST_CASE("an event shows the snapshot byte for byte, and the request that caused it") {
    TickingClock const clock;
    crypto::SystemRandom random;
    model::IdMaker ids{clock, random};
    std::string const snapshot = "{\n  \"b\": 1,\n  \"a\": \"\\u00e4\"\n}";
    flow::Change change{"acct_1/test", {.request_id = "req_1", .idempotency_key = "a \"key\" \\"}};
    change.event(ids, "customer.updated", snapshot, R"({"a":"b"})");
    ledger::NewEvent const& stored = change.command.events.at(0);
    CHECK(stored.body.find(snapshot) != std::string::npos);
    auto const shown = model::event_json(recorded(stored), stored.body, 2);
    REQUIRE(shown.has_value());
    CHECK(shown->find(snapshot) != std::string::npos);
    json const event = json::parse(*shown);
    CHECK(event.size() == 9);
    CHECK(event["id"] == stored.id);
    CHECK(event["object"] == "event");
    CHECK(event["api_version"] == model::kApiVersion);
    CHECK(event["created"] == 1'700'000'000);
    CHECK(event["data"]["object"]["b"] == 1);
    CHECK(event["data"]["previous_attributes"]["a"] == "b");
    CHECK(event["livemode"] == false);
    CHECK(event["pending_webhooks"] == 2);
    CHECK(event["request"]["id"] == "req_1");
    CHECK(event["request"]["idempotency_key"] == "a \"key\" \\");
    CHECK(event["type"] == "customer.updated");
}

TEST_CASE("an event about a document has the members of one with a snapshot") {
    TickingClock const clock;
    crypto::SystemRandom random;
    model::IdMaker ids{clock, random};
    flow::Change change{"acct_1/test", {.request_id = "req_1", .idempotency_key = "k"}};
    change.event_about(ids, "charge.succeeded", model::Kind::charge, "ch_1");
    change.event(ids, "charge.succeeded", R"({"id":"ch_1"})");
    ledger::NewEvent const& about = change.command.events.at(0);
    ledger::NewEvent const& held = change.command.events.at(1);
    CHECK(about.document == model::key_of(model::Kind::charge, "acct_1/test", "ch_1"));
    CHECK(about.body.find("ch_1") == std::string::npos);
    std::string const whole =
        model::event_body_about(recorded(about), about.body, R"({"id":"ch_1"})");
    json shown = json::parse(*model::event_json(recorded(about), whole, 1));
    json expected = json::parse(*model::event_json(recorded(held), held.body, 1));
    CHECK(shown["id"] == about.id);
    shown.erase("id");
    expected.erase("id");
    CHECK(shown == expected);
}

TEST_CASE("what nobody asked for names no request, and live mode says so") {
    TickingClock const clock;
    crypto::SystemRandom random;
    model::IdMaker ids{clock, random};
    flow::Change quiet{"acct_1/live"};
    quiet.event(ids, "charge.expired", "{}");
    flow::Change keyless{"acct_1/live", {.request_id = "req_2", .idempotency_key = {}}};
    keyless.event(ids, "charge.expired", "{}");
    ledger::NewEvent const& first = quiet.command.events.at(0);
    ledger::NewEvent const& second = keyless.command.events.at(0);
    json const by_itself = json::parse(*model::event_json(recorded(first), first.body, 0));
    CHECK(by_itself["request"].is_null());
    CHECK(by_itself["livemode"] == true);
    CHECK_FALSE(by_itself["data"].contains("previous_attributes"));
    json const asked = json::parse(*model::event_json(recorded(second), second.body, 0));
    CHECK(asked["request"] == json{{"id", "req_2"}, {"idempotency_key", nullptr}});
    CHECK(first.id < second.id);
    CHECK_FALSE(model::event_json(recorded(first), "", 0).has_value());
    CHECK_FALSE(model::event_json(recorded(first), "[1]", 0).has_value());
}

TEST_CASE("an id tells when it was made, and ids of a time are found by its beginning") {
    TickingClock const clock;
    crypto::SystemRandom random;
    model::IdMaker ids{clock, random};
    std::string const before = ids.make("evt");
    std::string const id = ids.make("evt");
    auto const time = model::id_time_ns(id);
    REQUIRE(time.has_value());
    CHECK(*time / 1'000'000'000 == 1'700'000'000);
    CHECK(model::id_from("evt", *time) < id);
    CHECK(model::id_from("evt", *time) > before);
    CHECK(model::id_from("evt", *time + 1) > id);
    for (std::string const& wrong :
         {std::string{},
          std::string{"evt"},
          std::string{"evt_"},
          id + "x",
          "evt_" + std::string(24, '_'),
          "evt_" + std::string(24, 'z')}) {
        CAPTURE(wrong);
        CHECK_FALSE(model::id_time_ns(wrong).has_value());
    }
}
