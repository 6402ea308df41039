// Whose a payment method is after a payment, what a bank is told of it, and which events there are.
#include "tests/flow/flow_rig.h"

#include <doctest/doctest.h>

using namespace florin;
using namespace florin::flow;
using namespace florin::flow::test;

namespace {

using Types = std::vector<std::string>;

void add_customer(Rig& rig, std::string const& id) {
    model::Customer customer;
    customer.id = id;
    Change change{Rig::kOwner};
    change.put(id, customer, 0);
    REQUIRE(rig.apply(std::move(change.command)) == ledger::CommandStatus::committed);
}

model::PaymentMethod method(Rig& rig, std::string const& id) {
    return load_known<model::PaymentMethod>(rig.documents(), Rig::kOwner, id)->value;
}

std::size_t links(Rig& rig, model::Kind kind) {
    std::size_t count = 0;
    auto const see = [&](ledger::Document const& document) -> Result<bool> {
        CHECK(document.body.value_or("").empty());
        ++count;
        return true;
    };
    static_cast<void>(rig.documents().each(static_cast<std::uint16_t>(kind), see));
    return count;
}

bool anything_holds(Rig& rig, std::string_view text) {
    bool found = false;
    auto const see = [&](ledger::Document const& document) -> Result<bool> {
        found = found || document.body.value_or("").find(text) != std::string::npos;
        return true;
    };
    for (std::uint16_t kind = 1; kind < 64; ++kind) {
        static_cast<void>(rig.documents().each(kind, see));
    }
    return found;
}

}  // namespace

TEST_CASE("a method that nobody has is spent by a payment, and given back by a refusal") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    rig.new_method.id = "pm_2";
    bank.script("authorise", says(Outcome::declined, "51"));
    REQUIRE(rig.pay(500)->body.ends_with(" requires_payment_method"));
    CHECK(method(rig, "pm_2").spent_by.empty());
    rig.new_method.id = "pm_3";
    REQUIRE(rig.pay(500)->body.ends_with(" succeeded"));
    CHECK(method(rig, "pm_3").spent_by == rig.last_intent);
    rig.new_method.id = "pm_4";
    bank.script("authorise", says(Outcome::unknown));
    REQUIRE(rig.pay(500)->body.ends_with(" processing"));
    REQUIRE(eventually([&] {
        return rig.intent(rig.last_intent).status == "requires_payment_method";
    }));
    CHECK(method(rig, "pm_4").spent_by.empty());
}

TEST_CASE("a method that is to be kept becomes its customer's with the approval") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    add_customer(rig, "cus_1");
    rig.new_method.id = "pm_2";
    rig.adjust = [](model::PaymentIntent& intent) {
        intent.customer = "cus_1";
        intent.setup_future_usage = "off_session";
    };
    Reply approved = says(Outcome::approved, "00");
    approved.network_transaction_id = "NTI1";
    bank.script("authorise", approved);
    REQUIRE(rig.pay(500)->body.ends_with(" succeeded"));
    CHECK(method(rig, "pm_2").customer == "cus_1");
    CHECK(method(rig, "pm_2").spent_by.empty());
    CHECK(method(rig, "pm_2").network_transaction_id == "NTI1");
    CHECK(bank.sent("authorise")[0].credential == "CF");
    CHECK(bank.sent("authorise")[0].original_payment.empty());
    CHECK(bank.sent("authorise")[0].cryptogram == Rig::kCryptogram);
    CHECK(links(rig, model::Kind::customer_method) == 1);
    CHECK(links(rig, model::Kind::customer_intent) == 1);
    CHECK(links(rig, model::Kind::customer_charge) == 1);
    CHECK(links(rig, model::Kind::payment_charge) == 1);
    CHECK(links(rig, model::Kind::group_charge) == 0);
    CHECK_FALSE(anything_holds(rig, Rig::kCryptogram));

    rig.new_method.id = "pm_5";
    rig.adjust = [](model::PaymentIntent& intent) {
        intent.off_session = "true";
        intent.card_options.network_transaction_id = "OTHER";
    };
    REQUIRE(rig.pay(500)->body.ends_with(" succeeded"));
    CHECK(bank.sent("authorise")[1].credential == "MS");
    CHECK(bank.sent("authorise")[1].original_payment == "OTHER");
}

TEST_CASE("a customer that is gone by then gets no method") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    rig.new_method.id = "pm_2";
    rig.adjust = [](model::PaymentIntent& intent) {
        intent.customer = "cus_gone";
        intent.setup_future_usage = "on_session";
    };
    REQUIRE(rig.pay(500)->body.ends_with(" succeeded"));
    CHECK(method(rig, "pm_2").customer.empty());
    CHECK(links(rig, model::Kind::customer_method) == 0);
}

TEST_CASE("two payments with one new method: the second is refused before anything is sent") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    rig.new_method.id = "pm_2";
    REQUIRE(rig.pay(500));
    auto const second = rig.pay(500);
    REQUIRE_FALSE(second);
    CHECK(second.error().http_status == 409);
    CHECK(bank.sent("authorise").size() == 1);
}

TEST_CASE("each way of a payment has its events") {
    ScriptedBank bank{"bank"};
    SUBCASE("captured at once") {
        Rig rig{{&bank}};
        REQUIRE(rig.pay(500)->body.ends_with(" succeeded"));
        CHECK(
            rig.events() ==
            Types{"payment_intent.created", "charge.succeeded", "payment_intent.succeeded"}
        );
    }
    SUBCASE("captured later, by the card's own option") {
        Rig rig{{&bank}};
        rig.adjust = [](model::PaymentIntent& intent) {
            intent.card_options.capture_method = "manual";
        };
        REQUIRE(rig.pay(500)->body.ends_with(" requires_capture"));
        REQUIRE(rig.wait(rig.payments().capture(rig.caller(), rig.last_intent, {}, rig.render())));
        CHECK(
            rig.events() ==
            Types{
                "payment_intent.created",
                "charge.succeeded",
                "payment_intent.amount_capturable_updated",
                "charge.captured",
                "payment_intent.succeeded",
            }
        );
    }
    for (std::string const reason : {"automatic", "abandoned"}) {
        SUBCASE(reason.c_str()) {
            Rig rig{{&bank}};
            REQUIRE(rig.pay(500, "manual"));
            REQUIRE(
                rig.wait(rig.payments().cancel(rig.caller(), rig.last_intent, reason, rig.render()))
            );
            auto const events = rig.events();
            REQUIRE(events.size() == 5);
            CHECK(events[3] == (reason == "automatic" ? "charge.expired" : "charge.refunded"));
            CHECK(events[4] == "payment_intent.canceled");
        }
    }
    SUBCASE("not answered") {
        Rig rig{{&bank}};
        bank.script("authorise", says(Outcome::unknown));
        REQUIRE(rig.pay(500)->body.ends_with(" processing"));
        REQUIRE(eventually([&] { return rig.all_closed(); }));
        CHECK(
            rig.events() ==
            Types{
                "payment_intent.created",
                "payment_intent.processing",
                "charge.failed",
                "payment_intent.payment_failed",
            }
        );
    }
    SUBCASE("given back") {
        Rig rig{{&bank}};
        REQUIRE(rig.pay(500));
        REQUIRE(rig.wait(rig.payments().refund(
            rig.caller(), rig.last_intent, {.amount = 100}, rig.render_refund()
        )));
        auto const events = rig.events();
        REQUIRE(events.size() == 6);
        CHECK(
            Types{events.begin() + 3, events.end()} ==
            Types{"refund.created", "charge.refunded", "refund.updated"}
        );
    }
}
