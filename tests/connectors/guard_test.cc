#include "tests/connectors/guard_rig.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

using namespace florin;
using namespace florin::connectors;
using namespace florin::connectors::test;

namespace {

constexpr std::uint64_t kDeadlineMs = 60'000;  // of the manual clock

GuardOptions options(std::size_t in_flight_max = 100, std::size_t waiting_max = 3) {
    return {
        .breaker =
            {.window_ms = 10'000,
             .calls_min = 4,
             .failure_percent = 50,
             .open_ms = 1'000,
             .open_ms_max = 3'000,
             .probes = 2},
        .in_flight_max = in_flight_max,
        .waiting_max = waiting_max,
        .deadline_ms = kDeadlineMs,
    };
}

constexpr char const* kAdvices[] = {"capture", "reverse", "refund"};

}  // namespace

TEST_CASE("a guard passes on what the connector says") {
    GuardRig rig{options()};
    CHECK(rig.bank.is_started);
    CHECK(rig.guard.id().text() == "bank");
    CHECK(rig.guard.name() == "held");
    CHECK(rig.guard.needs_link_identity());
    CHECK(rig.guard.captures_at_once());
    CHECK(rig.guard.can_inquire());
    auto const waiting = rig.authorise(7);
    REQUIRE(rig.bank.turns.size() == 1);
    CHECK(rig.bank.turns[0]->operation == "authorise");
    CHECK(rig.bank.turns[0]->stan == 7);
    CHECK(rig.health().in_flight == 1);
    rig.bank.end(0, says(Outcome::declined, "51"));
    rig.poll();
    CHECK(waiting->outcome() == Outcome::declined);
    CHECK(waiting->reply->response_code == "51");
    CHECK(rig.health().in_flight == 0);
    auto const asked = rig.begin("inquire", 7);
    CHECK(rig.bank.turns.back()->operation == "inquire");
    rig.bank.end(rig.bank.turns.size() - 1, says(Outcome::pending));
    rig.poll();
    CHECK(asked->outcome() == Outcome::pending);
    for (char const* const operation : kAdvices) {
        auto const advice = rig.begin(operation);
        CHECK(rig.bank.turns.back()->operation == operation);
        rig.bank.end(rig.bank.turns.size() - 1, says(Outcome::approved, "00"));
        rig.poll();
        CHECK(advice->outcome() == Outcome::approved);
    }
}

TEST_CASE(
    "what the counterpart answers never opens the breaker, unless it says that its system fails"
) {
    struct Row {
        Outcome outcome;
        char const* code;
        bool is_failure;
    };
    for (Row const row : {
             Row{Outcome::declined, "05", false},
             Row{Outcome::declined, "51", false},
             Row{Outcome::declined, "92", false},
             Row{Outcome::approved, "00", false},
             Row{Outcome::pending, "", false},
             Row{Outcome::unknown, "25", false},   // an answer: no such original
             Row{Outcome::not_sent, "", false},    // the connector is ready: it was the message
             Row{Outcome::declined, "91", false},  // one card's issuer
             Row{Outcome::declined, "907", false},
             Row{Outcome::declined, "96", true},
             Row{Outcome::declined, "909", true},
             Row{Outcome::unknown, "911", true},
             Row{Outcome::unknown, "68", true},
             Row{Outcome::unknown, "90", true},
             Row{Outcome::unknown, "", true},
         }) {
        CAPTURE(outcome_name(row.outcome));
        CAPTURE(row.code);
        GuardRig rig{options()};
        for (int i = 0; i < 4; ++i) {
            CHECK(rig.call(says(row.outcome, row.code)) == row.outcome);
        }
        CHECK((rig.breaker() == BreakerState::open) == row.is_failure);
        CHECK(rig.health().failures == (row.is_failure ? 4 : 0));
    }
}

TEST_CASE("a connector that is not ready, or that breaks, fails") {
    GuardRig rig{options()};
    rig.bank.ready = false;
    CHECK(rig.call(says(Outcome::not_sent)) == Outcome::not_sent);
    CHECK(rig.health().failures == 1);
    rig.bank.ready = true;
    auto const waiting = rig.authorise();
    rig.bank.break_off(1);
    rig.poll();
    CHECK_FALSE(waiting->has_thrown);
    CHECK(waiting->outcome() == Outcome::unknown);
    CHECK(rig.health().failures == 2);
    CHECK(rig.health().in_flight == 0);
    CHECK(rig.health().last_error == "unknown: the connector failed");
}

TEST_CASE("while it is open nothing reaches the connector, and that is said") {
    GuardRig rig{options()};
    for (int i = 0; i < 4; ++i) {
        rig.call(says(Outcome::unknown));
    }
    REQUIRE(rig.changes.size() == 1);
    CHECK(rig.changes[0].connector.text() == "bank");
    CHECK(rig.changes[0].to == BreakerState::open);
    CHECK(rig.changes[0].window.calls == 4);
    CHECK(rig.changes[0].window.failures == 4);
    CHECK(rig.changes[0].open_for_ms == 1'000);
    CHECK(rig.changes[0].last_error == "unknown");
    auto const called = rig.bank.turns.size();
    for (std::string const operation : {"authorise", "capture", "reverse", "refund"}) {
        auto const waiting = rig.begin(operation);
        CHECK(waiting->outcome() == Outcome::not_sent);
        CHECK(waiting->reply->detail == "the circuit breaker is open");
    }
    CHECK(rig.bank.turns.size() == called);
    auto const health = rig.guard.health();
    CHECK_FALSE(health.ready);
    CHECK(health.detail == "as the test says; breaker open");
    CHECK(health.guard->rejected_open == 4);
    CHECK(health.guard->rejected_full == 0);
    CHECK(health.guard->since_s == static_cast<std::int64_t>(rig.clock.wall_ns() / 1'000'000'000));
}

TEST_CASE("of many that come when its time is over, only its probes go") {
    GuardRig rig{options()};
    rig.open();
    rig.wait_ms(1'000);
    CHECK(rig.guard.health().ready);
    auto const called = rig.bank.turns.size();
    std::vector<std::shared_ptr<GuardRig::Waiting>> waiting;
    for (int i = 0; i < 10; ++i) {
        waiting.push_back(rig.begin(i % 2 == 0 ? "authorise" : "capture"));
    }
    CHECK(rig.bank.turns.size() == called + 2);
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        CHECK(waiting[i]->is_open() == (i < 2));
    }
    CHECK_FALSE(rig.guard.health().ready);
    CHECK(rig.health().rejected_open == 8);

    SUBCASE("a decline closes it") {
        rig.bank.end(called, says(Outcome::declined, "05"));
        rig.poll();
        CHECK(rig.breaker() == BreakerState::closed);
        CHECK(rig.guard.health().ready);
        REQUIRE(rig.changes.size() == 3);
        CHECK(rig.changes[1].to == BreakerState::half_open);
        CHECK(rig.changes[2].to == BreakerState::closed);
        CHECK(rig.authorise()->is_open());
    }
    SUBCASE("a failure opens it for twice as long") {
        rig.bank.end(called, says(Outcome::unknown));
        rig.poll();
        CHECK(rig.breaker() == BreakerState::open);
        CHECK(rig.changes.back().open_for_ms == 2'000);
        // The other probe is of before: its success says nothing about now.
        rig.bank.end(called + 1, says(Outcome::approved, "00"));
        rig.poll();
        CHECK(waiting[1]->outcome() == Outcome::approved);
        CHECK(rig.breaker() == BreakerState::open);
        rig.wait_ms(1'999);
        CHECK(rig.breaker() == BreakerState::open);
        rig.wait_ms(1);
        CHECK(rig.breaker() == BreakerState::half_open);
    }
    SUBCASE("a probe past its deadline opens it") {
        rig.wait_ms(kDeadlineMs);
        CHECK(waiting[0]->outcome() == Outcome::unknown);
        CHECK(waiting[1]->outcome() == Outcome::unknown);
        CHECK(rig.changes.back().to == BreakerState::open);
        CHECK(rig.changes.back().open_for_ms == 2'000);
    }
}

TEST_CASE("no probe is spent on a connector that is not ready") {
    GuardRig rig{options()};
    rig.bank.ready = false;
    for (int i = 0; i < 4; ++i) {
        rig.call(says(Outcome::not_sent));
    }
    REQUIRE(rig.breaker() == BreakerState::open);
    rig.wait_ms(1'000);
    auto const called = rig.bank.turns.size();
    for (int i = 0; i < 5; ++i) {
        CHECK(rig.authorise()->outcome() == Outcome::not_sent);
    }
    CHECK(rig.bank.turns.size() == called);
    CHECK(rig.breaker() == BreakerState::half_open);
    CHECK_FALSE(rig.guard.health().ready);
    rig.bank.ready = true;
    CHECK(rig.call(says(Outcome::approved, "00")) == Outcome::approved);
    CHECK(rig.breaker() == BreakerState::closed);
}

TEST_CASE("one authorisation too many is not sent, advices wait for a place in their order") {
    GuardRig rig{options(2, 3)};
    auto const first = rig.authorise(1);
    auto const second = rig.begin("capture", 2);
    CHECK(rig.authorise(3)->reply->detail == "the bulkhead is full");
    std::vector<std::shared_ptr<GuardRig::Waiting>> waiting;
    for (std::uint32_t stan = 4; stan < 7; ++stan) {
        waiting.push_back(rig.begin(kAdvices[stan - 4], stan));
        CHECK(waiting.back()->is_open());
    }
    CHECK(rig.begin("refund", 7)->outcome() == Outcome::not_sent);
    CHECK(rig.bank.turns.size() == 2);
    CHECK(rig.health().in_flight == 2);
    CHECK(rig.health().waiting == 3);
    CHECK(rig.health().rejected_full == 2);
    CHECK(rig.health().failures == 0);

    SUBCASE("a place that gets free is taken by who waits longest") {
        rig.bank.end(1, says(Outcome::approved, "00"));
        rig.poll();
        REQUIRE(rig.bank.turns.size() == 3);
        CHECK(rig.bank.turns[2]->stan == 4);
        CHECK(rig.authorise(8)->outcome() == Outcome::not_sent);
        rig.bank.end(0, says(Outcome::declined, "05"));
        rig.bank.end(2, says(Outcome::approved, "00"));
        rig.poll();
        REQUIRE(rig.bank.turns.size() == 5);
        CHECK(rig.bank.turns[3]->stan == 5);
        CHECK(rig.bank.turns[4]->stan == 6);
        CHECK(rig.health().in_flight == 2);
        CHECK(rig.health().waiting == 0);
    }
    SUBCASE("who waited too long was not sent") {
        // What runs does not hold on for longer than its deadline, but keeps its place.
        rig.wait_ms(kDeadlineMs);
        CHECK(first->outcome() == Outcome::unknown);
        CHECK(second->outcome() == Outcome::unknown);
        for (auto const& each : waiting) {
            CHECK(each->outcome() == Outcome::not_sent);
        }
        CHECK(rig.bank.turns.size() == 2);
        CHECK(rig.health().in_flight == 2);
        CHECK(rig.health().waiting == 0);
        CHECK(rig.authorise(8)->outcome() == Outcome::not_sent);
        rig.bank.end(0, says(Outcome::approved, "00"));
        rig.poll();
        CHECK(rig.health().in_flight == 1);
        CHECK(rig.authorise(9)->is_open());
    }
    SUBCASE("stopping turns away who waits, and ends what runs in the connector's way") {
        asio::co_spawn(rig.context, rig.guard.stop(), [](std::exception_ptr const&) {});
        rig.poll();
        CHECK(rig.bank.is_stopped);
        for (auto const& each : waiting) {
            CHECK(each->outcome() == Outcome::not_sent);
        }
        CHECK(rig.authorise(8)->outcome() == Outcome::not_sent);
        CHECK(first->is_open());
        rig.bank.end(0, says(Outcome::approved, "00"));
        rig.poll();
        CHECK(first->outcome() == Outcome::approved);
        CHECK(rig.bank.turns.size() == 2);
    }
}

TEST_CASE("who waits for a place is turned away when the breaker opens") {
    GuardRig rig{options(4, 10)};
    for (std::uint32_t stan = 1; stan <= 4; ++stan) {
        rig.authorise(stan);
    }
    auto const waiting = rig.begin("capture", 5);
    CHECK(waiting->is_open());
    for (std::size_t i = 0; i < 3; ++i) {
        rig.bank.end(i, says(Outcome::unknown));
    }
    rig.poll();
    REQUIRE(rig.bank.turns.size() == 5);  // the capture has a place by now
    CHECK(waiting->is_open());
    rig.authorise(6);
    rig.authorise(7);
    auto const late = rig.begin("refund", 8);
    CHECK(late->is_open());
    rig.bank.end(3, says(Outcome::unknown));
    rig.poll();
    CHECK(rig.breaker() == BreakerState::open);
    CHECK(late->outcome() == Outcome::not_sent);
    CHECK(rig.bank.turns.size() == 7);
    CHECK(rig.health().waiting == 0);
}

TEST_CASE("advices that end at once take their turns one after the other, however many they are") {
    constexpr std::uint32_t kMany = 20'000;
    GuardRig rig{options(1, kMany)};
    rig.authorise(1);
    std::vector<std::shared_ptr<GuardRig::Waiting>> waiting;
    for (std::uint32_t stan = 2; stan < kMany; ++stan) {
        waiting.push_back(rig.begin("reverse", stan));
    }
    rig.bank.at_once.resize(kMany, says(Outcome::approved, "00"));
    rig.bank.end(0, says(Outcome::approved, "00"));
    rig.poll();
    CHECK(rig.bank.turns.size() == kMany - 1);
    for (auto const& each : waiting) {
        REQUIRE(each->ends == 1);
    }
    CHECK(rig.health().in_flight == 0);
}

TEST_CASE("past its deadline an operation is unknown, and what comes later is evidence") {
    struct Row {
        char const* operation;
        char const* mti;
        Reply late;
        bool is_evidence;
    };
    for (Row const& row : {
             Row{"authorise", "0110", says(Outcome::approved, "00"), true},
             Row{"authorise", "0110", says(Outcome::declined, "05"), true},
             Row{"capture", "0230", says(Outcome::approved, "00"), true},
             Row{"refund", "0210", says(Outcome::approved, "00"), true},
             Row{"reverse", "0430", says(Outcome::unknown, "25"), true},
             Row{"inquire", "0110", says(Outcome::approved, "00"), true},
             Row{"authorise", "0110", says(Outcome::unknown), false},
             Row{"authorise", "0110", says(Outcome::not_sent), false},
         }) {
        CAPTURE(row.operation);
        CAPTURE(outcome_name(row.late.outcome));
        GuardRig rig{options()};
        auto const waiting = rig.begin(row.operation, 77);
        rig.wait_ms(kDeadlineMs - 1);
        CHECK(waiting->is_open());
        rig.wait_ms(1);
        CHECK(waiting->outcome() == Outcome::unknown);
        CHECK(waiting->reply->detail == "no outcome within 60000 ms");
        CHECK(rig.health().failures == 1);
        CHECK(rig.health().in_flight == 1);
        CHECK(rig.sink.replies.empty());
        rig.bank.end(0, row.late);
        rig.poll();
        CHECK(waiting->ends == 1);
        CHECK(rig.health().in_flight == 0);
        CHECK(rig.health().failures == 1);  // once, not twice
        REQUIRE(rig.sink.replies.size() == (row.is_evidence ? 1 : 0));
        if (row.is_evidence) {
            LateReply const& late = rig.sink.replies[0];
            CHECK(late.connector.text() == "bank");
            CHECK(late.mti == row.mti);
            CHECK(late.stan == 77);
            CHECK(late.transmission_time == "1128102030");
            CHECK(late.rrn == "RRN77");
            CHECK(late.terminal_id == "TERM0001");
            CHECK(late.attempt.text() == "att_77");
            CHECK(late.reply.outcome == row.late.outcome);
            CHECK(late.reply.response_code == row.late.response_code);
        }
    }
}

TEST_CASE("a caller who goes away does not take back what was sent, and no place is lost") {
    GuardRig rig{options(1, 3)};
    auto const is_ended = std::make_shared<bool>(false);
    asio::cancellation_signal signal;
    auto const on_end = [is_ended](std::exception_ptr const&, Reply) { *is_ended = true; };
    asio::co_spawn(
        rig.context, rig.work("authorise", 1), asio::bind_cancellation_slot(signal.slot(), on_end)
    );
    asio::cancellation_signal other;
    rig.poll();
    asio::co_spawn(
        rig.context, rig.work("capture", 2), asio::bind_cancellation_slot(other.slot(), on_end)
    );
    rig.poll();
    signal.emit(asio::cancellation_type::all);
    other.emit(asio::cancellation_type::all);
    rig.poll();
    CHECK(rig.health().in_flight == 1);
    CHECK(rig.health().waiting == 1);
    CHECK_FALSE(rig.bank.turns[0]->has_ended);
    rig.bank.end(0, says(Outcome::approved, "00"));
    rig.poll();
    CHECK(*is_ended);
    REQUIRE(rig.bank.turns.size() == 2);  // a promise is kept
    rig.bank.end(1, says(Outcome::approved, "00"));
    rig.poll();
    CHECK(rig.health().in_flight == 0);
    CHECK(rig.health().waiting == 0);
}

TEST_CASE("the deadline passes by itself") {
    auto wanted = options();
    wanted.deadline_ms = 20;
    asio::io_context context{1};
    SystemClock const clock;
    Evidence sink;
    auto owned = std::make_unique<HeldConnector>();
    HeldConnector& bank = *owned;
    Guard guard{
        context.get_executor(), std::move(owned), wanted, sink, clock, [](BreakerChange const&) {}
    };
    for (int round = 0; round < 2; ++round) {  // the timer is set again
        Money const amount{100, *Currency::from_alphabetic("EUR")};
        AuthoriseRequest request{
            .identity = {.attempt = AttemptId{"a"}, .stan = 1},
            .amount = amount,
            .card = {},
            .terminal = {},
        };
        std::optional<Reply> reply;
        auto const on_end = [&](std::exception_ptr const&, Reply said) { reply = std::move(said); };
        context.restart();
        asio::co_spawn(context, guard.authorise(std::move(request)), on_end);
        auto const end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        while (!reply && std::chrono::steady_clock::now() < end) {
            context.run_one_for(std::chrono::milliseconds{50});
        }
        REQUIRE(reply.has_value());
        CHECK(reply->outcome == Outcome::unknown);
        bank.end(static_cast<std::size_t>(round), says(Outcome::approved, "00"));
        context.poll();
    }
    CHECK(sink.replies.size() == 2);
    asio::co_spawn(context, guard.stop(), [](std::exception_ptr const&) {});
    context.restart();
    context.run();  // nothing keeps it
}

// Random operations, outcomes, pauses and outages, against what must hold after each step.
TEST_CASE("in every order: no call too many, each ends once, and not_sent means that it was not") {
    constexpr int kSeeds = 60;
    constexpr int kSteps = 500;
    std::uint64_t opened = 0;
    std::uint64_t probed = 0;
    std::uint64_t waited = 0;
    for (unsigned seed = 1; seed <= kSeeds; ++seed) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        auto const dice = [&](unsigned sides) { return static_cast<unsigned>(random() % sides); };
        auto wanted = options(1 + dice(6), dice(8));
        wanted.breaker.probes = 1 + dice(3);
        wanted.breaker.calls_min = 1 + dice(6);
        wanted.deadline_ms = 500 + dice(3'000);
        GuardRig rig{wanted};
        std::map<std::uint32_t, std::shared_ptr<GuardRig::Waiting>> started;
        std::set<std::uint32_t> said_not_sent;        // by the connector
        std::map<std::size_t, std::size_t> probe_of;  // turn to the half-open period it began in
        std::size_t periods = 0;
        BreakerState state = BreakerState::closed;
        std::size_t told = 0;
        std::uint64_t probing = 0;
        auto const follow = [&] {
            for (; told < rig.changes.size(); ++told) {
                state = rig.changes[told].to;
                ++periods;
                probing = 0;
                opened += state == BreakerState::open ? 1U : 0U;
            }
        };
        rig.bank.on_call = [&] {
            follow();
            if (state == BreakerState::half_open) {
                ++probing;
                ++probed;
                probe_of[rig.bank.turns.size()] = periods;
            }
            CHECK(state != BreakerState::open);
            CHECK(probing <= wanted.breaker.probes);
        };
        std::uint32_t stan = 0;
        unsigned sickness = dice(100);  // percent of failures
        for (int step = 0; step < kSteps; ++step) {
            auto const held = rig.bank.held();
            switch (dice(8)) {
                case 0:
                case 1:
                    ++stan;
                    started[stan] = rig.begin("authorise", stan);
                    break;
                case 2:
                    ++stan;
                    started[stan] = rig.begin(kAdvices[dice(3)], stan);
                    break;
                case 3:
                case 4:
                case 5: {
                    if (held.empty()) {
                        break;
                    }
                    std::size_t const index = held[dice(static_cast<unsigned>(held.size()))];
                    bool const fails = dice(100) < sickness;
                    bool const is_neutral = !fails && dice(8) == 0 && rig.bank.ready;
                    follow();
                    if (is_neutral && probe_of.contains(index) && probe_of[index] == periods) {
                        // Only if it is still awaited; else its place was given up with its period.
                        --probing;
                    }
                    if (is_neutral) {
                        said_not_sent.insert(rig.bank.turns[index]->stan);
                    }
                    if (fails && dice(3) == 0) {
                        rig.bank.break_off(index);
                    } else {
                        rig.bank.end(
                            index,
                            fails        ? says(Outcome::unknown)
                            : is_neutral ? says(Outcome::not_sent)
                                         : says(Outcome::declined, "05")
                        );
                    }
                    rig.poll();
                    break;
                }
                case 6: rig.wait_ms(dice(dice(10) == 0 ? 4'000 : 200)); break;
                case 7:
                    rig.bank.ready = dice(10) != 0;
                    sickness = dice(10) == 0 ? dice(100) : sickness;
                    break;
            }
            follow();
            auto const health = rig.health();
            waited += health.waiting;
            REQUIRE(health.in_flight == rig.bank.held().size());
            REQUIRE(health.in_flight <= wanted.in_flight_max);
            REQUIRE(health.waiting <= wanted.waiting_max);
            std::set<std::uint32_t> called;
            for (auto const& turn : rig.bank.turns) {
                REQUIRE(called.insert(turn->stan).second);  // nothing is called twice
            }
            for (auto const& [number, each] : started) {
                REQUIRE(each->ends <= 1);
                REQUIRE_FALSE(each->has_thrown);
                if (each->ends == 1 && each->outcome() == Outcome::not_sent) {
                    REQUIRE((!called.contains(number) || said_not_sent.contains(number)));
                } else if (each->ends == 1) {
                    REQUIRE(called.contains(number));
                }
            }
        }
        for (auto const index : rig.bank.held()) {
            rig.bank.end(index, says(Outcome::declined, "05"));
        }
        while (!rig.bank.held().empty() || rig.health().waiting > 0) {
            rig.poll();
            for (auto const index : rig.bank.held()) {
                rig.bank.end(index, says(Outcome::declined, "05"));
            }
        }
        rig.poll();
        CHECK(rig.health().in_flight == 0);
        for (auto const& [number, each] : started) {
            CHECK(each->ends == 1);
        }
    }
    // The seeds reach what they are for.
    CHECK(opened > 100);
    CHECK(probed > 100);
    CHECK(waited > 100);
}
