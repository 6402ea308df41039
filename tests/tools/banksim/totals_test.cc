#include "tests/tools/banksim/bank_rig.h"

#include <nlohmann/json.hpp>

using namespace florin;
using namespace florin::banksim::test;

namespace {

// Of the day that identity() has in field 7.
TotalsRequest totals_of(
    std::uint32_t stan, std::int64_t debits, std::int64_t debited, char const* currency = "EUR"
) {
    TotalsRequest request{
        .identity = identity(stan),
        .date = "2026-11-24",
        .currency = *Currency::from_alphabetic(currency),
        .totals = {},
    };
    request.totals.debits_number = debits;
    request.totals.debits_amount = debited;
    return request;
}

TotalsVerdict verdict(TotalsRequest const& request, TotalsReply const& reply) {
    REQUIRE(reply.end == TotalsReply::End::answered);
    return judge(request.totals, reply.totals, reply.claim);
}

nlohmann::json compared(BankRig& bank) {
    return nlohmann::json::parse(bank.command(R"({"totals":true})")).at("totals");
}

}  // namespace

TEST_CASE("the bank counts captures and refunds of a date, in every packaging") {
    for (auto const* const name : {"1987_ascii", "1987_bcd", "1987_ebcdic", "1993_ascii"}) {
        CAPTURE(name);
        TempDir dir;
        BankRig bank{dir.path(), 10'000, packaging_of(name)};
        auto const code = bank.authorise(1).authorization_code;
        REQUIRE(bank.capture(2, eur(4000), 1, code).outcome == Outcome::approved);
        REQUIRE(bank.capture(3, eur(500), 1, code).outcome == Outcome::approved);
        REQUIRE(bank.refund(4, eur(1000), 2).outcome == Outcome::approved);
        bank.authorise(5);
        bank.command(R"({"chargeback":{"rrn":"632913000003","amount_minor":100}})");
        for (bool const is_advice : {false, true}) {
            auto request = totals_of(6, 2, 4500);
            request.is_advice = is_advice;
            request.totals.credits_number = 1;
            request.totals.credits_amount = 1000;
            auto const reply = bank.compare(request);
            CHECK(reply.claim == BalanceClaim::in_balance);
            CHECK(reply.totals == said(request.totals));
            CHECK(verdict(request, reply).result == TotalsResult::in_balance);
        }
        // Another day, another currency: nothing there.
        auto other = totals_of(8, 0, 0);
        other.date = "2026-11-25";
        CHECK(verdict(other, bank.compare(other)).result == TotalsResult::in_balance);
        auto const dollars = totals_of(9, 1, 100, "USD");
        CHECK(
            verdict(dollars, bank.compare(dollars)).differing ==
            std::vector<std::string>{"debits_amount", "debits_number", "net"}
        );
    }
}

TEST_CASE("repeats get the first answer, whatever was booked since, also after a restart") {
    TempDir dir;
    std::string code;
    auto request = totals_of(3, 1, 4000);
    {
        BankRig bank{dir.path()};
        code = bank.authorise(1).authorization_code;
        REQUIRE(bank.capture(2, eur(4000), 1, code).outcome == Outcome::approved);
        CHECK(bank.compare(request).claim == BalanceClaim::in_balance);
    }
    BankRig bank{dir.path()};
    REQUIRE(bank.capture(4, eur(500), 1, code).outcome == Outcome::approved);
    request.repeat = true;
    auto const again = bank.compare(request);
    CHECK(again.claim == BalanceClaim::in_balance);
    CHECK(again.totals == said(request.totals));
    CHECK(compared(bank).size() == 1);
    CHECK(compared(bank)[0].at("repeats") == 1);
    CHECK(compared(bank)[0].at("stan") == "000003");
    // Other totals under the same identity are no repeat.
    request.totals.debits_amount = 4500;
    auto const other = bank.compare(request);
    CHECK(other.claim == BalanceClaim::refused);
    CHECK(other.totals.empty());
    request.identity = identity(5);
    CHECK(bank.compare(request).claim == BalanceClaim::out_of_balance);
    CHECK(compared(bank).size() == 2);
}

TEST_CASE("a fault makes the bank be off, or refuse") {
    TempDir dir;
    BankRig bank{dir.path()};
    bank.command(R"({"off_minor":1,"match":{"mti":"0500"},"times":1})");
    auto const request = totals_of(1, 0, 0);
    auto const off = bank.compare(request);
    CHECK(off.claim == BalanceClaim::out_of_balance);
    CHECK(off.totals.at("debits_amount") == 1);
    CHECK(verdict(request, off).differing == std::vector<std::string>{"debits_amount", "net"});
    // It stays with what it said.
    CHECK(bank.compare(request).totals.at("debits_amount") == 1);
    bank.command(R"({"decline":"40","match":{"mti":"052"},"times":1})");
    auto advice = totals_of(2, 0, 0);
    advice.is_advice = true;
    CHECK(verdict(advice, bank.compare(advice)).result == TotalsResult::refused);
}
