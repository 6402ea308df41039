#include "tools/banksim/reports.h"

#include "tests/tools/banksim/bank_rig.h"

#include <fstream>
#include <sstream>

using namespace florin;
using namespace florin::banksim;
using namespace florin::banksim::test;

namespace {

std::string contents(std::string const& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("the reports say what was booked, and their sums agree") {
    TempDir dir;
    BankRig bank{dir.path()};
    auto const code = bank.authorise(1).authorization_code;
    REQUIRE(bank.capture(2, eur(4500), 1, code).outcome == Outcome::approved);
    REQUIRE(bank.refund(3, eur(500), 2).outcome == Outcome::approved);
    CHECK(bank.command(R"({"fee":{"amount_minor":100,"currency":"EUR"}})") == "{\"ok\":true}\n");
    CHECK(
        bank.command(R"({"chargeback":{"rrn":"632913000002","amount_minor":1000}})") ==
        "{\"ok\":true}\n"
    );
    CHECK(holds(
        bank.command(R"({"chargeback":{"rrn":"632913000002","amount_minor":3001}})"), "out_of_range"
    ));
    CHECK(holds(bank.command(R"({"chargeback":{"rrn":"9","amount_minor":1}})"), "not_found"));
    CHECK(holds(bank.command(R"({"fee":{"amount_minor":0,"currency":"EUR"}})"), "out_of_range"));

    auto const path = dir.path() + "/report.csv";
    CHECK(holds(
        bank.command(R"({"report":"transactions","path":")" + path + "\"}"),
        R"("date":"2026-11-24")"
    ));
    // 0.5 % of 45.00 is 22.5 cents: half-even makes 22.
    CHECK(
        contents(path) ==
        "H,florin-acquirer-report,1,banksim,2026-11-24\n"
        "C,payout_reference,type,amount_minor,amount,fee_minor,fee,currency,stan,rrn,"
        "authorization_code,pan,transmission_time,business_date,terminal\n"
        "D,banksim-2026-11-24-EUR,capture,4500,45.00,22,0.22,EUR,000002,632913000002,A00001,"
        "************4242,1124130405,2026-11-24,TERM0001\n"
        "D,banksim-2026-11-24-EUR,refund,500,5.00,0,0.00,EUR,000003,632913000003,A00001,"
        "************4242,1124130405,2026-11-24,TERM0001\n"
        "D,banksim-2026-11-24-EUR,fee,100,1.00,0,0.00,EUR,,,,,,2026-11-24,\n"
        "D,banksim-2026-11-24-EUR,chargeback,1000,10.00,0,0.00,EUR,000002,632913000002,A00001,"
        "************4242,1124130405,2026-11-24,TERM0001\n"
        "S,banksim-2026-11-24-EUR,EUR,4,4500,500,1000,122,2878\n"
        "T,4,1\n"
    );
    bank.loop.call([&] {
        auto const today = camt053(*bank.book, "2026-11-24");
        REQUIRE(today);
        CHECK(holds(*today, "<Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">0.00</Amt>"));
        CHECK(holds(*today, "<Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">28.78</Amt>"));
        CHECK(holds(*today, "<Ntry><NtryRef>banksim-2026-11-24-EUR</NtryRef><Amt Ccy=\"EUR\">28.78")
        );
        // The next day opens with what this one closed with, and has no line.
        auto const next = camt053(*bank.book, "2026-11-25");
        REQUIRE(next);
        CHECK(holds(*next, "<Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">28.78</Amt>"));
        CHECK(holds(*next, "<Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">28.78</Amt>"));
        CHECK_FALSE(holds(*next, "<Ntry>"));
        CHECK(camt053(*bank.book, "2026-11-23").error().code == Errc::not_found);
        CHECK(
            *transaction_report(*bank.book, "2026-11-25") ==
            "H,florin-acquirer-report,1,banksim,2026-11-25\n"
            "C,payout_reference,type,amount_minor,amount,fee_minor,fee,currency,stan,rrn,"
            "authorization_code,pan,transmission_time,business_date,terminal\n"
            "T,0,0\n"
        );
    });
}

TEST_CASE("a negative net is a debit on the statement") {
    TempDir dir;
    FixedClock const clock;
    auto book = Book::open(dir.path(), BookOptions{}, clock);
    REQUIRE(book);
    REQUIRE(book->charge_fee(Money{250, *Currency::from_alphabetic("JPY")}));
    auto const statement = camt053(*book, "2026-11-24");
    REQUIRE(statement);
    CHECK(holds(*statement, "<Amt Ccy=\"JPY\">250</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>")
    );
}

TEST_CASE("a report of another kind or of no day is refused") {
    TempDir dir;
    FixedClock const clock;
    auto book = Book::open(dir.path(), BookOptions{}, clock);
    REQUIRE(book);
    CHECK(report(*book, "mt940", "2026-11-24").error().code == Errc::malformed);
    for (char const* const date :
         {"2026-02-29", "2026-13-01", "2026-1-01", "today", "+026-11-24"}) {
        CAPTURE(date);
        CHECK(report(*book, "transactions", date).error().code == Errc::malformed);
    }
    CHECK(is_date("2028-02-29"));
    CHECK(write_report("/nonexistent/report.csv", "x").error().code == Errc::io);
}

TEST_CASE("a book keeps the settings that it was made with") {
    TempDir dir;
    FixedClock const clock;
    REQUIRE(Book::open(dir.path(), BookOptions{.acquirer = "first"}, clock));
    CHECK(Book::open(dir.path(), BookOptions{.acquirer = "second"}, clock)->acquirer() == "first");
    for (char const* const acquirer : {"", "a,b", "a<b", "twenty-one-characters"}) {
        CAPTURE(acquirer);
        CHECK(
            Book::open(dir.path(), BookOptions{.acquirer = acquirer}, clock).error().code ==
            Errc::malformed
        );
    }
    CHECK(Book::open("/proc/nonexistent", BookOptions{}, clock).error().code == Errc::io);
}
