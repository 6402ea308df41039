// A guard that many threads call at once, with a home thread of its own.
#include "connectors/guard.h"
#include "tests/connectors/iso8583_rig.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <array>
#include <atomic>

using namespace florin;
using namespace florin::connectors;
using florin::connectors::iso8583::test::Loop;

namespace {

namespace asio = boost::asio;

// Is silent for a while, then answers; counts how many it works on at the same time.
class SickConnector final : public Connector {
public:
    ConnectorId const& id() const override { return id_; }
    std::string_view name() const override { return "sick"; }
    bool needs_link_identity() const override { return false; }
    Health health() const override { return {.ready = true, .detail = ""}; }
    void start() override {}
    asio::awaitable<void> stop() override { co_return; }
    asio::awaitable<Reply> authorise(AuthoriseRequest) override { return work(); }
    asio::awaitable<Reply> capture(CaptureRequest) override { return work(); }
    asio::awaitable<Reply> reverse(ReverseRequest) override { return work(); }
    asio::awaitable<Reply> refund(RefundRequest) override { return work(); }

    std::atomic<bool> is_sick = false;
    std::atomic<std::int64_t> calls = 0, at_once_max = 0;

private:
    asio::awaitable<Reply> work() {
        std::int64_t const now = ++at_once_;
        at_once_max = std::max(at_once_max.load(), now);
        ++calls;
        asio::steady_timer timer{co_await asio::this_coro::executor};
        timer.expires_after(std::chrono::microseconds{200});
        co_await timer.async_wait(asio::use_awaitable);
        --at_once_;
        Reply reply;
        reply.outcome = is_sick ? Outcome::unknown : Outcome::approved;
        co_return reply;
    }

    ConnectorId id_{"sick"};
    std::atomic<std::int64_t> at_once_ = 0;
};

class NoEvidence final : public EvidenceSink {
public:
    void late_reply(LateReply) override {}
};

struct Tally {
    std::int64_t called = 0;
    std::int64_t not_sent = 0;
};

asio::awaitable<Tally> call_until(
    std::atomic<bool> const& is_over, Guard& guard, bool are_advices
) {
    Money const amount{100, *Currency::from_alphabetic("EUR")};
    Tally tally;
    asio::steady_timer timer{co_await asio::this_coro::executor};
    while (!is_over) {
        Identity identity{.attempt = AttemptId{"a"}};
        Reply reply;
        if (are_advices) {
            CaptureRequest request{
                .identity = std::move(identity),
                .amount = amount,
                .card = {},
                .terminal = {},
                .original = {},
            };
            auto calling = guard.capture(std::move(request));
            reply = co_await std::move(calling);
        } else {
            AuthoriseRequest request{
                .identity = std::move(identity), .amount = amount, .card = {}, .terminal = {}
            };
            auto calling = guard.authorise(std::move(request));
            reply = co_await std::move(calling);
        }
        bool const was_sent = reply.outcome != Outcome::not_sent;
        ++(was_sent ? tally.called : tally.not_sent);
        if (!was_sent) {
            timer.expires_after(std::chrono::microseconds{100});
            co_await timer.async_wait(asio::use_awaitable);
        }
    }
    co_return tally;
}

}  // namespace

TEST_CASE("many threads share a guard: no call too many, none lost, and it recovers") {
    constexpr int kCallers = 24;
    SystemClock const clock;
    NoEvidence sink;
    Loop home;
    std::array<Loop, 3> loops;
    auto owned = std::make_unique<SickConnector>();
    SickConnector& bank = *owned;
    std::atomic<int> opened = 0;
    std::atomic<bool> is_over = false;
    Guard guard{
        home.executor(),
        std::move(owned),
        {.breaker = {.window_ms = 200, .calls_min = 5, .open_ms = 5, .open_ms_max = 10},
         .in_flight_max = 8,
         .waiting_max = 4,
         .deadline_ms = 20'000},
        sink,
        clock,
        [&](BreakerChange const& change) { opened += change.to == BreakerState::open ? 1 : 0; }
    };
    guard.start();
    std::vector<std::future<Tally>> tallies;
    for (int i = 0; i < kCallers; ++i) {
        Loop& loop = loops.at(static_cast<std::size_t>(i) % loops.size());
        tallies.push_back(loop.spawn(call_until(is_over, guard, i % 2 == 0)));
    }
    auto const is_eventually = iso8583::test::eventually;
    REQUIRE(is_eventually([&] { return bank.calls > 100; }));
    bank.is_sick = true;
    REQUIRE(is_eventually([&] { return opened > 1; }));
    bank.is_sick = false;
    REQUIRE(is_eventually([&] { return guard.health().guard->breaker == BreakerState::closed; }));
    auto const calls_before = bank.calls.load();
    REQUIRE(is_eventually([&] { return bank.calls > calls_before + 100; }));
    is_over = true;
    Tally sum;
    for (auto& tally : tallies) {
        auto const each = tally.get();
        sum.called += each.called;
        sum.not_sent += each.not_sent;
    }
    auto const health = guard.health().guard.value();
    CHECK(sum.called == bank.calls);
    CHECK(static_cast<std::uint64_t>(sum.not_sent) == health.rejected_open + health.rejected_full);
    CHECK(bank.at_once_max <= 8);
    CHECK(health.in_flight == 0);
    CHECK(health.waiting == 0);
    loops[0].spawn(guard.stop()).get();
}
