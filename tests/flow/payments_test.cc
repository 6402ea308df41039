#include "daemon/flow/resolution.h"
#include "tests/flow/flow_rig.h"

#include <doctest/doctest.h>

using namespace florin;
using namespace florin::flow;
using namespace florin::flow::test;

namespace {

constexpr auto kNotFound = "25";

std::string status_of(Rig& rig) {
    return rig.intent(rig.last_intent).status;
}

// A payment whose answer never came and whose reversal found nothing, twice.
void give_up(Rig& rig, ScriptedBank& bank, std::int64_t amount) {
    bank.script("authorise", says(Outcome::unknown));
    bank.script("reverse", says(Outcome::unknown, kNotFound));
    bank.script("reverse", says(Outcome::unknown, kNotFound));
    REQUIRE(rig.pay(amount)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return status_of(rig) == "requires_payment_method"; }));
}

}  // namespace

TEST_CASE("an approval after \"not found, not found\" is reversed, also when that takes repeats") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    give_up(rig, bank, 4242);
    REQUIRE(bank.sent("reverse").size() == 2);

    // The second reversal is not answered at first: what the first one heard does not close it.
    bank.script("reverse", says(Outcome::unknown));
    bank.script("reverse", says(Outcome::unknown));
    rig.payments().late_reply(rig.late(bank.sent("authorise")[0], says(Outcome::approved, "00")));
    REQUIRE(eventually([&] { return bank.sent("reverse").size() == 5 && rig.all_closed(); }));
    auto const reversals = rig.attempts("void");
    REQUIRE(reversals.size() == 2);
    CHECK(reversals[1].reason == "late_approval");
    CHECK(reversals[1].state == "approved");
    CHECK(bank.sent("reverse")[4].original->stan == bank.sent("authorise")[0].identity.stan);
    CHECK(status_of(rig) == "requires_payment_method");
    CHECK(rig.receivable("bank").debits_pending == 0);

    // Once more, or in other words, it starts nothing.
    rig.payments().late_reply(rig.late(bank.sent("authorise")[0], says(Outcome::approved, "08")));
    REQUIRE(eventually([&] { return rig.attempts("authorise")[0].evidence.size() > 6; }));
    CHECK(rig.attempts("void").size() == 2);
}

TEST_CASE("an approval between the first and the second \"not found\" is reversed too") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}, {}, false};
    bank.script("authorise", says(Outcome::unknown));
    bank.script("reverse", says(Outcome::unknown, kNotFound));
    bank.script("reverse", says(Outcome::unknown, kNotFound));
    REQUIRE(rig.pay(4243)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return bank.sent("reverse").size() == 1; }));
    REQUIRE(eventually([&] { return rig.attempts("void")[0].timer_ns != 0; }));
    rig.payments().late_reply(rig.late(bank.sent("authorise")[0], says(Outcome::approved, "00")));
    REQUIRE(eventually([&] { return rig.attempts("authorise")[0].evidence.size() == 4; }));
    rig.restart();  // takes the reversal up again
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    auto const reversals = rig.attempts("void");
    REQUIRE(reversals.size() == 2);
    CHECK(reversals[1].reason == "late_approval");
    CHECK(status_of(rig) == "requires_payment_method");
}

TEST_CASE("a late answer with another payment's STAN says nothing about this one") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    bank.held = true;
    auto paying = rig.begin(rig.paying(500, "manual", "", ""));
    REQUIRE(eventually([&] { return bank.sent("authorise").size() == 1; }));
    auto other = rig.late(bank.sent("authorise")[0], says(Outcome::declined, "05"));
    other.transmission_time = "0101000000";
    rig.payments().late_reply(other);
    auto wrong_reference = rig.late(bank.sent("authorise")[0], says(Outcome::declined, "05"));
    wrong_reference.rrn = "000000000000";
    rig.payments().late_reply(wrong_reference);
    bank.held = false;
    CHECK(paying.get()->body.ends_with(" requires_capture"));
    CHECK(rig.attempts("authorise")[0].evidence.size() == 1);
}

TEST_CASE("an approval that is late, but came before the payment was given up, is captured") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    bank.held = true;
    bank.script("authorise", says(Outcome::unknown));
    auto paying = rig.begin(rig.paying(600, "automatic", "key", ""));
    REQUIRE(eventually([&] { return bank.sent("authorise").size() == 1; }));
    rig.payments().late_reply(rig.late(bank.sent("authorise")[0], says(Outcome::approved, "00")));
    REQUIRE(eventually([&] { return bank.sent("capture").size() == 1; }));
    bank.held = false;
    CHECK(paying.get().has_value());
    REQUIRE(eventually([&] { return status_of(rig) == "succeeded" && rig.all_closed(); }));
    CHECK(bank.sent("reverse").empty());
    CHECK(bank.sent("capture").size() == 1);
    CHECK(rig.receivable("bank").debits_posted == 600);
}

TEST_CASE("what ends before its request is answered has its key answered, after a crash too") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    std::string const key = "key";
    bank.held = true;
    auto paying = rig.begin(rig.paying(600, "manual", key, ""));
    REQUIRE(eventually([&] { return bank.sent("authorise").size() == 1; }));
    rig.payments().late_reply(rig.late(bank.sent("authorise")[0], says(Outcome::approved, "00")));
    REQUIRE(eventually([&] { return status_of(rig) == "requires_capture"; }));
    // What the journal holds now is what a crash here leaves.
    auto const stored = [&] {
        return *load_known<model::IdempotencyKey>(rig.documents(), Rig::kOwner, key);
    };
    auto const before = stored();
    auto const left =
        *load_known<model::Attempt>(rig.documents(), Rig::kOwner, rig.attempts("authorise")[0].id);
    CHECK(left.value.closed != 0);
    CHECK(left.value.idempotency_key == key);
    CHECK_FALSE(before.value.done);
    CHECK_FALSE(rig.all_closed());
    bank.held = false;
    CHECK(paying.get()->body.ends_with(" requires_capture"));
    CHECK(stored().value.done);
    CHECK(rig.all_closed());
    CHECK(rig.attempts("authorise")[0].idempotency_key.empty());

    ledger::Command crash;
    auto const now =
        *load_known<model::Attempt>(rig.documents(), Rig::kOwner, rig.attempts("authorise")[0].id);
    crash.puts.push_back(
        {.key = model::key_of(model::Kind::attempt, Rig::kOwner, left.value.id),
         .expected_version = now.version,
         .body = model::to_text(left.value)}
    );
    crash.puts.push_back(
        {.key = model::key_of(model::Kind::idempotency_key, Rig::kOwner, key),
         .expected_version = stored().version,
         .body = model::to_text(before.value)}
    );
    crash.puts.push_back(
        {.key = model::key_of(model::Kind::open_attempt, Rig::kOwner, left.value.id),
         .expected_version = 0,
         .body = {},
         .detached = false}
    );
    REQUIRE(rig.apply(crash) == ledger::CommandStatus::committed);
    rig.restart();
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    CHECK(stored().value.done);
    CHECK(stored().value.body.ends_with(" requires_capture"));
    CHECK(rig.attempts("authorise")[0].idempotency_key.empty());
    CHECK(bank.sent("authorise").size() == 1);
    CHECK(bank.sent("reverse").empty());
}

TEST_CASE("an approval after a cancel that found nothing is reversed") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    REQUIRE(rig.pay(600, "manual").has_value());
    bank.script("reverse", says(Outcome::unknown, kNotFound));
    bank.script("reverse", says(Outcome::unknown, kNotFound));
    REQUIRE(rig.wait(rig.payments().cancel(rig.caller(), rig.last_intent, "", rig.render())));
    bool const is_during = [] {
        bool during = false;
        SUBCASE("afterwards") {}
        SUBCASE("while its reversal is under way") {
            during = true;
        }
        return during;
    }();
    if (!is_during) {
        REQUIRE(eventually([&] { return rig.all_closed(); }));
        CHECK(status_of(rig) == "canceled");
    }
    rig.payments().late_reply(rig.late(bank.sent("authorise")[0], says(Outcome::approved, "00")));
    REQUIRE(eventually([&] { return rig.attempts("void").size() == 2 && rig.all_closed(); }));
    CHECK(rig.attempts("void")[1].reason == "late_approval");
    CHECK(bank.sent("reverse").size() == 3);
    CHECK(status_of(rig) == "canceled");
    CHECK(rig.receivable("bank").debits_pending == 0);
}

TEST_CASE("a late approval of another amount than was asked for is not believed") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    bank.held = true;
    bank.script("authorise", says(Outcome::unknown));
    auto paying = rig.begin(rig.paying(600, "automatic", "", ""));
    REQUIRE(eventually([&] { return bank.sent("authorise").size() == 1; }));
    Reply more = says(Outcome::approved, "00");
    more.approved = Money{601, *Currency::from_alphabetic("EUR")};
    rig.payments().late_reply(rig.late(bank.sent("authorise")[0], more));
    REQUIRE(eventually([&] { return rig.attempts("authorise")[0].evidence.size() == 1; }));
    bank.held = false;
    CHECK(paying.get()->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return status_of(rig) == "requires_payment_method"; }));
    CHECK(bank.sent("capture").empty());
}

TEST_CASE("a partial approval is given back under the identity of what was asked for") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    Reply partial = says(Outcome::approved, "10");
    partial.approved = Money{300, *Currency::from_alphabetic("EUR")};
    bank.script("authorise", partial);
    bank.script("reverse", says(Outcome::unknown));
    CHECK(rig.pay(1000)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return status_of(rig) == "requires_payment_method"; }));
    auto const reversals = bank.sent("reverse");
    REQUIRE(reversals.size() == 2);
    CHECK(reversals[0].amount == 1000);
    CHECK(reversals[0].original->stan == bank.sent("authorise")[0].identity.stan);
    CHECK(reversals[0].original->authorization_code == "A00001");
    CHECK_FALSE(reversals[0].repeat);
    CHECK(reversals[1].repeat);
    CHECK(bank.sent("capture").empty());
    CHECK(rig.receivable("bank").debits_pending == 0);
    CHECK(rig.receivable("bank").debits_posted == 0);
}

TEST_CASE("repeats have the identity of the first message, also after a restart") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    for (int i = 0; i < 3; ++i) {
        bank.script("capture", says(Outcome::unknown));
    }
    REQUIRE(rig.pay(700)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return bank.sent("capture").size() >= 2; }));
    rig.restart();
    REQUIRE(eventually([&] { return status_of(rig) == "succeeded"; }));
    auto const captures = bank.sent("capture");
    REQUIRE(captures.size() >= 3);
    for (std::size_t i = 1; i < captures.size(); ++i) {
        CHECK(captures[i].repeat);
        CHECK(captures[i].identity.stan == captures[0].identity.stan);
        CHECK(captures[i].identity.rrn == captures[0].identity.rrn);
        CHECK(captures[i].identity.transmission_time == captures[0].identity.transmission_time);
        CHECK(captures[i].original->stan == captures[0].original->stan);
        CHECK(captures[i].original->transmission_time == captures[0].original->transmission_time);
        CHECK(captures[i].original->authorization_code == "A00001");
        CHECK(captures[i].amount == 700);
    }
    CHECK(rig.receivable("bank").debits_posted == 700);
}

TEST_CASE("what was not sent is sent again, as a first message and not as a repeat") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    REQUIRE(rig.pay(5000)->body.ends_with(" succeeded"));
    std::string const paid = rig.last_intent;
    bank.script("refund", says(Outcome::not_sent));
    auto const refunded =
        rig.wait(rig.payments().refund(rig.caller(), paid, {.amount = 600}, rig.render_refund()));
    CHECK(refunded->body.ends_with(" pending"));
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    REQUIRE(bank.sent("refund").size() == 1);
    CHECK_FALSE(bank.sent("refund")[0].repeat);
    CHECK(rig.receivable("bank").credits_posted == 600);

    REQUIRE(rig.pay(900, "manual")->body.ends_with(" requires_capture"));
    bank.script("reverse", says(Outcome::not_sent));
    auto const cancelled =
        rig.wait(rig.payments().cancel(rig.caller(), rig.last_intent, "", rig.render()));
    CHECK(cancelled->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return status_of(rig) == "canceled"; }));
    CHECK_FALSE(bank.sent("reverse")[0].repeat);
}

TEST_CASE("a refund that is declined fails, and gives its amount free again") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    REQUIRE(rig.pay(5000)->body.ends_with(" succeeded"));
    bank.script("refund", says(Outcome::declined, "57"));
    auto const refunded = rig.wait(
        rig.payments().refund(rig.caller(), rig.last_intent, {.amount = 5000}, rig.render_refund())
    );
    CHECK(refunded->body.ends_with(" failed"));
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    CHECK(rig.attempts("refund")[0].state == "declined");
    CHECK(rig.intent(rig.last_intent).amount_refunding == 0);
    CHECK(rig.receivable("bank").credits_pending == 0);
    CHECK_FALSE(rig.is_expected(rig.attempts("refund")[0]));
    auto const again = rig.wait(
        rig.payments().refund(rig.caller(), rig.last_intent, {.amount = 5000}, rig.render_refund())
    );
    CHECK(again->body.ends_with(" succeeded"));
    CHECK(rig.is_expected(rig.attempts("refund")[1]));
}

TEST_CASE("a refusal of a refund's repeat says nothing about what was sent before") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    REQUIRE(rig.pay(8000)->body.ends_with(" succeeded"));
    bank.script("refund", says(Outcome::unknown));
    for (char const* const code : {"96", "91", "12", "96"}) {
        bank.script("refund", says(Outcome::declined, code));
    }
    auto const refund = [&] {
        return rig.wait(rig.payments().refund(
            rig.caller(), rig.last_intent, {.amount = 8000}, rig.render_refund()
        ));
    };
    CHECK(refund()->body.ends_with(" pending"));
    REQUIRE(eventually([&] { return bank.sent("refund").size() >= 4; }));
    CHECK(rig.attempts("refund")[0].state == "unknown");
    CHECK_FALSE(refund().has_value());  // nothing of it is free again
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    CHECK(rig.attempts("refund").size() == 1);
    CHECK(rig.attempts("refund")[0].state == "approved");
    // The unknown one, and each code once.
    CHECK(rig.attempts("refund")[0].evidence.size() == 5);
    CHECK(rig.receivable("bank").credits_posted == 8000);
}

TEST_CASE("a late refusal while a refund's repeat is under way may be of the repeat") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    REQUIRE(rig.pay(800)->body.ends_with(" succeeded"));
    bank.script("refund", says(Outcome::unknown));
    auto const refunded = rig.wait(
        rig.payments().refund(rig.caller(), rig.last_intent, {.amount = 800}, rig.render_refund())
    );
    CHECK(refunded->body.ends_with(" pending"));
    bank.held = true;
    REQUIRE(eventually([&] { return bank.sent("refund").size() == 2; }));
    auto late = rig.late(bank.sent("refund")[0], says(Outcome::declined, "05"));
    late.mti = "0210";
    rig.payments().late_reply(late);
    REQUIRE(eventually([&] { return rig.attempts("refund")[0].evidence.size() == 2; }));
    CHECK(rig.attempts("refund")[0].evidence[1].reference == "2");
    CHECK(rig.attempts("refund")[0].closed == 0);
    bank.held = false;
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    CHECK(rig.attempts("refund")[0].state == "approved");
    CHECK(rig.receivable("bank").credits_posted == 800);
}

TEST_CASE("after a crash a late refusal of a refund may be of the repeat that was out") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}, {}, false};
    REQUIRE(rig.pay(800)->body.ends_with(" succeeded"));
    bank.script("refund", says(Outcome::unknown));
    auto const refund = [&] {
        return rig.wait(rig.payments().refund(
            rig.caller(), rig.last_intent, {.amount = 800}, rig.render_refund()
        ));
    };
    CHECK(refund()->body.ends_with(" pending"));
    CHECK(rig.attempts("refund")[0].sends == 1);
    bank.ready = false;  // nothing of this life goes out
    rig.restart();
    auto late = rig.late(bank.sent("refund")[0], says(Outcome::declined, "05"));
    late.mti = "0210";
    rig.payments().late_reply(late);
    REQUIRE(eventually([&] { return rig.attempts("refund")[0].evidence.size() == 2; }));
    CHECK(rig.attempts("refund")[0].closed == 0);
    CHECK(rig.attempts("refund")[0].sends == 2);
    CHECK_FALSE(refund().has_value());  // nothing of it is free again
    bank.ready = true;
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    CHECK(rig.receivable("bank").credits_posted == 800);
}

TEST_CASE("what a bank says late of a refund counts") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    REQUIRE(rig.pay(700)->body.ends_with(" succeeded"));
    Reply in_time = says(Outcome::unknown);
    Reply later = says(Outcome::approved, "00");
    SUBCASE("approved") {}
    SUBCASE("approved after it was declined: the merchant's is as it was, the books have it") {
        in_time = says(Outcome::declined, "05");
    }
    SUBCASE("another amount approved: unknown still") {
        later.approved = Money{100, *Currency::from_alphabetic("EUR")};
    }
    bool const is_declined = in_time.outcome == Outcome::declined;
    bool const is_other = later.approved.has_value();
    bank.script("refund", in_time);
    bank.held = true;
    auto refunding = rig.begin(
        rig.payments().refund(rig.caller(), rig.last_intent, {.amount = 700}, rig.render_refund())
    );
    REQUIRE(eventually([&] { return bank.sent("refund").size() == 1; }));
    auto late = rig.late(bank.sent("refund")[0], later);
    late.mti = "0210";
    if (is_declined) {
        bank.held = false;
        CHECK(refunding.get()->body.ends_with(" failed"));
    }
    rig.payments().late_reply(late);
    // Of the refused one that it was approved, and that it was booked.
    std::size_t const pieces = is_declined ? 3 : 1;
    REQUIRE(eventually([&] { return rig.attempts("refund")[0].evidence.size() == pieces; }));
    CHECK((rig.attempts("refund")[0].closed == 0) == is_other);
    bank.held = false;
    if (!is_declined) {
        CHECK(refunding.get().has_value());
    }
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    CHECK(rig.attempts("refund")[0].state == (is_declined ? "declined" : "approved"));
    CHECK(rig.receivable("bank").credits_posted == 700);
    CHECK(rig.receivable("bank").credits_pending == 0);
    CHECK(rig.account(model::Role::suspense, "").debits_posted == (is_declined ? 700 : 0));
    CHECK(rig.intent(rig.last_intent).amount_refunding == (is_declined ? 0 : 700));
    CHECK(bank.sent("refund").size() == (is_other ? 2 : 1));
    CHECK(rig.is_expected(rig.attempts("refund")[0]));
    if (is_declined) {
        // Once, whoever else says it.
        model::Evidence evidence{
            .source = "report_line",
            .outcome = "approved",
            .code = {},
            .amount = 700,
            .time_ms = 1,
            .reference = "2026-11-24/1",
        };
        std::string const attempt = rig.attempts("refund")[0].id;
        CHECK(rig.wait(rig.payments().take_evidence(Rig::kOwner, attempt, evidence)).has_value());
        CHECK(rig.receivable("bank").credits_posted == 700);
    }
}

TEST_CASE("a refusal that overtakes the approval it came behind does not count instead of it") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    std::string operation = "authorise", mti = "0110";
    SUBCASE("of an authorisation") {}
    SUBCASE("of a refund") {
        operation = "refund";
        mti = "0210";
    }
    bool const is_refund = operation == "refund";
    if (is_refund) {
        REQUIRE(rig.pay(800)->body.ends_with(" succeeded"));
    }
    bank.held = true;
    auto asking = is_refund
                      ? rig.begin(rig.payments().refund(
                            rig.caller(), rig.last_intent, {.amount = 800}, rig.render_refund()
                        ))
                      : rig.begin(rig.paying(800, "automatic", "", ""));
    REQUIRE(eventually([&] { return bank.sent(operation).size() == 1; }));
    auto late = rig.late(bank.sent(operation)[0], says(Outcome::declined, "05"));
    late.mti = mti;
    rig.payments().late_reply(late);
    REQUIRE(eventually([&] { return rig.attempts(operation)[0].evidence.size() == 1; }));
    CHECK(rig.attempts(operation)[0].closed == 0);
    bank.held = false;
    CHECK(asking.get()->body.ends_with(" succeeded"));
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    CHECK(rig.attempts(operation)[0].state == "approved");
    CHECK(bank.sent("reverse").empty());
}

TEST_CASE("a soft decline goes to the next route, a hard one and an unknown one do not") {
    ScriptedBank first{"first"};
    ScriptedBank second{"second"};
    Rig rig{{&first, &second}};
    first.script("authorise", says(Outcome::declined, "91"));
    CHECK(rig.pay(100, "automatic", "a")->body.ends_with(" succeeded"));
    CHECK(second.sent("authorise").size() == 1);
    first.script("authorise", says(Outcome::declined, "05"));
    CHECK(rig.pay(200, "automatic", "b")->body.ends_with(" requires_payment_method"));
    first.script("authorise", says(Outcome::unknown));
    CHECK(rig.pay(300, "automatic", "c")->body.ends_with(" processing"));
    first.script("authorise", says(Outcome::not_sent));
    CHECK(rig.pay(400, "automatic", "d")->body.ends_with(" succeeded"));
    first.script("authorise", says(Outcome::declined, "91"));
    second.script("authorise", says(Outcome::declined, "91"));
    CHECK(rig.pay(500, "automatic", "e")->body.ends_with(" requires_payment_method"));
    CHECK(second.sent("authorise").size() == 3);
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    CHECK(rig.receivable("first").debits_posted == 0);
    CHECK(rig.receivable("first").debits_pending == 0);
    CHECK(rig.receivable("second").debits_posted == 500);
    CHECK(rig.receivable("second").debits_pending == 0);
}

TEST_CASE("stopped on its way to the next route, the payment is on it and its key is answered") {
    ScriptedBank first{"first"};
    ScriptedBank second{"second"};
    Rig rig{{&first, &second}};
    first.script("authorise", says(Outcome::declined, "91"));
    second.held = true;
    auto paying = rig.begin(rig.paying(800, "automatic", "key", ""));
    REQUIRE(eventually([&] { return second.sent("authorise").size() == 1; }));
    // What the journal holds now is what a crash here leaves.
    auto const attempts = rig.attempts("authorise");
    REQUIRE(attempts.size() == 2);
    CHECK(attempts[0].state == "declined");
    CHECK(attempts[0].idempotency_key.empty());
    CHECK(attempts[1].idempotency_key == "key");
    CHECK(rig.intent(rig.last_intent).live_attempt == attempts[1].id);
    CHECK(status_of(rig) == "processing");
    CHECK(rig.receivable("first").debits_pending == 0);
    CHECK(rig.receivable("second").debits_pending == 800);
    second.held = false;
    CHECK(paying.get()->body.ends_with(" succeeded"));
}

TEST_CASE("metadata names the route, and a name that nobody has is refused") {
    ScriptedBank bank{"bank"};
    ScriptedBank other{"other", false};
    Rig rig{{&bank, &other}};
    CHECK(rig.pay(100, "automatic", "", "other")->body.ends_with(" succeeded"));
    CHECK(bank.sent().empty());
    CHECK(other.sent("authorise").size() == 1);
    // The one that is named is the only one.
    other.script("authorise", says(Outcome::not_sent));
    CHECK(rig.pay(100, "automatic", "", "other")->body.ends_with(" requires_payment_method"));
    auto const refused = rig.pay(100, "automatic", "", "elsewhere");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().http_status == 400);
    CHECK(refused.error().param == "metadata[florin_route]");
    CHECK(bank.sent().empty());
}

TEST_CASE("where every STAN is held, a payment is refused as busy and nothing is sent") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}, {.stan_max = 3}};
    REQUIRE(rig.pay(100, "manual")->body.ends_with(" requires_capture"));  // its STAN is free again
    bank.held = true;
    std::vector<std::future<api::ApiResult<Done>>> waiting;
    for (int i = 0; i < 3; ++i) {
        waiting.push_back(rig.begin(rig.paying(200, "manual", "", "")));
    }
    REQUIRE(eventually([&] { return bank.sent("authorise").size() == 4; }));
    auto const refused = rig.pay(300, "automatic", "key");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().http_status == 503);
    CHECK(refused.error().type == api::ErrorType::api_error);
    CHECK(bank.sent("authorise").size() == 4);
    bank.held = false;
    for (auto& each : waiting) {
        CHECK(each.get()->body.ends_with(" requires_capture"));
    }
    CHECK(rig.pay(300, "automatic", "key")->body.ends_with(" succeeded"));
}

TEST_CASE("an outcome waits for a STAN that it needs, and is not lost") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}, {.stan_max = 2}};
    bank.held = true;
    bank.script("authorise", says(Outcome::unknown));
    bank.script("authorise", says(Outcome::unknown));
    auto one = rig.begin(rig.paying(100, "manual", "", ""));
    REQUIRE(eventually([&] { return bank.sent("authorise").size() == 1; }));
    ledger::Command takes_the_other;
    takes_the_other.take_counters.push_back(
        {.counter = "stan/bank", .min = 1, .max = 2, .holder = "somebody"}
    );
    REQUIRE(rig.apply(takes_the_other) == ledger::CommandStatus::committed);
    bank.held = false;  // the reversal finds no number
    CHECK(one.wait_for(std::chrono::milliseconds{100}) == std::future_status::timeout);
    CHECK(rig.attempts("void").empty());
    ledger::Command gives_it_back;
    gives_it_back.release_counters.push_back({.counter = "stan/bank", .value = 2});
    REQUIRE(rig.apply(gives_it_back) == ledger::CommandStatus::committed);
    CHECK(one.get()->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return status_of(rig) == "requires_payment_method"; }));
}

TEST_CASE("a retry timer that is gone keeps no outcome from being stored") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}, {}, false};
    bank.script("capture", says(Outcome::unknown));
    REQUIRE(rig.pay(900)->body.ends_with(" processing"));
    auto const capture = rig.attempts("capture")[0];
    REQUIRE(capture.timer_ns != 0);
    ledger::Command loses_it;
    loses_it.clear_timers.push_back(
        {.due_ns = capture.timer_ns,
         .kind = static_cast<std::uint16_t>(TimerKind::attempt_retry),
         .key = std::string{Rig::kOwner} + '\0' + capture.id}
    );
    REQUIRE(rig.apply(loses_it) == ledger::CommandStatus::committed);
    rig.restart();
    REQUIRE(eventually([&] { return status_of(rig) == "succeeded" && rig.all_closed(); }));
}

TEST_CASE("without a link nothing is sent and nothing written, and it goes on when the link is back"
) {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    bank.script("capture", says(Outcome::unknown));
    REQUIRE(rig.pay(1100)->body.ends_with(" processing"));
    bank.ready = false;
    rig.restart();
    CHECK(rig.recovered);
    auto const version = [&] {
        return load_known<model::Attempt>(
                   rig.documents(), Rig::kOwner, rig.attempts("capture")[0].id
        )
            ->version;
    };
    auto const before = version();
    int const asked = bank.health_asked;
    REQUIRE(eventually([&] { return bank.health_asked > asked + 3; }));
    CHECK(version() == before);
    CHECK(bank.sent("capture").size() == 1);
    bank.ready = true;
    REQUIRE(eventually([&] { return status_of(rig) == "succeeded"; }));
}

TEST_CASE("what a crash left as an intent is unknown, and can be decided, though the bank is away"
) {
    ScriptedBank bank{"bank"};
    ScriptedBank other{"other"};
    Rig rig{{&bank}, {}, false};
    std::string operation = "capture";
    std::vector<connectors::Connector*> banks{&bank};
    SUBCASE("a capture, and the link is down") {}
    SUBCASE("a capture, and the bank is not configured any more") {
        banks = {&other};
    }
    SUBCASE("an authorisation, and the bank is not configured any more") {
        banks = {&other};
        operation = "authorise";
    }
    // Nothing is reversed as long as the answer is "not yet".
    bank.script(operation, says(operation == "capture" ? Outcome::unknown : Outcome::pending));
    REQUIRE(rig.pay(900).has_value());
    auto left =
        *load_known<model::Attempt>(rig.documents(), Rig::kOwner, rig.attempts(operation)[0].id);
    left.value.state = "intent";
    left.value.sends = 0;
    left.value.evidence.clear();
    ledger::Command crash;
    crash.puts.push_back(
        {.key = model::key_of(model::Kind::attempt, Rig::kOwner, left.value.id),
         .expected_version = left.version,
         .body = model::to_text(left.value)}
    );
    REQUIRE(rig.apply(crash) == ledger::CommandStatus::committed);
    bank.ready = false;
    rig.restart(banks);
    CHECK(rig.recovered);
    auto const attempt = rig.attempts(operation)[0];
    CHECK(attempt.state == "unknown");
    CHECK(attempt.closed == 0);
    CHECK(possible_outcomes(attempt).size() == 2);
}

TEST_CASE("what only a bank can do that is not configured any more is refused, and says why") {
    ScriptedBank bank{"bank"};
    ScriptedBank other{"other"};
    Rig rig{{&bank}};
    bool const is_refund = [] {
        bool refund = false;
        SUBCASE("capture and cancel") {}
        SUBCASE("a refund") {
            refund = true;
        }
        return refund;
    }();
    REQUIRE(rig.pay(900, is_refund ? "automatic" : "manual").has_value());
    auto const before = rig.intent(rig.last_intent);
    rig.restart({&other});
    std::vector<api::ApiResult<Done>> answers;
    auto const ask = [&] {
        if (is_refund) {
            answers.push_back(rig.wait(rig.payments().refund(
                rig.caller(), rig.last_intent, {.amount = 900}, rig.render_refund()
            )));
        } else {
            answers.push_back(
                rig.wait(rig.payments().cancel(rig.caller(), rig.last_intent, "", rig.render()))
            );
            answers.push_back(
                rig.wait(rig.payments().capture(rig.caller(), rig.last_intent, {}, rig.render()))
            );
        }
    };
    ask();
    for (auto const& answer : answers) {
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().http_status == 503);
        CHECK(answer.error().should_retry == false);
        CHECK(answer.error().message.starts_with("The bank of this payment, bank, is not conf"));
    }
    CHECK(rig.intent(rig.last_intent).status == before.status);
    CHECK(rig.intent(rig.last_intent).amount_refunding == 0);
    CHECK(rig.all_closed());
    rig.restart({&bank});
    answers.clear();
    ask();
    CHECK(answers.at(0)->body.ends_with(is_refund ? " succeeded" : " canceled"));
}

TEST_CASE("evidence of repeats does not grow the document") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    for (int i = 0; i < 8; ++i) {
        bank.script("capture", says(i % 2 == 0 ? Outcome::unknown : Outcome::not_sent));
    }
    REQUIRE(rig.pay(1200)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return status_of(rig) == "succeeded"; }));
    auto const capture = rig.attempts("capture")[0];
    CHECK(capture.evidence.size() == 3);
    CHECK(capture.sends == 5);
}

TEST_CASE("an attempt that cannot be read keeps neither the daemon nor the others from recovering"
) {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    bank.script("capture", says(Outcome::unknown));
    REQUIRE(rig.pay(1300)->body.ends_with(" processing"));
    std::string const good = rig.last_intent;
    Change broken{Rig::kOwner};
    broken.mark(model::Kind::open_attempt, "at_0");
    REQUIRE(rig.apply(broken.command) == ledger::CommandStatus::committed);
    rig.restart();
    CHECK(rig.recovered);
    REQUIRE(eventually([&] { return rig.intent(good).status == "succeeded"; }));
    CHECK(rig.pay(1400)->body.ends_with(" succeeded"));
}

TEST_CASE("many conflicts and much contention lose no outcome") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    REQUIRE(rig.pay(100'000)->body.ends_with(" succeeded"));
    std::vector<std::future<api::ApiResult<Done>>> refunds;
    bank.held = true;
    for (int i = 0; i < 100; ++i) {
        refunds.push_back(rig.begin(rig.payments().refund(
            rig.caller(), rig.last_intent, {.amount = 1000}, rig.render_refund()
        )));
    }
    REQUIRE(eventually([&] { return bank.sent("refund").size() == 100; }));
    bank.held = false;
    for (auto& each : refunds) {
        auto const done = each.get();
        REQUIRE(done.has_value());
        CHECK(done->body.ends_with(" succeeded"));
    }
    CHECK(rig.receivable("bank").credits_posted == 100'000);
    CHECK(rig.all_closed());
}

TEST_CASE("a payment that is captured at once takes three commands, none of them twice") {
    // A case at a wrong version would be refused, read anew and stored: nobody else would notice.
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    REQUIRE(rig.pay(1100)->body.ends_with(" succeeded"));  // the first also stores the currency
    // The figures follow the answers.
    auto const commands = [&] {
        constexpr auto kQuiet = std::chrono::milliseconds{100};
        std::this_thread::sleep_for(kQuiet);
        return rig.client().ledger().figures().requests;
    };
    std::uint64_t const before = commands();
    REQUIRE(rig.pay(1200)->body.ends_with(" succeeded"));
    CHECK(commands() - before == 3);
}
