#include "daemon/api/admission.h"

#include "tests/support/manual_clock.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <vector>

using namespace florin;
using api::Admission;
using test::ManualClock;

namespace {

constexpr std::uint64_t kMs = 1'000'000;

// Clients that ask again as soon as they are answered, and a ledger that does so many a
// millisecond, first come first served. A refused client comes back after `pause_ms`.
class ClosedLoop {
public:
    ClosedLoop(Admission& admission, ManualClock& clock, std::size_t clients, std::size_t per_ms)
        : admission_{admission}, clock_{clock}, ready_{clients}, per_ms_{per_ms} {}

    void run_ms(std::uint64_t ms) {
        constexpr std::uint64_t kPauseMs = 5;
        for (std::uint64_t i = 0; i < ms; ++i) {
            while (!away_.empty() && away_.front() <= clock_.steady_ns()) {
                away_.pop_front();
                ++ready_;
            }
            for (std::size_t n = std::exchange(ready_, 0); n > 0; --n) {
                if (auto ticket = admission_.enter()) {
                    queue_.push_back({std::move(*ticket), clock_.steady_ns()});
                } else {
                    ++refused;
                    away_.push_back(clock_.steady_ns() + kPauseMs * kMs);
                }
            }
            clock_.advance_ms(1);
            for (std::size_t n = 0; n < per_ms_ && !queue_.empty(); ++n) {
                std::uint64_t const took = clock_.steady_ns() - queue_.front().since_ns;
                queue_.pop_front();
                admission_.observe(took);
                took_ms.push_back(took / kMs);
                ++ready_;
            }
        }
    }
    // The 99th percentile of what was answered since the last call.
    std::uint64_t p99_ms() {
        std::ranges::sort(took_ms);
        std::uint64_t const found = took_ms[took_ms.size() * 99 / 100];
        took_ms.clear();
        return found;
    }
    std::uint64_t refused = 0;
    std::vector<std::uint64_t> took_ms;

private:
    struct Waiting {
        Admission::Ticket ticket;
        std::uint64_t since_ns;
    };
    Admission& admission_;
    ManualClock& clock_;
    std::size_t ready_;
    std::size_t per_ms_;
    std::deque<Waiting> queue_;
    std::deque<std::uint64_t> away_;
};

}  // namespace

TEST_CASE("no more are let in than the bound, and who leaves makes room") {
    ManualClock clock;
    Admission admission{{.in_flight_max = 2, .delay_ns_max = 0}, clock};
    auto first = admission.enter();
    {
        auto const second = admission.enter();
        CHECK(first);
        CHECK(second);
        CHECK(!admission.enter());
        CHECK(admission.figures().in_flight == 2);
        CHECK(admission.figures().refused == 1);
    }
    auto moved = std::move(*first);
    CHECK(admission.figures().in_flight == 1);
    CHECK(admission.enter());
}

TEST_CASE("what can be done in time is never refused") {
    ManualClock clock;
    Admission admission{{}, clock};
    ClosedLoop loop{admission, clock, 200, 10};  // 20 ms of queue
    loop.run_ms(10'000);
    CHECK(loop.refused == 0);
    CHECK(loop.p99_ms() <= 21);
}

TEST_CASE("with twenty times the clients what is accepted is still answered in time") {
    ManualClock clock;
    Admission admission{{}, clock};
    // 400 ms of queue if all were let in.
    ClosedLoop loop{admission, clock, 4'000, 10};
    loop.run_ms(2'000);
    loop.took_ms.clear();
    std::uint64_t const refused = loop.refused;
    loop.run_ms(10'000);
    CHECK(loop.refused > refused);
    CHECK(loop.took_ms.size() == 100'000);  // nothing of what can be done is left undone
    CHECK(loop.p99_ms() <= 150);
}

TEST_CASE("after the rush everybody is let in again") {
    ManualClock clock;
    Admission admission{{}, clock};
    ClosedLoop{admission, clock, 4'000, 10}.run_ms(2'000);
    CHECK(admission.figures().bound < 2'000);
    ClosedLoop{admission, clock, 100, 10}.run_ms(10'000);
    CHECK(admission.figures().bound == 4'096);
}

TEST_CASE("a slow disk alone refuses nobody") {
    ManualClock clock;
    Admission admission{{}, clock};
    // Each takes a second, one after the other, without any queue.
    for (int i = 0; i < 100; ++i) {
        auto const ticket = admission.enter();
        REQUIRE(ticket);
        clock.advance_ms(1'000);
        admission.observe(1'000 * kMs);
    }
    CHECK(admission.figures().bound == 64);
    std::vector<Admission::Ticket> tickets;
    while (auto ticket = admission.enter()) {
        tickets.push_back(std::move(*ticket));
    }
    CHECK(tickets.size() == 64);
}

TEST_CASE("one that was fast proves that there is no standing queue") {
    ManualClock clock;
    Admission admission{{}, clock};
    for (int i = 0; i < 1'000; ++i) {
        clock.advance_ms(10);
        admission.observe((i % 5 == 0 ? 1 : 5'000) * kMs);
    }
    CHECK(admission.figures().bound == 4'096);
}

TEST_CASE("the bound stays where the delay is not looked at") {
    ManualClock clock;
    Admission admission{{.in_flight_max = 100, .delay_ns_max = 0}, clock};
    for (int i = 0; i < 100; ++i) {
        clock.advance_ms(1'000);
        admission.observe(60'000 * kMs);
    }
    CHECK(admission.figures().bound == 100);
}
