// Two banks and one payment: the second is asked only where the first certainly took nothing, and
// where the first took it after all, that is given back.
#include "connectors/iso8583/response_codes.h"
#include "daemon/flow/identity.h"
#include "tests/flow/flow_rig.h"

#include <doctest/doctest.h>

#include <set>

using namespace florin;
using namespace florin::flow;
using namespace florin::flow::test;

namespace {

struct TwoBanks {
    ScriptedBank first{"first"};
    ScriptedBank second{"second"};
    Rig rig{{&first, &second}, {}, Rig::Ways{.is_durable = false}};

    std::string status() const { return rig.intent(rig.last_intent).status; }
    void hear_late(Reply reply) {
        rig.payments().late_reply(rig.late(first.sent("authorise").at(0), std::move(reply)));
    }
    // What the first bank has of it in the ledger.
    bool is_nothing_at_first() {
        auto const account = rig.receivable("first");
        return account.debits_pending == 0 && account.credits_pending == 0 &&
               account.debits_posted == account.credits_posted;
    }
};

model::Evidence line() {
    return {
        .source = "report_line",
        .outcome = "approved",
        .code = {},
        .amount = 1000,
        .time_ms = 1,
        .reference = "2026-11-24/1",
    };
}

}  // namespace

TEST_CASE("only declines that are not the card's fault go to the next bank, of every code there is"
) {
    std::set<std::string_view> const soft{"91", "92", "96", "907", "908", "909", "910", "912"};
    TwoBanks world;
    std::size_t asked = 0;
    for (auto const table :
         {connectors::iso8583::response_table(), connectors::iso8583::action_code_table()}) {
        for (auto const& meaning : table) {
            if (meaning.outcome != Outcome::declined) {
                CHECK_FALSE(meaning.is_soft);
                continue;
            }
            CAPTURE(meaning.code);
            bool const is_soft = soft.contains(meaning.code);
            CHECK(meaning.is_soft == is_soft);
            world.first.script("authorise", says(Outcome::declined, std::string{meaning.code}));
            auto const paid = world.rig.pay(100);
            CHECK(paid->body.ends_with(is_soft ? " succeeded" : " requires_payment_method"));
            asked += is_soft ? 1 : 0;
            CHECK(world.second.sent("authorise").size() == asked);
        }
    }
    // What is in no table may have happened, whatever the bank calls it: nobody else is asked.
    for (char const* const code : {"09", "25", "30", "68", "94", "ZZ", "911", "914", "999"}) {
        CAPTURE(code);
        world.first.script("authorise", says(Outcome::unknown, code));
        CHECK(world.rig.pay(100)->body.ends_with(" processing"));
        CHECK(world.second.sent("authorise").size() == asked);
    }
    CHECK(asked == soft.size());
}

TEST_CASE("the first bank approved after all: that is reversed, and the payment stays as it is") {
    TwoBanks world;
    Reply refused;
    SUBCASE("after a soft decline") {
        refused = says(Outcome::declined, "91");
    }
    SUBCASE("after it was said that nothing was sent") {
        refused = says(Outcome::not_sent);
        // So that the test knows by what the bank would know it.
        world.second.held = true;
    }
    world.first.script("authorise", refused);
    auto paying = world.rig.begin(world.rig.paying(1000, "automatic", "key", ""));
    if (refused.outcome == Outcome::not_sent) {
        REQUIRE(eventually([&] { return world.second.sent("authorise").size() == 1; }));
        world.second.held = false;
    }
    REQUIRE(paying.get()->body.ends_with(" succeeded"));
    auto const given_up = world.rig.attempts("authorise").at(0);
    CHECK(given_up.connector == "first");
    // The document has no number of its own where nothing was answered before a restart.
    world.rig.payments().late_reply(
        {.connector = world.first.id(),
         .mti = "0110",
         .stan = static_cast<std::uint32_t>(given_up.stan),
         .transmission_time = given_up.transmission_time,
         .rrn = retrieval_reference(given_up),
         .terminal_id = "TERM0001",
         .reply = says(Outcome::approved, "00")}
    );
    REQUIRE(eventually([&] {
        return world.rig.attempts("void").size() == 1 && world.rig.all_closed();
    }));
    auto const reversal = world.rig.attempts("void")[0];
    CHECK(reversal.connector == "first");
    CHECK(reversal.reason == "late_approval");
    CHECK(reversal.original == given_up.id);
    CHECK(reversal.state == "approved");
    CHECK(world.first.sent("reverse").size() == 1);
    CHECK(world.second.sent("reverse").empty());
    CHECK(world.status() == "succeeded");
    CHECK(world.is_nothing_at_first());
    CHECK(world.rig.receivable("second").debits_posted == 1000);
    CHECK(world.rig.payments().second_successes("first", "reversal") == 1);
    CHECK(world.rig.payments().second_successes("first", "refund") == 0);
    CHECK(world.rig.payments().second_successes("second", "reversal") == 0);
}

TEST_CASE("a second success is reversed once, also after a restart and while the other is under way"
) {
    TwoBanks world;
    world.first.script("authorise", says(Outcome::declined, "96"));
    world.second.held = true;
    auto paying = world.rig.begin(world.rig.paying(1000, "manual", "", ""));
    REQUIRE(eventually([&] { return world.second.sent("authorise").size() == 1; }));
    world.first.script("reverse", says(Outcome::unknown));
    world.hear_late(says(Outcome::approved, "00"));
    REQUIRE(eventually([&] { return world.first.sent("reverse").size() == 2; }));
    world.second.held = false;
    CHECK(paying.get()->body.ends_with(" requires_capture"));
    REQUIRE(eventually([&] { return world.rig.all_closed(); }));
    world.rig.restart();
    world.hear_late(says(Outcome::approved, "00"));
    world.hear_late(says(Outcome::approved, "08"));
    REQUIRE(eventually([&] { return world.rig.attempts("authorise")[0].evidence.size() == 6; }));
    CHECK(world.rig.attempts("void").size() == 1);
    CHECK(world.status() == "requires_capture");
    CHECK(world.is_nothing_at_first());
    CHECK(world.rig.receivable("second").debits_pending == 1000);
}

TEST_CASE("an approval of something else after it was given up is reversed too") {
    TwoBanks world;
    world.first.script("authorise", says(Outcome::declined, "05"));
    REQUIRE(world.rig.pay(1000)->body.ends_with(" requires_payment_method"));
    Reply more = says(Outcome::approved, "00");
    SUBCASE("more than was asked for") {
        more.approved = Money{1001, *Currency::from_alphabetic("EUR")};
    }
    SUBCASE("in another currency") {
        more.approved = Money{1000, *Currency::from_alphabetic("USD")};
    }
    world.hear_late(more);
    REQUIRE(eventually([&] {
        return world.rig.attempts("void").size() == 1 && world.rig.all_closed();
    }));
    CHECK(world.rig.attempts("void")[0].reason == "late_approval");
    CHECK(world.status() == "requires_payment_method");
    CHECK(world.is_nothing_at_first());
}

TEST_CASE("every approval that comes after a reversal found nothing gets one of its own") {
    TwoBanks world;
    world.first.script("authorise", says(Outcome::unknown));
    for (int i = 0; i < 4; ++i) {
        world.first.script("reverse", says(Outcome::unknown, "25"));
    }
    REQUIRE(world.rig.pay(1000, "automatic", "", "first")->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return world.rig.all_closed(); }));
    for (std::size_t i = 1; i <= 2; ++i) {
        world.hear_late(says(Outcome::approved, "00"));
        REQUIRE(eventually([&] {
            return world.rig.attempts("void").size() == 1 + i && world.rig.all_closed();
        }));
    }
    CHECK(world.rig.attempts("void").back().state == "approved");
    // The last one was found and reversed: that is the end.
    world.hear_late(says(Outcome::approved, "00"));
    REQUIRE(eventually([&] {
        auto const evidence = world.rig.attempts("authorise")[0].evidence;
        return std::ranges::count(evidence, "late_reply", &model::Evidence::source) == 3;
    }));
    CHECK(world.rig.attempts("void").size() == 3);
    CHECK(world.is_nothing_at_first());
}

TEST_CASE("an approval after a hard decline, or after no route was left, is reversed too") {
    TwoBanks world;
    world.first.script("authorise", says(Outcome::declined, "05"));
    REQUIRE(world.rig.pay(1000)->body.ends_with(" requires_payment_method"));
    world.hear_late(says(Outcome::approved, "00"));
    REQUIRE(eventually([&] {
        return world.rig.attempts("void").size() == 1 && world.rig.all_closed();
    }));
    CHECK(world.status() == "requires_payment_method");
    CHECK(world.is_nothing_at_first());
}

TEST_CASE(
    "after a reversal that found nothing another bank may be asked, and the first one reverses"
) {
    TwoBanks world;
    world.first.script("authorise", says(Outcome::unknown));
    world.first.script("reverse", says(Outcome::unknown, "25"));
    world.first.script("reverse", says(Outcome::unknown, "25"));
    REQUIRE(world.rig.pay(1000, "automatic", "", "first")->body.ends_with(" processing"));
    REQUIRE(world.second.sent().empty());
    REQUIRE(eventually([&] { return world.status() == "requires_payment_method"; }));
    auto const given_up = world.rig.last_intent;
    REQUIRE(world.rig.pay(1000, "automatic", "", "second")->body.ends_with(" succeeded"));
    world.hear_late(says(Outcome::approved, "00"));
    REQUIRE(eventually([&] {
        return world.rig.attempts("void").size() == 2 && world.rig.all_closed();
    }));
    CHECK(world.rig.intent(given_up).status == "requires_payment_method");
    CHECK(world.is_nothing_at_first());
    CHECK(world.rig.payments().second_successes("first", "reversal") == 1);
}

TEST_CASE("what the first bank has booked, as its report shows, is refunded there") {
    TwoBanks world;
    world.first.script("authorise", says(Outcome::declined, "91"));
    REQUIRE(world.rig.pay(1000)->body.ends_with(" succeeded"));
    auto const given_up = world.rig.attempts("authorise").at(0);
    bool const is_refused = [] {
        bool refused = false;
        SUBCASE("the bank does that") {}
        SUBCASE("the bank refuses that") {
            refused = true;
        }
        return refused;
    }();
    world.first.script(
        "refund", is_refused ? says(Outcome::declined, "57") : says(Outcome::unknown)
    );
    for (int i = 0; i < 2; ++i) {
        REQUIRE(world.rig.wait(world.rig.payments().take_evidence(Rig::kOwner, given_up.id, line()))
                    .has_value());
    }
    REQUIRE(eventually([&] { return world.rig.all_closed(); }));
    auto const refunds = world.rig.attempts("refund");
    REQUIRE(refunds.size() == 1);
    CHECK(refunds[0].reason == "second_success");
    CHECK(refunds[0].connector == "first");
    CHECK(refunds[0].original == given_up.id);
    CHECK(refunds[0].state == (is_refused ? "declined" : "approved"));
    auto const sent = world.first.sent("refund");
    REQUIRE(sent.size() == (is_refused ? 1 : 2));
    CHECK(sent[0].amount == 1000);
    CHECK(sent.back().repeat != is_refused);
    CHECK(sent.back().identity.stan == sent[0].identity.stan);
    CHECK(sent[0].original->stan == given_up.stan);
    CHECK(world.second.sent("refund").empty());
    CHECK(world.first.sent("reverse").empty());
    // The merchant's payment, and what is owed to the merchant, are as they were.
    CHECK(world.status() == "succeeded");
    CHECK(world.rig.intent(world.rig.last_intent).amount_refunding == 0);
    CHECK(world.rig.account(model::Role::merchant_available, "acct_1").debits_posted == 0);
    auto const suspense = world.rig.account(model::Role::suspense, "");
    CHECK(suspense.credits_posted == 1000);
    CHECK(suspense.debits_posted == (is_refused ? 0 : 1000));
    CHECK(suspense.debits_pending == 0);
    CHECK(world.rig.receivable("first").debits_posted == 1000);
    CHECK(world.rig.receivable("first").credits_posted == (is_refused ? 0 : 1000));
    CHECK(world.rig.payments().second_successes("first", "refund") == 1);
}

TEST_CASE(
    "what a bank has that is not configured any more is given back when it is configured again"
) {
    TwoBanks world;
    world.first.script("authorise", says(Outcome::declined, "91"));
    REQUIRE(world.rig.pay(1000)->body.ends_with(" succeeded"));
    auto const given_up = world.rig.attempts("authorise").at(0);
    std::string operation = "refund", message = "refund";
    model::Evidence evidence = line();
    SUBCASE("booked, as its report shows: refunded") {}
    SUBCASE("approved, as somebody hears late: reversed") {
        evidence.source = "late_reply";
        evidence.code = "00";
        operation = "void";
        message = "reverse";
    }
    world.rig.restart({&world.second});
    REQUIRE(world.rig.wait(world.rig.payments().take_evidence(Rig::kOwner, given_up.id, evidence))
                .has_value());
    CHECK_FALSE(world.rig.all_closed());
    CHECK(world.rig.attempts(operation).empty());
    world.rig.restart({&world.second});
    CHECK(world.rig.recovered);
    CHECK_FALSE(world.rig.all_closed());
    world.rig.restart({&world.first, &world.second});
    REQUIRE(eventually([&] { return world.rig.all_closed(); }));
    REQUIRE(world.rig.attempts(operation).size() == 1);
    CHECK(world.rig.attempts(operation)[0].state == "approved");
    CHECK(world.rig.attempts(operation)[0].original == given_up.id);
    CHECK(
        world.rig.payments().second_successes(
            "first", operation == "void" ? "reversal" : operation
        ) == 1
    );
    CHECK(world.is_nothing_at_first());
    world.rig.restart();
    CHECK(world.rig.all_closed());
    CHECK(world.first.sent(message).size() == 1);
    CHECK(world.status() == "succeeded");
}
