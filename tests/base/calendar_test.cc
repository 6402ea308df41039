#include "ledger/base/calendar.h"

#include <doctest/doctest.h>

using namespace florin;

TEST_CASE("moments are dates and times of day in UTC") {
    CHECK(utc_date(0) == "1970-01-01");
    CHECK(utc_date(86'399) == "1970-01-01");
    CHECK(utc_date(86'400) == "1970-01-02");
    CHECK(utc_time(951'782'400 + 3 * 3600 + 8 * 60 + 9) == "2000-02-29T03:08:09Z");
    CHECK(utc_transmission_time(951'782'400 + 3 * 3600 + 8 * 60 + 9) == "0229030809");
    CHECK(utc_of(951'782'400).tm_yday == 59);
}

TEST_CASE("nanoseconds of all 64 bits have a date") {
    CHECK(utc_moment(951'782'400'000'000'001) == "2000-02-29T00:00:00.000000001Z");
    CHECK(utc_moment((std::uint64_t{1} << 63) - 1) == "2262-04-11T23:47:16.854775807Z");
    CHECK(utc_date(seconds_of(86'399'999'999'999)) == "1970-01-01");
    CHECK(utc_date(seconds_of(~std::uint64_t{0})) == "2554-07-21");
}
