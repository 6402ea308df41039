#include "daemon/flow/balance.h"

#include "daemon/model/settlement.h"
#include "tests/flow/flow_rig.h"

#include <doctest/doctest.h>

using namespace florin;
using namespace florin::flow;
using namespace florin::flow::test;
using model::BalanceTransaction;
using model::Kind;

namespace {

// All rows of the rig's merchant, oldest first.
std::vector<BalanceTransaction> rows(Rig const& rig) {
    std::vector<BalanceTransaction> found;
    auto const take = [&](std::string const& id, Stored<BalanceTransaction> row) -> Result<bool> {
        row.value.id = id;
        found.push_back(std::move(row.value));
        return true;
    };
    REQUIRE(each_of<BalanceTransaction>(rig.documents(), Rig::kOwner, {}, take).has_value());
    return found;
}

std::size_t count(Rig const& rig, Kind kind) {
    std::size_t found = 0;
    auto const see = [&](ledger::Document const&) -> Result<bool> {
        ++found;
        return true;
    };
    REQUIRE(rig.documents().each(static_cast<std::uint16_t>(kind), see).has_value());
    return found;
}

CurrencyBalance balance(Rig& rig) {
    auto const read = rig.wait(read_balance(rig.client(), Rig::kOwner));
    REQUIRE(read.has_value());
    CHECK(read->mode == model::Mode::test);
    REQUIRE(read->currencies.size() == 1);
    return read->currencies[0];
}

model::Charge charge_of(Rig const& rig) {
    std::string const id = rig.intent(rig.last_intent).latest_charge;
    return load_known<model::Charge>(rig.documents(), Rig::kOwner, id)->value;
}

void set_terms(Rig& rig) {
    std::string const platform = model::owner_of("platform", model::Mode::test);
    auto merchant = load_known<model::Merchant>(rig.documents(), platform, "acct_1");
    REQUIRE(merchant.has_value());
    merchant->value.fee_basis_points = 150;
    merchant->value.fee_fixed_minor = 25;
    merchant->value.default_currency = "USD";
    Change change{platform};
    change.put("acct_1", *merchant);
    REQUIRE(rig.apply(std::move(change.command)) == ledger::CommandStatus::committed);
}

api::ApiResult<Done> refund(Rig& rig, std::int64_t amount) {
    return rig.wait(rig.payments().refund(
        rig.caller(), rig.last_intent, {.amount = amount}, rig.render_refund()
    ));
}

}  // namespace

TEST_CASE("a row's id is its document's, and says when it was made") {
    BalanceTransaction row{.id = "txn_x", .source = "ch_1", .currency = "EUR", .amount = 5};
    std::string const text = model::to_text(row);
    CHECK(text == R"({"source":"ch_1","currency":"EUR","amount":5})");
    CHECK(model::from_text<BalanceTransaction>(text)->type == "charge");
    CHECK(row.created() == 0);
    row.id = model::id_from("txn", 1'700'000'000'000'000'000) + "0000000000000";
    CHECK(row.created() == 1'700'000'000);
    row.fee = 7;
    CHECK(row.net() == -2);
    CHECK(model::payout_rows("EUR", 17) == "EUR-17");
}

TEST_CASE("the availability of a payment is found by its row, and the other way round") {
    std::string const id = model::availability_id("EUR", 1'700'000'000, "txn_1");
    CHECK(id == "EUR/001700000000/txn_1");
    CHECK(model::transaction_of(id) == "txn_1");
    // Made by an earlier version.
    CHECK(model::transaction_of("EUR/001700000000/at_1").empty());
    CHECK(model::transaction_of("").empty());
}

TEST_CASE("a capture writes its row with its postings, and an authorisation none") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    set_terms(rig);
    CHECK(balance(rig).currency == *Currency::from_alphabetic("USD"));  // nothing yet
    REQUIRE(rig.pay(5'000, "manual").has_value());
    CHECK(rows(rig).empty());
    CHECK(charge_of(rig).balance_transaction.empty());
    CHECK(balance(rig).currency == *Currency::from_alphabetic("EUR"));
    CHECK(balance(rig).pending == 0);

    CaptureWish const wish{
        .amount = 2'000,
        .metadata = {},
        .statement_descriptor = {},
        .statement_descriptor_suffix = {}
    };
    REQUIRE(rig.wait(rig.payments().capture(rig.caller(), rig.last_intent, wish, rig.render()))
                .has_value());
    auto const made = rows(rig);
    REQUIRE(made.size() == 1);
    model::Charge const charge = charge_of(rig);
    CHECK(charge.balance_transaction == made[0].id);
    CHECK(made[0].source == charge.id);
    CHECK(made[0].amount == 2'000);
    CHECK(made[0].fee == 55);
    CHECK(balance(rig).pending == made[0].net());
    CHECK(balance(rig).available == 0);
    // Pending for as long as this is there.
    auto const waiting = rig.documents().get(model::key_of(
        Kind::availability, Rig::kOwner, model::availability_id("EUR", made[0].due, made[0].id)
    ));
    REQUIRE(waiting.has_value());
    CHECK(waiting->has_value());
}

TEST_CASE("a refund has its row when the bank has booked it, once") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    REQUIRE(rig.pay(5'000).has_value());
    bank.script("refund", says(Outcome::declined, "05"));
    REQUIRE(refund(rig, 100).has_value());
    CHECK(rows(rig).size() == 1);
    bank.script("refund", says(Outcome::unknown));
    bank.script("refund", says(Outcome::unknown));
    REQUIRE(refund(rig, 700)->body.ends_with(" pending"));
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    auto const made = rows(rig);
    REQUIRE(made.size() == 2);
    CHECK(made[1].type == "refund");
    CHECK(made[1].amount == -700);
    CHECK(made[1].fee == 0);
    CHECK(made[1].due == 0);
    auto const stored = load_known<model::Refund>(rig.documents(), Rig::kOwner, made[1].source);
    REQUIRE(stored.has_value());
    CHECK(stored->value.balance_transaction == made[1].id);
    CHECK(balance(rig).available == -700);
    CHECK(count(rig, Kind::payout_transaction) == 1);
}

TEST_CASE("a capture that nobody answered has its row when it is known, and not twice") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    bank.script("capture", says(Outcome::unknown));
    bank.script("capture", says(Outcome::unknown));
    REQUIRE(rig.pay(4'000)->body.ends_with(" processing"));
    rig.restart();
    REQUIRE(eventually([&] { return rig.intent(rig.last_intent).status == "succeeded"; }));
    auto const made = rows(rig);
    REQUIRE(made.size() == 1);
    CHECK(made[0].net() == 4'000);
    CHECK(charge_of(rig).balance_transaction == made[0].id);
    CHECK(balance(rig).pending == 4'000);
}

TEST_CASE("a row is never listed with a payout that was made meanwhile") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    BalanceTransaction row{.id = {}, .type = "refund", .source = "re_1", .currency = "EUR"};
    Change late{Rig::kOwner};
    write_row(late, rig.ids(), row);
    list_with_next_payout(late, rig.documents(), row);

    Change payout{Rig::kOwner};
    payout.put("EUR", model::SettlementPosition{.batch = "stl-1", .payouts = 1}, 0);
    REQUIRE(rig.apply(std::move(payout.command)) == ledger::CommandStatus::committed);
    CHECK(rig.apply(std::move(late.command)) == ledger::CommandStatus::document_conflict);
    CHECK(rows(rig).empty());

    Change again{Rig::kOwner};
    write_row(again, rig.ids(), row);
    list_with_next_payout(again, rig.documents(), row);
    REQUIRE(rig.apply(std::move(again.command)) == ledger::CommandStatus::committed);
    auto const link = rig.documents().get(model::key_of(
        Kind::payout_transaction, Rig::kOwner, model::link_id(model::payout_rows("EUR", 2), row.id)
    ));
    REQUIRE(link.has_value());
    CHECK(link->has_value());
}
