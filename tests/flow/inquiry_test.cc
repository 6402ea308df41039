// A bank that can be asked what became of a payment is asked before anything is reversed.
#include "tests/flow/flow_rig.h"

#include <doctest/doctest.h>

using namespace florin;
using namespace florin::flow;
using namespace florin::flow::test;

namespace {

struct Asking {
    explicit Asking(bool has_timers = true, bool has_stans = false)
        : bank{"bank", has_stans},
          rig{{&bank}, {}, Rig::Ways{.has_timers = has_timers, .is_durable = false}} {
        bank.can_ask = true;
    }
    ScriptedBank bank;
    Rig rig;

    std::string status() const { return rig.intent(rig.last_intent).status; }
    bool is_over() const { return status() != "processing" && rig.all_closed(); }
};

}  // namespace

TEST_CASE("what was approved, as the bank says when it is asked, goes on, and nothing is reversed"
) {
    Asking world;
    world.bank.script("authorise", says(Outcome::unknown));
    std::string capture_method = "automatic";
    SUBCASE("captured at once") {}
    SUBCASE("captured later") {
        capture_method = "manual";
    }
    CHECK(world.rig.pay(900, capture_method)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return world.is_over(); }));
    bool const is_automatic = capture_method == "automatic";
    CHECK(world.status() == (is_automatic ? "succeeded" : "requires_capture"));
    REQUIRE(world.bank.sent("inquire").size() == 1);
    CHECK(
        world.bank.sent("inquire")[0].identity.attempt ==
        world.bank.sent("authorise")[0].identity.attempt
    );
    CHECK(world.bank.sent("reverse").empty());
    CHECK(world.bank.sent("capture").size() == (is_automatic ? 1 : 0));
    CHECK(world.rig.receivable("bank").debits_posted == (is_automatic ? 900 : 0));
    CHECK(world.rig.receivable("bank").debits_pending == (is_automatic ? 0 : 900));
    CHECK(world.rig.attempts("authorise")[0].authorization_code == "A00001");
}

TEST_CASE(
    "what was declined, as the bank says when it is asked, has failed, and nothing is reversed"
) {
    Asking world;
    world.bank.script("authorise", says(Outcome::unknown));
    world.bank.script("inquire", says(Outcome::declined, "51"));
    CHECK(world.rig.pay(900)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return world.is_over(); }));
    CHECK(world.status() == "requires_payment_method");
    CHECK(
        world.rig.intent(world.rig.last_intent).last_payment_error.decline_code ==
        "insufficient_funds"
    );
    CHECK(world.bank.sent("reverse").empty());
    CHECK(world.rig.receivable("bank").debits_pending == 0);
}

TEST_CASE("where the bank cannot say, it is reversed") {
    Asking world;
    world.bank.script("authorise", says(Outcome::unknown));
    SUBCASE("no answer") {
        world.bank.script("inquire", says(Outcome::unknown));
    }
    SUBCASE("it knows of nothing, and that may come yet") {
        world.bank.script("inquire", says(Outcome::unknown, "25"));
    }
    SUBCASE("the question did not go out") {
        world.bank.script("inquire", says(Outcome::not_sent));
    }
    CHECK(world.rig.pay(900)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return world.is_over(); }));
    CHECK(world.status() == "requires_payment_method");
    CHECK(world.bank.sent("reverse").size() == 1);
    CHECK(world.bank.sent("inquire").size() <= 1);
    CHECK(world.rig.receivable("bank").debits_pending == 0);
}

TEST_CASE("as long as the bank says \"not yet\" it is asked again, and the money waits") {
    Asking world;
    world.bank.script("authorise", says(Outcome::unknown));
    constexpr int kTimes = 4;
    for (int i = 0; i < kTimes; ++i) {
        world.bank.script("inquire", says(Outcome::pending));
    }
    std::size_t reversals = 0;
    SUBCASE("then it approves") {}
    SUBCASE("then it cannot say") {
        world.bank.script("inquire", says(Outcome::unknown));
        reversals = 1;
    }
    CHECK(world.rig.pay(900)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return world.is_over(); }));
    CHECK(world.status() == (reversals == 0 ? "succeeded" : "requires_payment_method"));
    CHECK(world.bank.sent("inquire").size() == kTimes + 1);
    CHECK(world.bank.sent("reverse").size() == reversals);
    CHECK(world.rig.receivable("bank").debits_posted == (reversals == 0 ? 900 : 0));
    CHECK(world.rig.receivable("bank").debits_pending == 0);
    // No timer is left behind.
    CHECK(world.rig.documents().due_timers(world.rig.ids().now_ns(), 10)->empty());
    CHECK(world.rig.attempts("authorise")[0].evidence.size() <= 5);
}

TEST_CASE("a crash before the answer: the bank is asked after the restart") {
    Asking world{false};
    SUBCASE("after it was asked, and said \"not yet\"") {
        world.bank.script("authorise", says(Outcome::unknown));
        world.bank.script("inquire", says(Outcome::pending));
        CHECK(world.rig.pay(900)->body.ends_with(" processing"));
        REQUIRE(eventually([&] { return world.rig.attempts("authorise")[0].timer_ns != 0; }));
    }
    SUBCASE("before anything was answered") {
        // What a crash between intent and answer leaves: the attempt as its intent has it.
        world.bank.script("authorise", says(Outcome::pending));
        CHECK(world.rig.pay(900).has_value());
        REQUIRE(world.rig.attempts("authorise")[0].state == "pending");
    }
    world.rig.restart();
    REQUIRE(eventually([&] { return world.is_over(); }));
    CHECK(world.status() == "succeeded");
    CHECK(world.bank.sent("reverse").empty());
    CHECK(world.rig.receivable("bank").debits_posted == 900);
}

TEST_CASE("a refund without an answer is asked about before it is repeated") {
    Asking world;
    REQUIRE(world.rig.pay(900)->body.ends_with(" succeeded"));
    world.bank.script("refund", says(Outcome::unknown));
    std::string state = "approved";
    std::size_t sends = 1;
    SUBCASE("it was done") {}
    SUBCASE("it was refused") {
        world.bank.script("inquire", says(Outcome::declined, "57"));
        state = "declined";
    }
    SUBCASE("nobody can say: it goes out again, under the same identity") {
        world.bank.script("inquire", says(Outcome::unknown, "25"));
        sends = 2;
    }
    auto const refunded = world.rig.wait(world.rig.payments().refund(
        world.rig.caller(), world.rig.last_intent, {.amount = 400}, world.rig.render_refund()
    ));
    CHECK(refunded->body.ends_with(" pending"));
    REQUIRE(eventually([&] { return world.rig.all_closed(); }));
    CHECK(world.rig.attempts("refund")[0].state == state);
    auto const sent = world.bank.sent("refund");
    REQUIRE(sent.size() == sends);
    CHECK(sent.back().repeat == (sends == 2));
    CHECK(sent.back().identity.attempt == sent.front().identity.attempt);
    CHECK(world.rig.receivable("bank").credits_posted == (state == "approved" ? 400 : 0));
    CHECK(world.rig.receivable("bank").credits_pending == 0);
}

TEST_CASE("captures and reversals are repeated without a question") {
    Asking world;
    world.bank.script("capture", says(Outcome::unknown));
    REQUIRE(world.rig.pay(900)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return world.is_over(); }));
    REQUIRE(world.rig.pay(900, "manual")->body.ends_with(" requires_capture"));
    world.bank.script("reverse", says(Outcome::unknown));
    REQUIRE(world.rig.wait(world.rig.payments().cancel(
        world.rig.caller(), world.rig.last_intent, "", world.rig.render()
    )));
    REQUIRE(eventually([&] { return world.status() == "canceled"; }));
    CHECK(world.bank.sent("inquire").empty());
    CHECK(world.bank.sent("capture").size() == 2);
    CHECK(world.bank.sent("reverse").size() == 2);
}

TEST_CASE(
    "a notification of a counterpart without STANs finds its attempt, before and after the end"
) {
    Asking world{false};
    world.bank.script("authorise", says(Outcome::unknown));
    world.bank.script("inquire", says(Outcome::pending));
    CHECK(world.rig.pay(900)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return world.rig.attempts("authorise")[0].timer_ns != 0; }));
    auto const told =
        world.rig.late(world.bank.sent("authorise")[0], says(Outcome::approved, "00"));
    CHECK(told.stan == 0);
    world.rig.payments().late_reply(told);
    REQUIRE(eventually([&] { return world.is_over(); }));
    CHECK(world.status() == "succeeded");
    CHECK(world.bank.sent("reverse").empty());

    // One that was declined, and approved after all.
    world.bank.script("authorise", says(Outcome::declined, "05"));
    REQUIRE(world.rig.pay(700)->body.ends_with(" requires_payment_method"));
    world.rig.payments().late_reply(
        world.rig.late(world.bank.sent("authorise")[1], says(Outcome::approved, "00"))
    );
    REQUIRE(eventually([&] {
        return world.rig.attempts("void").size() == 1 && world.rig.all_closed();
    }));
    CHECK(world.bank.sent("reverse").size() == 1);
    // Nobody's.
    auto nobody = told;
    nobody.attempt = AttemptId{"at_none"};
    world.rig.payments().late_reply(nobody);
    CHECK(world.rig.pay(100)->body.ends_with(" succeeded"));
}
