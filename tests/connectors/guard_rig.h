// A guard before a connector that ends its operations when the test says so. All of it runs on one
// thread, when the test polls; the clock stands still until the test moves it.
#pragma once

#include "connectors/guard.h"
#include "tests/support/manual_clock.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace florin::connectors::test {

namespace asio = boost::asio;

inline Reply says(Outcome outcome, std::string code = {}) {
    Reply reply;
    reply.outcome = outcome;
    reply.response_code = std::move(code);
    return reply;
}

// What the guard let through.
class HeldConnector final : public Connector {
public:
    struct Turn {
        Turn(asio::any_io_executor const& home, char const* what, std::uint32_t number)
            : operation{what}, stan{number}, signal{home, asio::steady_timer::time_point::max()} {}

        std::string operation;
        std::uint32_t stan = 0;
        bool has_ended = false;
        bool throws = false;
        Reply reply;
        asio::steady_timer signal;
    };

    ConnectorId const& id() const override { return id_; }
    std::string_view name() const override { return "held"; }
    bool needs_link_identity() const override { return true; }
    bool captures_at_once() const override { return true; }
    bool can_inquire() const override { return true; }
    Health health() const override { return {.ready = ready, .detail = "as the test says"}; }
    void start() override { is_started = true; }
    asio::awaitable<void> stop() override {
        is_stopped = true;
        co_return;
    }
    asio::awaitable<Reply> authorise(AuthoriseRequest request) override {
        return hold("authorise", request.identity.stan);
    }
    asio::awaitable<Reply> capture(CaptureRequest request) override {
        return hold("capture", request.identity.stan);
    }
    asio::awaitable<Reply> reverse(ReverseRequest request) override {
        return hold("reverse", request.identity.stan);
    }
    asio::awaitable<Reply> refund(RefundRequest request) override {
        return hold("refund", request.identity.stan);
    }
    asio::awaitable<Reply> inquire(InquireRequest request) override {
        return hold("inquire", request.identity.stan);
    }

    void end(std::size_t index, Reply reply) {
        Turn& turn = *turns.at(index);
        turn.has_ended = true;
        turn.reply = std::move(reply);
        turn.signal.cancel();
    }
    void break_off(std::size_t index) {
        turns.at(index)->throws = true;
        end(index, {});
    }
    std::vector<std::size_t> held() const {
        std::vector<std::size_t> found;
        for (std::size_t i = 0; i < turns.size(); ++i) {
            if (!turns[i]->has_ended) {
                found.push_back(i);
            }
        }
        return found;
    }

    bool ready = true;
    bool is_started = false, is_stopped = false;
    std::function<void()> on_call = [] {};
    std::deque<Reply> at_once;  // what the next operations end with, without being held
    std::vector<std::shared_ptr<Turn>> turns;

private:
    asio::awaitable<Reply> hold(char const* operation, std::uint32_t stan) {
        on_call();
        asio::any_io_executor const here = co_await asio::this_coro::executor;
        auto const turn = std::make_shared<Turn>(here, operation, stan);
        turns.push_back(turn);
        if (!at_once.empty()) {
            turn->reply = std::move(at_once.front());
            at_once.pop_front();
            turn->has_ended = true;
            co_return turn->reply;
        }
        auto const token = asio::as_tuple(asio::use_awaitable);
        co_await turn->signal.async_wait(token);
        if (turn->throws) {
            throw std::runtime_error{"the connector broke"};
        }
        co_return turn->reply;
    }

    ConnectorId id_{"bank"};
};

class Evidence final : public EvidenceSink {
public:
    void late_reply(LateReply reply) override { replies.push_back(std::move(reply)); }
    std::vector<LateReply> replies;
};

struct GuardRig {
    // An operation that a caller waits for.
    struct Waiting {
        std::optional<Reply> reply;
        int ends = 0;
        bool has_thrown = false;

        bool is_open() const { return ends == 0; }
        Outcome outcome() const { return reply.value().outcome; }
    };

    explicit GuardRig(GuardOptions options)
        : guard{
              context.get_executor(),
              std::move(owned),
              std::move(options),
              sink,
              clock,
              [this](BreakerChange const& change) { changes.push_back(change); }
          } {
        guard.start();
    }
    ~GuardRig() {
        for (auto const index : bank.held()) {
            bank.end(index, says(Outcome::approved, "00"));
        }
        asio::co_spawn(context, guard.stop(), [](std::exception_ptr const&) {});
        poll();
    }

    void poll() {
        context.restart();
        context.poll();
    }
    void wait_ms(std::uint64_t ms) {
        clock.advance_ms(ms);
        guard.tick();
        poll();
    }

    std::shared_ptr<Waiting> begin(std::string const& operation, std::uint32_t stan = 1) {
        auto const waiting = std::make_shared<Waiting>();
        auto const on_end = [waiting](std::exception_ptr const& thrown, Reply reply) {
            ++waiting->ends;
            waiting->has_thrown = thrown != nullptr;
            waiting->reply = std::move(reply);
        };
        asio::co_spawn(context, work(operation, stan), on_end);
        poll();
        return waiting;
    }
    std::shared_ptr<Waiting> authorise(std::uint32_t stan = 1) { return begin("authorise", stan); }
    // To its end.
    Outcome call(Reply reply) {
        auto const waiting = authorise();
        if (waiting->is_open()) {
            bank.end(bank.turns.size() - 1, std::move(reply));
            poll();
        }
        return waiting->outcome();
    }
    GuardHealth health() { return guard.health().guard.value(); }
    BreakerState breaker() { return health().breaker; }
    void open() {
        while (breaker() != BreakerState::open) {
            call(says(Outcome::unknown));
        }
    }

    asio::awaitable<Reply> work(std::string const& operation, std::uint32_t stan) {
        Identity const identity{
            .attempt = AttemptId{"att_" + std::to_string(stan)},
            .stan = stan,
            .rrn = "RRN" + std::to_string(stan),
            .transmission_time = "1128102030",
        };
        Money const amount{1'000, *Currency::from_alphabetic("EUR")};
        Terminal const terminal{.terminal_id = "TERM0001"};
        if (operation == "authorise") {
            AuthoriseRequest request{
                .identity = identity, .amount = amount, .card = {}, .terminal = terminal
            };
            return guard.authorise(std::move(request));
        }
        if (operation == "capture") {
            CaptureRequest request{
                .identity = identity,
                .amount = amount,
                .card = {},
                .terminal = terminal,
                .original = {},
            };
            return guard.capture(std::move(request));
        }
        if (operation == "reverse") {
            ReverseRequest request{
                .identity = identity,
                .amount = amount,
                .remaining = {},
                .card = {},
                .terminal = terminal,
                .original = {},
            };
            return guard.reverse(std::move(request));
        }
        if (operation == "inquire") {
            InquireRequest request{
                .identity = identity,
                .operation = InquiredOperation::authorise,
                .amount = amount,
                .terminal = terminal,
            };
            return guard.inquire(std::move(request));
        }
        RefundRequest request{
            .identity = identity, .amount = amount, .card = {}, .terminal = terminal, .original = {}
        };
        return guard.refund(std::move(request));
    }

    asio::io_context context{1};
    florin::test::ManualClock clock;
    Evidence sink;
    std::vector<BreakerChange> changes;
    std::unique_ptr<HeldConnector> owned = std::make_unique<HeldConnector>();
    HeldConnector& bank = *owned;
    Guard guard;
};

}  // namespace florin::connectors::test
