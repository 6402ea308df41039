#include "daemon/flow/resolution.h"

#include "tests/flow/flow_rig.h"

#include <doctest/doctest.h>

using namespace florin;
using namespace florin::flow;
using namespace florin::flow::test;

namespace {

Person const kAnna{.name = "Anna", .key_id = "key1"};
Person const kBen{.name = "Ben", .key_id = "key2"};

// Two persons and the flow; nothing is repeated, so that what is unknown stays unknown.
struct Office {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}, {}, false};
    Resolutions resolutions{rig.client(), rig.payments(), rig.ids()};

    Result<model::Resolution> propose(std::string const& outcome, Person const& person) {
        std::string const reason = person.name == "Ben" ? "seen in the portal" : "they called";
        return rig.wait(resolutions.propose(Rig::kOwner, attempt, outcome, reason, person));
    }
    Result<model::Resolution> confirm(std::string const& id, Person const& person) {
        return rig.wait(resolutions.confirm(Rig::kOwner, attempt, id, "their letter", person));
    }
    Result<model::Resolution> withdraw(std::string const& id, Person const& person) {
        return rig.wait(resolutions.withdraw(Rig::kOwner, attempt, id, "a mistake", person));
    }
    std::string status() const { return rig.intent(rig.last_intent).status; }
    model::Attempt the(std::string const& operation) const {
        auto const found = rig.attempts(operation);
        REQUIRE(found.size() == 1);
        return found[0];
    }
    // A payment of 1,000 whose `operation` the bank leaves without an answer.
    void leave_unknown(std::string const& operation) {
        bank.script(operation == "void" ? "reverse" : operation, says(Outcome::unknown));
        if (operation == "authorise") {
            bank.script("reverse", says(Outcome::unknown));
        }
        bool const is_manual = operation == "void";
        REQUIRE(rig.pay(1000, is_manual ? "manual" : "automatic").has_value());
        if (is_manual) {
            REQUIRE(rig.wait(rig.payments().cancel(rig.caller(), rig.last_intent, "", rig.render()))
            );
        }
        if (operation == "refund") {
            REQUIRE(rig.wait(rig.payments().refund(
                rig.caller(), rig.last_intent, {.amount = 400}, rig.render_refund()
            )));
        }
        REQUIRE(eventually([&] {
            auto const found = rig.attempts(operation);
            return found.size() == 1 && found[0].state == "unknown";
        }));
        attempt = the(operation).id;
    }
    model::Refund refund() const {
        return load_known<model::Refund>(rig.documents(), Rig::kOwner, the("refund").refund)->value;
    }

    std::string attempt;
};

}  // namespace

TEST_CASE("what may be decided depends on the operation and on what is known") {
    struct Row {
        std::string operation, state;
        std::int64_t closed;
        std::vector<std::string_view> expected;
    };
    std::vector<Row> const rows{
        {"authorise", "unknown", 0, {"reversed", "declined"}},
        {"capture", "unknown", 0, {"approved", "declined"}},
        {"refund", "unknown", 0, {"approved", "declined"}},
        {"void", "unknown", 0, {"reversed"}},
        {"authorise", "intent", 0, {}},
        {"authorise", "pending", 0, {}},
        {"capture", "intent", 0, {}},
        {"capture", "approved", 5, {}},
        {"refund", "declined", 5, {}},
        {"void", "approved", 5, {}},
    };
    for (Row const& row : rows) {
        CAPTURE(row.operation);
        CAPTURE(row.state);
        model::Attempt attempt;
        attempt.operation = row.operation;
        attempt.state = row.state;
        attempt.closed = row.closed;
        CHECK(possible_outcomes(attempt) == row.expected);
        for (char const* const outcome : {"approved", "declined", "reversed", "unknown", ""}) {
            bool const is_possible =
                std::ranges::find(row.expected, std::string_view{outcome}) != row.expected.end();
            CHECK(check_outcome(attempt, outcome).has_value() == is_possible);
        }
    }
}

TEST_CASE("a person is a name, however it is written; a key without one is nobody's") {
    CHECK(is_same_person("Anna", " anna\t"));
    CHECK(is_same_person("Björn", "BJÖRN"));
    CHECK(is_same_person("Ada Lovelace", "Ada  Lovelace"));
    CHECK(is_same_person("Anna", "An\u200bna"));
    CHECK_FALSE(is_same_person("Anna", "Anne"));
    CHECK(check_named({.name = "\u200b", .key_id = "k"}).error().code == Errc::refused);
    CHECK(check_named({.name = " ", .key_id = "k"}).error().code == Errc::refused);
    CHECK(check_named(kAnna).has_value());
}

TEST_CASE("one person alone decides nothing") {
    Office office;
    office.leave_unknown("capture");
    auto const proposed = office.propose("approved", kAnna);
    REQUIRE(proposed.has_value());
    CHECK(proposed->state == "proposed");
    Person const again{.name = "anna ", .key_id = "another key"};
    for (auto const& refused :
         {office.propose("approved", kAnna),
          office.confirm(proposed->id, kAnna),
          office.confirm(proposed->id, again),
          office.confirm(proposed->id, {.name = "", .key_id = "key3"})}) {
        CHECK(refused.error().code == Errc::refused);
    }
    CHECK(office.propose("declined", kBen).error().code == Errc::conflict);
    CHECK(office.propose("reversed", kBen).error().code == Errc::conflict);
    CHECK(office.confirm("rs_none", kBen).error().code == Errc::not_found);
    CHECK(office.status() == "processing");
    CHECK(office.the("capture").evidence.size() == 1);
}

TEST_CASE("one person does not become two by writing the name in another way") {
    struct Row {
        std::string name, variant;
    };
    std::vector<Row> const rows{
        {"Björn", "BJÖRN"},
        {"Ada Lovelace", "Ada  Lovelace"},
        {"Anna", "An\u200bna"},
        {"Anna", "Аnnа"},  // with Cyrillic letters
    };
    Office office;
    office.leave_unknown("capture");
    for (Row const& row : rows) {
        CAPTURE(row.variant);
        auto const proposed = office.propose("approved", {.name = row.name, .key_id = "k1"});
        REQUIRE(proposed.has_value());
        Person const again{.name = row.variant, .key_id = "k2"};
        CHECK(office.confirm(proposed->id, again).error().code == Errc::refused);
        CHECK(office.propose("approved", again).error().code == Errc::refused);
        REQUIRE(office.withdraw(proposed->id, kBen).has_value());
    }
    CHECK(office.the("capture").evidence.size() == 1);
}

TEST_CASE("whoever had the other one's key in their hands is no second person") {
    struct Row {
        Person proposes, confirms;
        bool is_refused;
    };
    Person const by_anna{.name = "Carl", .key_id = "k3", .makers = {"Anna"}};
    Person const through_carl{.name = "Dora", .key_id = "k4", .makers = {"Carl", " ANNA"}};
    Person const by_boss{.name = "Eve", .key_id = "k5", .makers = {"Boss"}};
    Person const also_by_boss{.name = "Finn", .key_id = "k6", .makers = {"Boss"}};
    std::vector<Row> const rows{
        {kAnna, by_anna, true},
        {by_anna, kAnna, true},
        {kAnna, through_carl, true},
        {through_carl, kAnna, true},
        {by_anna, through_carl, true},
        {kBen, through_carl, false},
        {by_boss, also_by_boss, false},
        {kAnna, by_boss, false},
    };
    for (Row const& row : rows) {
        CAPTURE(row.proposes.name);
        CAPTURE(row.confirms.name);
        Office office;
        office.leave_unknown("capture");
        auto const proposed = office.propose("approved", row.proposes);
        REQUIRE(proposed.has_value());
        auto const confirmed = office.confirm(proposed->id, row.confirms);
        CHECK(confirmed.has_value() != row.is_refused);
        if (row.is_refused) {
            CHECK(confirmed.error().code == Errc::refused);
            CHECK(confirmed.error().context.find("another person") != std::string::npos);
        }
    }
}

TEST_CASE("two persons say that a capture was booked: the money is the merchant's") {
    Office office;
    office.leave_unknown("capture");
    auto const proposed = office.propose("approved", kAnna);
    auto const confirmed = office.confirm(proposed->id, kBen);
    REQUIRE(confirmed.has_value());
    CHECK(confirmed->state == "confirmed");
    CHECK(confirmed->proposed_by == "Anna");
    CHECK(confirmed->decided_by == "Ben");
    CHECK(office.status() == "succeeded");
    CHECK(office.rig.receivable("bank").debits_posted == 1000);
    auto const attempt = office.the("capture");
    CHECK(attempt.state == "approved");
    CHECK(attempt.evidence.back().source == "operator");
    CHECK(attempt.evidence.back().reference == proposed->id);
    CHECK(office.rig.all_closed());
    // It is over: nothing can be decided again.
    CHECK(office.confirm(proposed->id, kBen).error().code == Errc::conflict);
    CHECK(office.propose("declined", kAnna).error().code == Errc::conflict);
    office.rig.restart();
    Resolutions const later{office.rig.client(), office.rig.payments(), office.rig.ids()};
    auto const kept = later.of(Rig::kOwner, office.attempt);
    REQUIRE(kept->size() == 1);
    CHECK(kept->at(0).reason == "they called");
    CHECK(kept->at(0).decided_key == "key2");
    CHECK(kept->at(0).decided_reason == "their letter");
}

TEST_CASE("two persons say that a capture was not booked: what it authorised is given back") {
    Office office;
    office.leave_unknown("capture");
    REQUIRE(office.propose("declined", kAnna).has_value());
    // The same wish by somebody else is the confirmation.
    auto const confirmed = office.propose("declined", kBen);
    REQUIRE(confirmed.has_value());
    CHECK(confirmed->reason == "they called");
    CHECK(confirmed->decided_reason == "seen in the portal");
    REQUIRE(eventually([&] { return office.rig.all_closed(); }));
    CHECK(office.the("capture").state == "declined");
    CHECK(office.the("authorise").state == "reversed");
    CHECK(office.the("void").reason == "capture_declined");
    CHECK(office.bank.sent("reverse").size() == 1);
    CHECK(office.status() == "requires_payment_method");
    CHECK(office.rig.receivable("bank").debits_posted == 0);
    CHECK(office.rig.receivable("bank").debits_pending == 0);
}

TEST_CASE("two persons decide about a refund, one way or the other") {
    Office office;
    office.leave_unknown("refund");
    std::string outcome = "approved";
    SUBCASE("approved") {}
    SUBCASE("declined") {
        outcome = "declined";
    }
    REQUIRE(office.propose(outcome, kAnna).has_value());
    REQUIRE(office.propose(outcome, kBen).has_value());
    bool const is_approved = outcome == "approved";
    CHECK(office.refund().status == (is_approved ? "succeeded" : "failed"));
    CHECK(office.rig.receivable("bank").credits_posted == (is_approved ? 400 : 0));
    CHECK(office.rig.receivable("bank").credits_pending == 0);
    CHECK(office.rig.intent(office.rig.last_intent).amount_refunding == (is_approved ? 400 : 0));
    CHECK(office.rig.all_closed());
}

TEST_CASE("a refund that two persons call off is not expected in a report, whoever is configured") {
    Office office;
    ScriptedBank other{"other"};
    office.leave_unknown("refund");
    CHECK(office.rig.is_expected(office.the("refund")));
    office.rig.restart({&other});
    Resolutions resolutions{office.rig.client(), office.rig.payments(), office.rig.ids()};
    for (Person const& person : {kAnna, kBen}) {
        REQUIRE(office.rig
                    .wait(resolutions.propose(
                        Rig::kOwner, office.attempt, "declined", "their letter", person
                    ))
                    .has_value());
    }
    CHECK(office.the("refund").state == "declined");
    CHECK_FALSE(office.rig.is_expected(office.the("refund")));
}

TEST_CASE("two persons decide about an authorisation, and its reversal is taken no further") {
    Office office;
    office.leave_unknown("authorise");
    CHECK(office.propose("approved", kAnna).error().code == Errc::conflict);
    std::string outcome = "reversed";
    SUBCASE("reversed") {}
    SUBCASE("declined") {
        outcome = "declined";
    }
    REQUIRE(eventually([&] {
        return office.rig.attempts("void").size() == 1 && office.the("void").state == "unknown";
    }));
    REQUIRE(office.propose(outcome, kAnna).has_value());
    REQUIRE(office.propose(outcome, kBen).has_value());
    CHECK(office.the("authorise").state == outcome);
    CHECK(office.status() == "requires_payment_method");
    CHECK(office.rig.receivable("bank").debits_pending == 0);
    // The reversal goes out once more after the restart, and posts nothing twice, whatever the bank
    // says to it.
    office.bank.script("reverse", says(Outcome::unknown));
    office.rig.restart();
    REQUIRE(eventually([&] { return office.rig.all_closed(); }));
    CHECK(office.the("authorise").state == outcome);
    CHECK(office.rig.recovered);
    // The bank approved it all the same, and says so late: that is given back.
    auto const message = office.bank.sent("authorise")[0];
    office.rig.payments().late_reply(office.rig.late(message, says(Outcome::approved, "00")));
    REQUIRE(eventually([&] {
        return office.rig.attempts("void").size() == 2 && office.rig.all_closed();
    }));
    CHECK(office.rig.attempts("void")[1].reason == "late_approval");
    CHECK(office.status() == "requires_payment_method");
}

TEST_CASE("two persons say that a reversal arrived: the payment is canceled") {
    Office office;
    office.leave_unknown("void");
    CHECK(office.propose("approved", kAnna).error().code == Errc::conflict);
    REQUIRE(office.propose("reversed", kAnna).has_value());
    REQUIRE(office.propose("reversed", kBen).has_value());
    CHECK(office.status() == "canceled");
    CHECK(office.the("authorise").state == "reversed");
    CHECK(office.rig.receivable("bank").debits_pending == 0);
    CHECK(office.rig.all_closed());
}

TEST_CASE("a proposal is withdrawn once, and another one can be made") {
    Office office;
    office.leave_unknown("capture");
    auto const first = office.propose("declined", kAnna);
    CHECK(office.withdraw("rs_none", kAnna).error().code == Errc::not_found);
    REQUIRE(office.withdraw(first->id, kAnna).has_value());
    CHECK(office.withdraw(first->id, kBen).error().code == Errc::conflict);
    CHECK(office.confirm(first->id, kBen).error().code == Errc::conflict);
    auto const second = office.propose("approved", kBen);
    REQUIRE(second.has_value());
    REQUIRE(office.confirm(second->id, kAnna).has_value());
    CHECK(office.resolutions.of(Rig::kOwner, office.attempt)->size() == 2);
    CHECK(office.status() == "succeeded");
}

TEST_CASE("the bank's own answer before the confirmation decides, and the confirmation is refused"
) {
    Office office;
    office.leave_unknown("capture");
    auto const proposed = office.propose("declined", kAnna);
    office.rig.restart();  // sends it again, and the bank answers
    REQUIRE(eventually([&] { return office.status() == "succeeded"; }));
    Resolutions later{office.rig.client(), office.rig.payments(), office.rig.ids()};
    auto const refused =
        office.rig.wait(later.confirm(Rig::kOwner, office.attempt, proposed->id, "", kBen));
    CHECK(refused.error().code == Errc::conflict);
    CHECK(later.of(Rig::kOwner, office.attempt)->at(0).state == "proposed");
    CHECK(office.rig.receivable("bank").debits_posted == 1000);
}
