#include "daemon/totals/day_count.h"

#include "daemon/model/ids.h"
#include "ledger/base/calendar.h"

#include <doctest/doctest.h>

#include <string>

using namespace florin;
using namespace florin::totals;

namespace {

constexpr std::int64_t kDaySeconds = 86'400;
constexpr Day kDay = 20'781;  // 2026-11-24
constexpr std::int64_t kMidnight = kDay * kDaySeconds;

// As the flow leaves one that was approved.
model::Attempt attempt(
    char const* operation,
    std::int64_t amount,
    std::int64_t at = kMidnight + 3'600,
    char const* currency = "EUR"
) {
    model::Attempt made;
    made.operation = operation;
    made.connector = "bank";
    made.currency = currency;
    made.amount = amount;
    made.state = "approved";
    made.created = at;
    made.closed = at + 1;
    made.transmission_time = utc_transmission_time(at);
    return made;
}

}  // namespace

TEST_CASE("a business date is that of field 7, from its first second to its last") {
    CHECK(date_of(kDay) == "2026-11-24");
    CHECK(day_of(kMidnight) == kDay);
    CHECK(day_of(kMidnight - 1) == kDay - 1);
    struct Row {
        std::int64_t at;
        bool counts;
    };
    constexpr Row kRows[] = {
        {kMidnight - 1, false},  // 23:59:59 of the day before
        {kMidnight, true},       // 00:00:00
        {kMidnight + kDaySeconds - 1, true},
        {kMidnight + kDaySeconds, false},
        {kMidnight - 365 * kDaySeconds, false},  // the same day and month of another year
        {kMidnight + 365 * kDaySeconds, false},
    };
    for (Row const& row : kRows) {
        CAPTURE(row.at);
        DayCount count{"bank", kDay};
        count.add(attempt("capture", 100, row.at));
        CHECK(count.by_currency().size() == (row.counts ? 1 : 0));
    }
    // What counts is what the message says, not when its intent was made.
    DayCount count{"bank", kDay};
    auto late = attempt("capture", 100, kMidnight);
    late.created = kMidnight - 2;
    count.add(late);
    auto early = attempt("capture", 7, kMidnight - 1);
    early.created = kMidnight + 1;
    count.add(early);
    CHECK(count.by_currency().at("EUR").totals.debits_amount == 100);
    CHECK(count.by_currency().at("EUR").totals.debits_number == 1);
}

TEST_CASE("the range of ids holds every attempt of the day, and little else") {
    DayCount const count{"bank", kDay};
    auto const id_at = [](std::int64_t second) {
        return model::id_from("at", static_cast<std::uint64_t>(second) * kNsPerSecond) +
               std::string(13, 'x');
    };
    auto const is_read = [&](std::int64_t second) {
        return id_at(second) > count.id_after() && id_at(second) < count.id_end();
    };
    CHECK(is_read(kMidnight - 60));
    CHECK(is_read(kMidnight));
    CHECK(is_read(kMidnight + kDaySeconds + 60));
    CHECK_FALSE(is_read(kMidnight - 2 * 3'600));
    CHECK_FALSE(is_read(kMidnight + kDaySeconds + 2 * 3'600));
}

TEST_CASE("captures are debits, refunds are credits, each in its currency") {
    DayCount count{"bank", kDay};
    count.add(attempt("capture", 4'500));
    count.add(attempt("capture", 500));
    count.add(attempt("refund", 1'000));
    count.add(attempt("capture", 77, kMidnight + 5, "JPY"));
    count.add(attempt("refund", 9, kMidnight + 5, "USD"));
    REQUIRE(count.by_currency().size() == 3);
    connectors::Totals euros;
    euros.debits_number = 2;
    euros.debits_amount = 5'000;
    euros.credits_number = 1;
    euros.credits_amount = 1'000;
    CHECK(count.by_currency().at("EUR").totals == euros);
    CHECK(count.by_currency().at("EUR").totals.net() == 4'000);
    CHECK(count.by_currency().at("JPY").totals.debits_amount == 77);
    CHECK(count.by_currency().at("USD").totals.credits_number == 1);
    CHECK(count.by_currency().at("USD").totals.net() == -9);
}

TEST_CASE("only what moved money counts; what may have is counted apart") {
    struct Row {
        char const* operation;
        char const* state;
        bool is_closed;
        std::int64_t counted, open;
    };
    constexpr Row kRows[] = {
        {"capture", "approved", true, 1, 0},
        {"capture", "unknown", false, 0, 1},
        {"capture", "intent", false, 0, 1},
        {"capture", "declined", true, 0, 0},
        {"capture", "not_sent", true, 0, 0},
        {"refund", "pending", false, 0, 1},
        {"refund", "declined", true, 0, 0},
        {"authorise", "approved", true, 0, 0},
        {"authorise", "unknown", false, 0, 0},
        {"void", "reversed", true, 0, 0},
        {"void", "unknown", false, 0, 0},
    };
    for (Row const& row : kRows) {
        CAPTURE(row.operation);
        CAPTURE(row.state);
        DayCount count{"bank", kDay};
        auto made = attempt(row.operation, 100);
        made.state = row.state;
        made.closed = row.is_closed ? made.created : 0;
        count.add(made);
        if (row.counted + row.open == 0) {
            CHECK(count.by_currency().empty());
            continue;
        }
        auto const& of = count.by_currency().at("EUR");
        CHECK(of.totals.debits_number + of.totals.credits_number == row.counted);
        CHECK(of.totals.debits_amount + of.totals.credits_amount == row.counted * 100);
        CHECK(of.open == row.open);
    }
    DayCount count{"bank", kDay};
    auto elsewhere = attempt("capture", 100);
    elsewhere.connector = "other";
    count.add(elsewhere);
    CHECK(count.by_currency().empty());
}
