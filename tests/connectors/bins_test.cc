#include "connectors/bins.h"

#include "connectors/cards.h"

#include <doctest/doctest.h>

#include <string>

using namespace florin;
using namespace florin::connectors;

namespace {

constexpr char const* kHeader = "low,high,brand,funding,country\n";

std::string facts(BinTable const& table, std::string_view number) {
    auto const found = table.find(Pan{number});
    return std::string{found.brand} + " " + std::string{found.funding} + " " + found.country;
}

std::string complaint(std::string const& lines) {
    auto const table = BinTable::parse(kHeader + lines, "t");
    REQUIRE_FALSE(table);
    CHECK(table.error().code == Errc::malformed);
    return table.error().context;
}

}  // namespace

TEST_CASE("the narrowest range that holds a number wins, wherever it stands in the file") {
    auto const table = BinTable::parse(
        std::string{kHeader} +
            "400000276,400000276,visa,credit,DE\n4,4,visa,unknown,\r\n400000,400009,visa,debit,\n\n"
            "51,55,mastercard,unknown,\n555555,555555,mastercard,prepaid,FR\n"
            "55555599999,55555599999,mastercard,debit,IT",
        "t"
    );
    REQUIRE(table);
    CHECK(table->ranges() == 6);
    CHECK(facts(*table, "4000002760003184") == "visa credit DE");
    CHECK(facts(*table, "4000002750003184") == "visa debit ");
    CHECK(facts(*table, "4000002770003184") == "visa debit ");
    CHECK(facts(*table, "4000099999999999") == "visa debit ");
    CHECK(facts(*table, "4000100000000000") == "visa unknown ");
    CHECK(facts(*table, "3999999999999999") == "unknown unknown ");
    CHECK(facts(*table, "5099999999999999") == "unknown unknown ");
    CHECK(facts(*table, "5100000000000000") == "mastercard unknown ");
    CHECK(facts(*table, "5555550000000000") == "mastercard prepaid FR");
    CHECK(facts(*table, "5555559999900000") == "mastercard debit IT");
    CHECK(facts(*table, "5555559999890000") == "mastercard prepaid FR");
    CHECK(facts(*table, "5555560000000000") == "mastercard unknown ");
    CHECK(facts(*table, "5600000000000000") == "unknown unknown ");
    CHECK(facts(*table, "") == "unknown unknown ");
    CHECK(facts(*table, "55x5550000000000") == "unknown unknown ");
    CHECK(facts(*table, "9999999999999999") == "unknown unknown ");
}

TEST_CASE("what is wrong in a table is named with its line") {
    CHECK(BinTable::parse("", "t").error().context == "t: the file is empty");
    CHECK(BinTable::parse("low;high\n", "t").error().context.starts_with("t:1: the first line"));
    CHECK(complaint("4,4,visa,credit\n") == "t:2: expected five cells");
    CHECK(complaint("4,4,visa,credit,US,\n") == "t:2: expected five cells");
    CHECK(complaint("\n4,44,visa,credit,US\n").starts_with("t:3: low and high"));
    CHECK(complaint(",,visa,credit,US\n").starts_with("t:2: low and high"));
    CHECK(complaint("4x,4y,visa,credit,US\n").starts_with("t:2: low and high"));
    CHECK(complaint("400000000000,400000000000,visa,credit,US\n").starts_with("t:2: low and"));
    CHECK(complaint("5,4,visa,credit,US\n") == "t:2: low is above high");
    CHECK(complaint("4,4,visum,credit,US\n").starts_with("t:2: the brand must be one of unknown"));
    CHECK(complaint("4,4,visa,cash,US\n").starts_with("t:2: the funding must be one of unknown"));
    CHECK(complaint("4,4,visa,credit,us\n").starts_with("t:2: the country"));
    CHECK(complaint("4,4,visa,credit,U\n").starts_with("t:2: the country"));
    CHECK(
        complaint("4,4,visa,credit,US\n40,49,visa,debit,US\n") == "t:3: the range of line 2 again"
    );
    CHECK(complaint("40,45,visa,credit,US\n44,47,visa,debit,US\n").starts_with("t:3: crosses"));
    CHECK(BinTable::load("/nonexistent/bins.csv").error().code == Errc::io);
}

TEST_CASE("the table that is built in knows the networks and the test cards") {
    auto const& table = BinTable::built_in();
    CHECK(facts(table, "4242424242424242") == "visa credit US");
    CHECK(facts(table, "4000000000009995") == "visa credit US");
    CHECK(facts(table, "4111111111111111") == "visa unknown ");
    CHECK(facts(table, "2720990000000000") == "mastercard unknown ");
    CHECK(facts(table, "2721000000000000") == "unknown unknown ");
    CHECK(brand_of(Pan{std::string_view{"6510000000000000"}}) == "discover");
    CHECK(brand_of(Pan{std::string_view{"3530000000000000"}}) == "jcb");
    CHECK(brand_of(Pan{std::string_view{"1234567812345678"}}) == "unknown");
}
