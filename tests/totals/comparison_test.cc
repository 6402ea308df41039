// Comparing totals on a real ledger, with a bank that says what the test wrote down for it.
#include "daemon/totals/comparison.h"

#include "crypto/random.h"
#include "daemon/flow/identity.h"
#include "daemon/model/reconciliation.h"
#include "ledger/base/calendar.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

using namespace florin;
using namespace florin::totals;
using connectors::BalanceClaim;
using connectors::TotalsReply;
using connectors::TotalsRequest;
using model::TotalsDocument;

namespace {

constexpr std::uint64_t kHourMs = 3'600'000;
constexpr std::uint64_t kDayMs = 24 * kHourMs;

TotalsReply unanswered() {
    return {
        .end = TotalsReply::End::unanswered, .claim = {}, .code = {}, .totals = {}, .detail = {}
    };
}

// Answers with the totals that it was asked about unless something else was scripted.
class TotalsBank final : public connectors::Connector {
public:
    ConnectorId const& id() const override { return id_; }
    std::string_view name() const override { return "scripted"; }
    bool needs_link_identity() const override { return true; }
    connectors::Health health() const override {
        if (looks_before_down > 0 && --looks_before_down == 0) {
            ready = false;
            return {.ready = true, .detail = {}};
        }
        return {.ready = ready, .detail = {}};
    }
    connectors::LinkChoice choose_link() const override { return choice; }
    void start() override {}
    boost::asio::awaitable<void> stop() override { co_return; }
    boost::asio::awaitable<connectors::Reply> authorise(connectors::AuthoriseRequest) override {
        return nothing();
    }
    boost::asio::awaitable<connectors::Reply> capture(connectors::CaptureRequest) override {
        return nothing();
    }
    boost::asio::awaitable<connectors::Reply> reverse(connectors::ReverseRequest) override {
        return nothing();
    }
    boost::asio::awaitable<connectors::Reply> refund(connectors::RefundRequest) override {
        return nothing();
    }
    boost::asio::awaitable<TotalsReply> compare_totals(TotalsRequest request) override {
        TotalsReply reply = unanswered();
        if (script.empty()) {
            reply.end = TotalsReply::End::answered;
            reply.claim = BalanceClaim::in_balance;
            reply.code = "1";
            reply.totals = said(request.totals);
        } else {
            reply = script.front();
            script.pop_front();
        }
        asked.push_back(std::move(request));
        co_return reply;
    }

    mutable bool ready = true;
    mutable int looks_before_down = 0;  // the link ends after so many looks at it; 0: it does not
    connectors::LinkChoice choice;
    std::deque<TotalsReply> script;
    std::vector<TotalsRequest> asked;

private:
    static boost::asio::awaitable<connectors::Reply> nothing() { co_return connectors::Reply{}; }

    ConnectorId const id_{"bank"};
};

// A ledger with attempts, and a comparison that begins at 22:13:21 of 2023-11-14.
class Rig {
public:
    explicit Rig(Options options = {}) : options_{options} {
        start();
        model::Merchant merchant;
        for (char const* const id : {"acct_a", "acct_b"}) {
            merchant.id = id;
            flow::Change change{"platform/test"};
            change.put(merchant.id, merchant, 0);
            commit(std::move(change));
        }
        step();  // what is before this date, nobody asks for
        REQUIRE(bank.asked.empty());
    }
    ~Rig() { ledger_->stop(); }

    // A crash and a new start, as far as the comparison can tell.
    void restart() {
        comparison_.reset();
        ledger_->stop();
        client_.reset();
        ledger_.reset();
        start();
    }
    void step() {
        auto const done = await(comparison_->step());
        REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().context));
    }
    // To this hour of the day after the one that it is.
    void next_day(std::uint64_t hour = 1) {
        std::uint64_t const now_ms = clock.wall_ns() / 1'000'000;
        clock.advance_ms(kDayMs - now_ms % kDayMs + hour * kHourMs);
    }

    std::string attempt(
        std::string const& owner,
        char const* operation,
        std::int64_t amount,
        char const* currency = "EUR",
        char const* state = "approved"
    ) {
        model::Attempt made;
        made.id = ids_.make("at");
        made.operation = operation;
        made.connector = "bank";
        made.currency = currency;
        made.amount = amount;
        made.state = state;
        made.created = ids_.now_s();
        made.transmission_time = utc_transmission_time(made.created);
        made.closed = made.state == "approved" ? made.created : 0;
        flow::Change change{owner};
        change.put(made.id, made, 0);
        commit(std::move(change));
        return made.id;
    }
    void approve(std::string const& owner, std::string const& id) {
        auto known = *flow::load_known<model::Attempt>(documents(), owner, id);
        known.value.state = "approved";
        known.value.closed = ids_.now_s();
        flow::Change change{owner};
        change.put(id, known);
        commit(std::move(change));
    }
    TotalsDocument stored(std::string const& date, std::string const& currency = "EUR") {
        auto const found = flow::load_known<TotalsDocument>(
            documents(),
            model::connector_owner("bank", model::Mode::test),
            model::totals_id(date, currency)
        );
        REQUIRE(found.has_value());
        return found->value;
    }
    std::vector<std::string> dates() {
        std::vector<std::string> list;
        auto const take = [&](std::string const& id, auto const&) -> Result<bool> {
            list.push_back(id);
            return true;
        };
        REQUIRE(flow::each_of<TotalsDocument>(
            documents(), model::connector_owner("bank", model::Mode::test), {}, take
        ));
        return list;
    }
    std::vector<ledger::DocumentReader::Held> held(std::uint32_t link = 1) {
        return *documents().held(flow::stan_counter("bank", link));
    }
    void commit(flow::Change change) {
        auto const answer = ledger_->call(std::move(change.command));
        REQUIRE(answer.has_value());
        REQUIRE(std::get<ledger::Receipt>(*answer).committed());
    }
    Figures figures() const { return comparison_->figures(); }

    test::ManualClock clock;
    TotalsBank bank;

private:
    ledger::DocumentReader const& documents() const { return ledger_->documents(); }
    template <class T>
    Result<T> await(boost::asio::awaitable<Result<T>> work) {
        boost::asio::io_context context;
        auto future = boost::asio::co_spawn(context, std::move(work), boost::asio::use_future);
        context.run();
        return future.get();
    }
    void start() {
        ledger_ = *ledger::Ledger::open({.data_dir = folder_.path() / "data"}, clock);
        client_ = std::make_unique<LedgerClient>(*ledger_);
        comparison_ = std::make_unique<Comparison>(Comparison::Parts{
            .ledger = *client_,
            .ids = ids_,
            .connector = bank,
            .mode = model::Mode::test,
            .options = options_,
        });
    }

    test::TempDir folder_;
    crypto::SystemRandom random_;
    model::IdMaker ids_{clock, random_};
    Options const options_;
    std::unique_ptr<ledger::Ledger> ledger_;
    std::unique_ptr<LedgerClient> client_;
    std::unique_ptr<Comparison> comparison_;
};

TotalsReply answered(BalanceClaim claim, connectors::SaidTotals totals, char const* code) {
    return {
        .end = TotalsReply::End::answered,
        .claim = claim,
        .code = code,
        .totals = std::move(totals),
        .detail = {},
    };
}

}  // namespace

TEST_CASE("a date is compared once it is over and the delay has passed, in each currency") {
    Rig rig;
    rig.attempt("acct_a/test", "capture", 4'500);
    rig.attempt("acct_b/test", "capture", 500);
    rig.attempt("acct_b/test", "refund", 1'000);
    rig.attempt("acct_b/test", "capture", 77, "JPY");
    rig.attempt("acct_b/test", "capture", 800, "EUR", "unknown");
    rig.attempt("acct_a/live", "capture", 9'999);  // another world
    rig.step();
    CHECK(rig.bank.asked.empty());
    rig.next_day(0);
    rig.clock.advance_ms(15 * 60'000 - 2'000);
    rig.attempt("acct_a/test", "capture", 12);  // of the new date
    rig.step();
    CHECK(rig.bank.asked.empty());
    CHECK(rig.dates().empty());
    rig.clock.advance_ms(2'000);
    rig.step();
    REQUIRE(rig.bank.asked.size() == 2);
    TotalsRequest const& euros = rig.bank.asked[0];
    CHECK(euros.date == "2023-11-14");
    CHECK(euros.currency.alphabetic() == "EUR");
    CHECK(euros.totals.debits_number == 2);
    CHECK(euros.totals.debits_amount == 5'000);
    CHECK(euros.totals.credits_number == 1);
    CHECK(euros.totals.credits_amount == 1'000);
    CHECK_FALSE(euros.repeat);
    CHECK_FALSE(euros.is_advice);
    CHECK(euros.identity.transmission_time == "1115001500");
    CHECK(euros.identity.stan == 1);
    CHECK(euros.identity.rrn == "331900000001");
    CHECK(rig.bank.asked[1].currency.alphabetic() == "JPY");
    CHECK(rig.bank.asked[1].totals.debits_amount == 77);
    CHECK(rig.bank.asked[1].identity.stan == 2);

    auto const document = rig.stored("2023-11-14");
    CHECK(document.state == "answered");
    CHECK(document.result == "in_balance");
    CHECK(document.claim == "in_balance");
    CHECK(document.open == 1);
    CHECK(document.ours.at("net") == 4'000);
    CHECK(document.theirs == document.ours);
    CHECK(document.sends == 1);
    CHECK(rig.held().empty());
    CHECK(rig.figures().results[0] == 2);
    CHECK(rig.figures().waiting == 0);
    rig.clock.advance_ms(kHourMs);
    rig.step();
    rig.restart();
    rig.step();
    CHECK(rig.bank.asked.size() == 2);
}

TEST_CASE("an advice is an advice") {
    Rig rig{{.is_advice = true, .delay_s = 0}};
    rig.attempt("acct_a/test", "capture", 100);
    rig.next_day(0);
    rig.step();
    REQUIRE(rig.bank.asked.size() == 1);
    CHECK(rig.bank.asked[0].is_advice);
    CHECK(rig.stored("2023-11-14").message == "advice");
}

TEST_CASE("a date on which nothing moved is not asked about, and neither is it again") {
    Rig rig;
    rig.next_day();
    rig.step();
    CHECK(rig.bank.asked.empty());
    rig.attempt("acct_a/test", "capture", 100);
    rig.next_day();
    rig.step();
    CHECK(rig.dates() == std::vector<std::string>{"2023-11-15/EUR"});
}

TEST_CASE("our totals are counted when they can go out, and wait for nothing else") {
    Rig rig;
    auto const id = rig.attempt("acct_a/test", "capture", 100, "EUR", "unknown");
    rig.bank.ready = false;
    rig.next_day();
    rig.step();
    CHECK(rig.dates().empty());
    rig.approve("acct_a/test", id);
    rig.bank.ready = true;
    rig.step();
    REQUIRE(rig.bank.asked.size() == 1);
    CHECK(rig.bank.asked[0].totals.debits_amount == 100);
    CHECK(rig.stored("2023-11-14").open == 0);
}

TEST_CASE(
    "a message without an answer is repeated as it was, with growing pauses, after a restart too"
) {
    Rig rig;
    rig.attempt("acct_a/test", "capture", 100);
    auto const id = rig.attempt("acct_a/test", "capture", 30, "EUR", "unknown");
    rig.next_day();
    rig.bank.script.assign(5, unanswered());
    rig.step();
    REQUIRE(rig.bank.asked.size() == 1);
    CHECK(rig.figures().waiting == 1);
    REQUIRE(rig.held().size() == 1);
    // What became known since changes nothing: it is the same message.
    rig.approve("acct_a/test", id);
    std::size_t sends = 1;
    constexpr std::uint64_t kPausesMs[] = {1'000, 2'000, 4'000, 8'000};
    for (std::uint64_t const pause_ms : kPausesMs) {
        rig.clock.advance_ms(pause_ms - 1);
        rig.step();
        CHECK(rig.bank.asked.size() == sends);
        if (sends == 2) {
            rig.restart();
            rig.step();
            CHECK(rig.bank.asked.size() == sends);
            CHECK(rig.figures().waiting == 1);
        }
        rig.clock.advance_ms(1);
        rig.step();
        REQUIRE(rig.bank.asked.size() == ++sends);
    }
    rig.restart();
    rig.bank.script.clear();
    rig.clock.advance_ms(16'000);
    rig.step();
    REQUIRE(rig.bank.asked.size() == 6);
    TotalsRequest const& first = rig.bank.asked[0];
    for (std::size_t i = 1; i < rig.bank.asked.size(); ++i) {
        TotalsRequest const& again = rig.bank.asked[i];
        CHECK(again.repeat);
        CHECK(again.identity.stan == first.identity.stan);
        CHECK(again.identity.rrn == first.identity.rrn);
        CHECK(again.identity.transmission_time == first.identity.transmission_time);
        CHECK(again.date == first.date);
        CHECK(again.totals == first.totals);
    }
    CHECK(rig.dates().size() == 1);
    CHECK(rig.stored("2023-11-14").sends == 6);
    CHECK(rig.held().empty());
    rig.clock.advance_ms(kHourMs);
    rig.step();
    CHECK(rig.bank.asked.size() == 6);
}

TEST_CASE("what was stored and never sent goes out under its number, as a first message") {
    Rig rig;
    // Somebody else's, who is not answered yet.
    flow::Change change{"acct_a/test"};
    change.command.take_counters.push_back(
        {.counter = "stan/bank", .min = 1, .max = 999'999, .holder = "at_1"}
    );
    rig.commit(std::move(change));
    rig.attempt("acct_a/test", "capture", 100);
    rig.attempt("acct_a/test", "capture", 100, "USD");
    rig.next_day();
    rig.bank.looks_before_down = 1;  // the link ends when the intent is durable
    rig.step();
    CHECK(rig.bank.asked.empty());
    CHECK(rig.held().size() == 3);
    CHECK(rig.figures().waiting == 2);
    rig.restart();
    rig.bank.ready = true;
    rig.step();
    REQUIRE(rig.bank.asked.size() == 2);
    CHECK(rig.bank.asked[0].currency.alphabetic() == "EUR");
    CHECK(rig.bank.asked[0].identity.stan == 2);
    CHECK(rig.bank.asked[1].identity.stan == 3);
    CHECK_FALSE(rig.bank.asked[0].repeat);
    REQUIRE(rig.held().size() == 1);
    CHECK(rig.held()[0].holder == "at_1");
}

TEST_CASE("a message keeps the link that its number is of") {
    Rig rig;
    rig.attempt("acct_a/test", "capture", 100);
    rig.next_day();
    rig.bank.choice = {.link = 2, .links = 2};
    rig.bank.looks_before_down = 1;
    rig.step();
    CHECK(rig.held(1).empty());
    CHECK(rig.held(2).size() == 1);
    rig.restart();
    rig.bank.choice = {.link = 1, .links = 2};
    rig.bank.ready = true;
    rig.bank.script = {unanswered()};
    rig.step();
    rig.restart();
    rig.clock.advance_ms(kHourMs);
    rig.step();
    REQUIRE(rig.bank.asked.size() == 2);
    for (TotalsRequest const& asked : rig.bank.asked) {
        CHECK(asked.identity.link == 2);
        CHECK(asked.identity.stan == 1);
        CHECK(asked.identity.rrn == "331925000001");  // 24 hours more than on the first link
    }
    CHECK(rig.held(2).empty());
}

TEST_CASE("dates that were missed are done in order, no more than the last seven") {
    Rig rig;
    for (int day = 0; day < 3; ++day) {
        rig.attempt("acct_a/test", "capture", 100 + day);
        rig.next_day();
    }
    rig.step();
    REQUIRE(rig.bank.asked.size() == 3);
    for (int day = 0; day < 3; ++day) {
        auto const& asked = rig.bank.asked[static_cast<std::size_t>(day)];
        CHECK(asked.date == "2023-11-" + std::to_string(14 + day));
        CHECK(asked.totals.debits_amount == 100 + day);
    }
    for (int day = 0; day < 20; ++day) {
        rig.attempt("acct_a/test", "capture", 200 + day);
        rig.next_day();
    }
    rig.restart();
    rig.step();
    REQUIRE(rig.bank.asked.size() == 10);
    CHECK(rig.bank.asked[3].date == "2023-11-30");
    CHECK(rig.bank.asked[3].totals.debits_amount == 213);
    CHECK(rig.bank.asked[9].date == "2023-12-06");
}

TEST_CASE("a silent bank does not keep later dates and other currencies from being compared") {
    Rig rig;
    rig.attempt("acct_a/test", "capture", 100);
    rig.attempt("acct_a/test", "capture", 100, "USD");
    rig.next_day();
    rig.bank.script = {unanswered()};
    rig.step();
    REQUIRE(rig.bank.asked.size() == 2);
    CHECK(rig.stored("2023-11-14").state == "waiting");
    CHECK(rig.stored("2023-11-14", "USD").state == "answered");
}

TEST_CASE("what the bank has otherwise is stored and counted, and it is not asked again") {
    Rig rig;
    rig.attempt("acct_a/test", "capture", 100);
    rig.attempt("acct_a/test", "capture", 1, "EUR", "unknown");
    rig.attempt("acct_a/test", "capture", 100, "USD");
    rig.next_day();
    connectors::Totals theirs;
    theirs.debits_number = 2;
    theirs.debits_amount = 101;
    rig.bank.script = {
        answered(BalanceClaim::in_balance, connectors::said(theirs), "1"),
        answered(BalanceClaim::refused, {}, "40"),
    };
    rig.step();
    auto const euros = rig.stored("2023-11-14");
    CHECK(euros.result == "out_of_balance");
    CHECK(euros.claim == "in_balance");
    CHECK(euros.code == "1");
    CHECK(euros.open == 1);
    CHECK(euros.theirs.at("debits_amount") == 101);
    CHECK(euros.differing == std::vector<std::string>{"debits_amount", "debits_number", "net"});
    CHECK(rig.stored("2023-11-14", "USD").result == "refused");
    CHECK(rig.figures().out_of_balance == 1);
    CHECK(rig.figures().results == std::array<std::uint64_t, 4>{0, 1, 0, 1});
    rig.restart();
    rig.clock.advance_ms(kHourMs);
    rig.step();
    CHECK(rig.bank.asked.size() == 2);
    CHECK(rig.figures().out_of_balance == 1);  // of the last date, as it is stored
    rig.attempt("acct_a/test", "capture", 5);
    rig.next_day();
    rig.step();
    CHECK(rig.stored("2023-11-15").result == "in_balance");
    CHECK(rig.figures().out_of_balance == 0);
}

TEST_CASE("a clock that is set back keeps nothing from being repeated") {
    Rig rig;
    rig.attempt("acct_a/test", "capture", 100);
    rig.next_day();
    rig.bank.script = {unanswered()};
    rig.step();
    rig.clock.advance_ns(0 - std::uint64_t{60} * kNsPerSecond);
    rig.step();
    CHECK(rig.bank.asked.size() == 2);
}
