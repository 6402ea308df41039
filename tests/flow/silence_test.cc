// A bank that says nothing for a week: what is unknown stays unknown, and everything comes right
// when it speaks again. The clock is the test's.
#include "daemon/flow/unknowns.h"
#include "daemon/log/log.h"
#include "tests/flow/flow_rig.h"

#include <doctest/doctest.h>

using namespace florin;
using namespace florin::flow;
using namespace florin::flow::test;

namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kHourNs = 3'600 * kSecondNs;
constexpr std::uint64_t kDayNs = 24 * kHourNs;
constexpr std::uint64_t kMostMs = 4ULL * 3'600 * 1'000;

constexpr char const* kOperations[] = {"authorise", "capture", "void", "refund"};

struct Week {
    ScriptedBank bank{"bank"};
    Rig rig{
        {&bank},
        {.retry_first_ms = 60'000, .retry_most_ms = kMostMs, .timer_tick_ms = 1},
        Rig::Ways{.keeps_pauses = true, .is_durable = false}
    };
    std::map<std::string, std::string> payments;  // by the operation that is not answered

    std::string key(std::string const& operation) const { return "key-" + operation; }
    bool has_key(std::string const& operation) const {
        return load<model::IdempotencyKey>(rig.documents(), Rig::kOwner, key(operation))
            ->has_value();
    }
    void quiet() {
        REQUIRE(eventually([&] {
            auto const due = rig.documents().due_timers(rig.ids().now_ns(), 1);
            return due->empty() && rig.payments().background() == 0;
        }));
    }
    model::Attempt the(std::string const& operation) const {
        for (auto const& attempt : rig.attempts(operation)) {
            if (attempt.payment_intent == payments.at(operation)) {
                return attempt;
            }
        }
        FAIL("no attempt to " << operation);
        return {};
    }
    std::string status(std::string const& operation) const {
        return rig.intent(payments.at(operation)).status;
    }

    // One payment for each operation, and the bank takes it and says nothing to it.
    void begin() {
        auto const is = [](char const* text, std::string const& operation) {
            return operation == text;
        };
        for (std::string const operation : kOperations) {
            bool const asks_later = is("void", operation) || is("refund", operation);
            bank.silent = is("authorise", operation);
            if (is("capture", operation)) {
                bank.script("capture", says(Outcome::unknown));
            }
            auto const paid = rig.pay(
                1000,
                is("void", operation) ? "manual" : "automatic",
                asks_later ? "" : key(operation)
            );
            REQUIRE(paid.has_value());
            payments[operation] = rig.last_intent;
            bank.silent = true;
            if (is("void", operation)) {
                REQUIRE(rig.wait(rig.payments().cancel(
                    rig.caller(key(operation)), rig.last_intent, "", rig.render()
                )));
            }
            if (is("refund", operation)) {
                REQUIRE(rig.wait(rig.payments().refund(
                    rig.caller(key(operation)),
                    rig.last_intent,
                    {.amount = 400},
                    rig.render_refund()
                )));
            }
            REQUIRE(the(operation).state == "unknown");
            quiet();  // the first reversal has gone the same way
        }
    }
    // To when the next timer is due, or to `most_ns`; what it does is done then.
    void next(std::uint64_t most_ns) {
        std::uint64_t const now = rig.ids().now_ns();
        auto const due = rig.documents().next_timer();
        std::uint64_t const at = std::min((*due).value_or(most_ns), most_ns);
        if (at > now) {
            rig.clock().advance(std::chrono::nanoseconds{at - now});
        }
        quiet();
    }
};

}  // namespace

TEST_CASE("a bank is silent for a week: nothing is lost, nothing freed, nothing forgotten") {
    Week week;
    week.begin();
    auto const held = week.rig.receivable("bank");
    REQUIRE(held.debits_pending == 3'000);  // authorise, capture, void
    REQUIRE(held.debits_posted == 1'000);   // what the refund is of
    REQUIRE(held.credits_pending == 400);
    std::uint64_t const end = week.rig.ids().now_ns() + 7 * kDayNs;
    Unknowns unknowns{week.rig.documents(), week.rig.clock(), {.alarm_s = 900}};

    // When the reversal of the authorisation is due, each time.
    std::vector<std::uint64_t> due;
    while (week.rig.ids().now_ns() < end) {
        week.next(end);
        for (auto const& reversal : week.rig.attempts("void")) {
            bool const is_it = reversal.payment_intent == week.payments["authorise"];
            if (is_it && (due.empty() || reversal.timer_ns != due.back())) {
                due.push_back(reversal.timer_ns);
            }
        }
    }

    // The pauses double up to the longest, and stay there.
    REQUIRE(due.size() > 20);
    constexpr std::uint64_t kSlackMs = 60'000;  // a slow machine's
    std::uint64_t pause_ms = (due[1] - due[0]) / 1'000'000;
    for (std::size_t i = 2; i < due.size(); ++i) {
        std::uint64_t const next_ms = (due[i] - due[i - 1]) / 1'000'000;
        std::uint64_t const expected_ms = std::min(pause_ms * 2, kMostMs);
        CHECK(next_ms + kSlackMs >= expected_ms);
        CHECK(next_ms <= expected_ms + kSlackMs);
        pause_ms = std::min(expected_ms, kMostMs);
    }
    CHECK(due.size() < 8 + 7 * 24 / 4 + 3);
    CHECK(week.bank.sent("reverse").size() < 2 * (8 + 7 * 24 / 4 + 4));

    // What was unknown is unknown, its money is where it was, and whoever asks again with the same
    // key gets the same answer.
    auto const still = week.rig.receivable("bank");
    CHECK(still.debits_pending == held.debits_pending);
    CHECK(still.credits_pending == held.credits_pending);
    CHECK(still.debits_posted == held.debits_posted);
    CHECK(still.credits_posted == 0);
    REQUIRE(unknowns.look().has_value());
    for (std::string const operation : kOperations) {
        CAPTURE(operation);
        auto const attempt = week.the(operation);
        CHECK(attempt.state == "unknown");
        CHECK(attempt.closed == 0);
        CHECK(attempt.evidence.size() <= 4);
        CHECK(week.status(operation) == (operation == "refund" ? "succeeded" : "processing"));
        CHECK(week.has_key(operation));
        auto const figures = unknowns.figures("bank", operation);
        CHECK(
            figures.count() == (operation == "void" ? 2 : 1)
        );  // its own, and the authorisation's
        CHECK(figures.by_age.back() == figures.count());
        CHECK(figures.oldest_s >= 7 * 86'400);
        CHECK(figures.is_alarmed);
    }

    // It speaks again.
    week.bank.silent = false;
    week.rig.clock().advance(std::chrono::milliseconds{kMostMs + 1'000});
    REQUIRE(eventually([&] { return week.rig.all_closed(); }));
    CHECK(week.status("authorise") == "requires_payment_method");
    CHECK(week.status("capture") == "succeeded");
    CHECK(week.status("void") == "canceled");
    CHECK(week.the("refund").state == "approved");
    auto const after = week.rig.receivable("bank");
    CHECK(after.debits_pending == 0);
    CHECK(after.credits_pending == 0);
    CHECK(after.debits_posted == 2'000);
    CHECK(after.credits_posted == 400);
    REQUIRE(unknowns.look().has_value());
    for (std::string const operation : kOperations) {
        CHECK(unknowns.figures("bank", operation).count() == 0);
        CHECK_FALSE(unknowns.figures("bank", operation).is_alarmed);
    }
    // Now the keys may go.
    std::uint64_t const later = week.rig.ids().now_ns() + 2 * kHourNs;
    while (week.rig.ids().now_ns() < later) {
        week.next(later);
    }
    for (std::string const operation : kOperations) {
        CAPTURE(operation);
        CHECK_FALSE(week.has_key(operation));
    }
}

TEST_CASE("unknown attempts are counted by connector, operation and age") {
    ScriptedBank bank{"bank"};
    ScriptedBank other{"other"};
    Rig rig{{&bank, &other}, {}, Rig::Ways{.has_timers = false, .is_durable = false}};
    Unknowns unknowns{rig.documents(), rig.clock(), {.alarm_s = 900}};
    REQUIRE(unknowns.look().has_value());
    CHECK(unknowns.figures("bank", "capture").count() == 0);
    CHECK(unknowns.figures("bank", "capture").oldest_s == 0);

    struct Row {
        std::uint64_t older_s;                                      // than the one before it
        std::size_t under_1m, under_15m, under_1h, under_1d, more;  // then
        bool is_alarmed;
    };
    Row const rows[] = {
        {0, 1, 0, 0, 0, 0, false},
        {60, 1, 1, 0, 0, 0, false},
        {15 * 60, 1, 0, 2, 0, 0, true},
        {3'600, 1, 0, 0, 3, 0, true},
        {86'400, 1, 0, 0, 0, 4, true},
    };
    for (Row const& row : rows) {
        CAPTURE(row.older_s);
        rig.clock().advance(std::chrono::seconds{row.older_s});
        bank.script("capture", says(Outcome::unknown));
        REQUIRE(rig.pay(100, "automatic", "", "bank")->body.ends_with(" processing"));
        REQUIRE(unknowns.look().has_value());
        auto const figures = unknowns.figures("bank", "capture");
        std::array<std::uint64_t, 5> const expected{
            row.under_1m, row.under_15m, row.under_1h, row.under_1d, row.more
        };
        CHECK(figures.by_age == expected);
        CHECK(figures.is_alarmed == row.is_alarmed);
        CHECK(unknowns.figures("other", "capture").count() == 0);
        CHECK(unknowns.figures("bank", "authorise").count() == 0);
    }
    CHECK(unknowns.figures("bank", "capture").oldest == rig.attempts("capture").front().id);
}

TEST_CASE(
    "an alarm is told at once, then ever more rarely and at least once a day, and when it is over"
) {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}, {}, Rig::Ways{.has_timers = false, .is_durable = false}};
    constexpr std::uint64_t kAlarmS = 900;
    Unknowns unknowns{rig.documents(), rig.clock(), {.alarm_s = kAlarmS}};
    bank.script("capture", says(Outcome::unknown));
    REQUIRE(rig.pay(100)->body.ends_with(" processing"));
    std::mutex mutex;
    std::vector<std::string> lines;
    log::set_sink([&](std::string_view line) {
        if (line.find("attempts.unknown_alarm") != std::string_view::npos) {
            std::lock_guard const lock{mutex};
            lines.emplace_back(line);
        }
    });
    std::vector<std::uint64_t> told;  // seconds since the payment
    constexpr std::uint64_t kStepS = 300;
    for (std::uint64_t now_s = 0; now_s < 5 * 86'400; now_s += kStepS) {
        std::size_t const before = lines.size();
        REQUIRE(unknowns.look().has_value());
        if (lines.size() > before) {
            told.push_back(now_s);
        }
        rig.clock().advance(std::chrono::seconds{kStepS});
    }
    std::size_t const alarms = lines.size();
    model::Evidence const line{
        .source = "report_line",
        .outcome = "approved",
        .code = {},
        .amount = 100,
        .time_ms = rig.ids().now_ms(),
        .reference = "2026-11-24/1",
    };
    std::string const capture = rig.attempts("capture")[0].id;
    bool const is_over =
        rig.wait(rig.payments().take_evidence(Rig::kOwner, capture, line)).has_value();
    Result<void> const looked = unknowns.look();
    log::set_sink({});
    REQUIRE(is_over);
    REQUIRE(looked.has_value());
    REQUIRE(told.size() > 5);
    CHECK(told.size() == alarms);
    CHECK(told[0] == kAlarmS);
    std::uint64_t pause_s = kAlarmS;
    for (std::size_t i = 1; i < told.size(); ++i) {
        CHECK(told[i] - told[i - 1] >= pause_s);
        CHECK(told[i] - told[i - 1] <= pause_s + kStepS);
        pause_s = std::min<std::uint64_t>(pause_s * 2, 86'400);
    }
    REQUIRE(lines.size() == alarms + 1);
    CHECK(lines[0].find(capture) != std::string::npos);
    CHECK(lines.back().find("attempts.unknown_alarm_over") != std::string::npos);
}
