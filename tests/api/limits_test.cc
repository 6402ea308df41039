#include "daemon/api/limits.h"

#include "tests/support/manual_clock.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace florin;
using api::KeyLimiter;
using test::ManualClock;

TEST_CASE("a burst goes through, then as many a second as the rate says") {
    ManualClock clock;
    KeyLimiter limiter{{.requests_per_second = 10, .burst_requests = 5}, clock};
    for (int i = 0; i < 5; ++i) {
        CHECK(limiter.take() == 0);
    }
    CHECK(limiter.take() == 100'000'000);  // a tenth of a second
    clock.advance_ms(60);
    CHECK(limiter.take() == 40'000'000);
    clock.advance_ms(40);
    CHECK(limiter.take() == 0);
    CHECK(limiter.take() == 100'000'000);
    // Over a long time it is the rate, whatever is asked.
    int through = 0;
    for (int ms = 0; ms < 10'000; ++ms) {
        clock.advance_ms(1);
        through += limiter.take() == 0 ? 1 : 0;
    }
    CHECK(through == 100);
}

TEST_CASE("a rest earns the burst back, and no more than that") {
    ManualClock clock;
    KeyLimiter limiter{{.requests_per_second = 10, .burst_requests = 5}, clock};
    for (int round = 0; round < 3; ++round) {
        clock.advance_ms(3'600'000);
        for (int i = 0; i < 5; ++i) {
            CHECK(limiter.take() == 0);
        }
        CHECK(limiter.take() > 0);
    }
}

TEST_CASE("a refusal costs nothing: the next token comes when it would have come") {
    ManualClock clock;
    KeyLimiter limiter{{.requests_per_second = 1, .burst_requests = 1}, clock};
    CHECK(limiter.take() == 0);
    for (int i = 0; i < 1'000; ++i) {
        CHECK(limiter.take() == 1'000'000'000);
    }
    clock.advance_ms(1'000);
    CHECK(limiter.take() == 0);
}

TEST_CASE("without a rate there is no limit, and a rate without a burst lets one through") {
    ManualClock clock;
    KeyLimiter unlimited{{}, clock};
    KeyLimiter single{{.requests_per_second = 5}, clock};
    for (int i = 0; i < 1'000; ++i) {
        CHECK(unlimited.take() == 0);
        CHECK(unlimited.enter());
    }
    CHECK(single.take() == 0);
    CHECK(single.take() == 200'000'000);
}

TEST_CASE("no more than so many are in flight") {
    ManualClock clock;
    KeyLimiter limiter{{.in_flight_max = 2}, clock};
    CHECK(limiter.enter());
    CHECK(limiter.enter());
    CHECK(!limiter.enter());
    CHECK(!limiter.enter());
    limiter.leave();
    CHECK(limiter.enter());
    CHECK(!limiter.enter());
}

TEST_CASE("many threads get exactly the tokens that there are") {
    ManualClock clock;
    KeyLimiter limiter{
        {.requests_per_second = 1'000, .burst_requests = 5'000, .in_flight_max = 3}, clock
    };
    std::atomic<int> through = 0;
    std::atomic<int> most = 0;
    std::atomic<int> inside = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 10'000; ++n) {
                through += limiter.take() == 0 ? 1 : 0;
                if (limiter.enter()) {
                    int const now = ++inside;
                    int seen = most;
                    while (now > seen && !most.compare_exchange_weak(seen, now)) {
                    }
                    --inside;
                    limiter.leave();
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(through == 5'000);
    CHECK(most <= 3);
    CHECK(limiter.enter());
}
