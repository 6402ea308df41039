#include "connectors/breaker.h"

#include <doctest/doctest.h>

#include <vector>

using namespace florin::connectors;

namespace {

constexpr std::uint64_t kMs = 1'000'000;

// A breaker with a clock that starts far from zero, as steady clocks do.
struct Rig {
    BreakerOptions options{
        .window_ms = 2'000,
        .calls_min = 4,
        .failure_percent = 50,
        .open_ms = 100,
        .open_ms_max = 350,
        .probes = 2,
    };
    Breaker breaker{options};
    std::uint64_t now = 5'000'000 * kMs;

    void wait_ms(std::uint64_t ms) { now += ms * kMs; }
    BreakerState state() { return breaker.state(now); }
    Breaker::Ticket admit() {
        auto const ticket = breaker.admit(now);
        REQUIRE(ticket.has_value());
        return *ticket;
    }
    void settle(Breaker::Ticket ticket, Breaker::Result result) {
        breaker.settle(ticket, result, now);
    }
    void call(Breaker::Result result) { settle(admit(), result); }
    void fail(int times) {
        for (int i = 0; i < times; ++i) {
            call(Breaker::Result::failure);
        }
    }
    void open() {
        fail(4);
        REQUIRE(state() == BreakerState::open);
    }
};

using enum Breaker::Result;

}  // namespace

TEST_CASE("a breaker opens where enough calls ended and enough of them failed") {
    struct Row {
        std::vector<Breaker::Result> results;
        BreakerState expected;
    };
    std::vector<Row> const rows{
        {{failure, failure, failure}, BreakerState::closed},
        {{failure, failure, failure, failure}, BreakerState::open},
        {{success, success, failure, failure}, BreakerState::open},
        {{failure, failure, success, success}, BreakerState::closed},  // decided by a failure
        {{failure, failure, success, success, failure}, BreakerState::open},
        {{success, success, success, failure}, BreakerState::closed},
        {{success, success, success, success, success}, BreakerState::closed},
        {{neutral, neutral, failure, failure, failure}, BreakerState::closed},
        {{neutral, failure, failure, failure, failure}, BreakerState::open},
    };
    for (std::size_t i = 0; i < rows.size(); ++i) {
        CAPTURE(i);
        Rig rig;
        for (auto const result : rows[i].results) {
            rig.call(result);
        }
        CHECK(rig.state() == rows[i].expected);
        CHECK(rig.breaker.admit(rig.now).has_value() == (rows[i].expected != BreakerState::open));
    }
}

TEST_CASE("what is older than the window does not count") {
    Rig rig;
    rig.fail(3);
    rig.wait_ms(1'899);
    CHECK(rig.breaker.counts(rig.now).failures == 3);
    SUBCASE("one more within it opens") {
        rig.fail(1);
        CHECK(rig.state() == BreakerState::open);
    }
    SUBCASE("one more after it does not") {
        rig.wait_ms(101);
        CHECK(rig.breaker.counts(rig.now).calls == 0);
        rig.fail(1);
        CHECK(rig.breaker.counts(rig.now).failures == 1);
        CHECK(rig.state() == BreakerState::closed);
    }
    SUBCASE("a place in the ring that was used a window ago starts from nothing") {
        for (int round = 0; round < 50; ++round) {
            rig.wait_ms(2'000);
            rig.fail(3);
        }
        CHECK(rig.breaker.counts(rig.now).failures == 3);
        CHECK(rig.state() == BreakerState::closed);
    }
}

TEST_CASE("an open breaker lets nothing go until its time is over, then as many as it probes with"
) {
    Rig rig;
    rig.open();
    rig.wait_ms(99);
    CHECK_FALSE(rig.breaker.would_admit(rig.now));
    CHECK_FALSE(rig.breaker.admit(rig.now).has_value());
    rig.wait_ms(1);
    CHECK(rig.state() == BreakerState::half_open);
    auto const first = rig.admit();
    auto const second = rig.admit();
    CHECK_FALSE(rig.breaker.admit(rig.now).has_value());
    rig.wait_ms(100'000);
    CHECK_FALSE(rig.breaker.admit(rig.now).has_value());

    SUBCASE("the first success closes it, with a clean window") {
        rig.settle(first, success);
        CHECK(rig.state() == BreakerState::closed);
        rig.fail(3);
        CHECK(rig.state() == BreakerState::closed);
        rig.settle(second, failure);  // began before
        CHECK(rig.state() == BreakerState::closed);
        rig.fail(1);
        CHECK(rig.state() == BreakerState::open);
    }
    SUBCASE("the first failure opens it again") {
        rig.settle(first, failure);
        CHECK(rig.state() == BreakerState::open);
        rig.settle(second, success);
        CHECK(rig.state() == BreakerState::open);
    }
    SUBCASE("what proves nothing gives its place back") {
        rig.settle(first, neutral);
        CHECK(rig.state() == BreakerState::half_open);
        rig.admit();
        CHECK_FALSE(rig.breaker.admit(rig.now).has_value());
    }
}

TEST_CASE("each failed probe doubles how long it is open, and a success forgets that") {
    Rig rig;
    rig.open();
    for (std::uint64_t const expected : {100U, 200U, 350U, 350U}) {
        CAPTURE(expected);
        CHECK(rig.breaker.open_for_ms() == expected);
        rig.wait_ms(expected - 1);
        REQUIRE(rig.state() == BreakerState::open);
        rig.wait_ms(1);
        REQUIRE(rig.state() == BreakerState::half_open);
        rig.call(failure);
    }
    rig.wait_ms(350);
    rig.call(success);
    REQUIRE(rig.state() == BreakerState::closed);
    rig.open();
    CHECK(rig.breaker.open_for_ms() == 100);
}

TEST_CASE("calls from before it opened neither open nor close it later") {
    Rig rig;
    auto const slow = rig.admit();
    auto const slower = rig.admit();
    rig.open();
    rig.settle(slow, success);
    CHECK(rig.state() == BreakerState::open);
    rig.wait_ms(100);
    REQUIRE(rig.state() == BreakerState::half_open);
    rig.settle(slower, failure);
    CHECK(rig.state() == BreakerState::half_open);
}

TEST_CASE("a breaker that never opens counts all the same") {
    Breaker breaker{{.window_ms = 1'000, .calls_min = 1, .failure_percent = 0}};
    for (int i = 0; i < 100; ++i) {
        breaker.settle(*breaker.admit(kMs), Breaker::Result::failure, kMs);
    }
    CHECK(breaker.state(kMs) == BreakerState::closed);
    CHECK(breaker.counts(kMs).failures == 100);
}
