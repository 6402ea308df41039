// A bank with several links: whose number a message has, and that two links are never mixed up.
#include "daemon/flow/identity.h"
#include "ledger/base/calendar.h"
#include "tests/flow/flow_rig.h"

#include <doctest/doctest.h>

#include <set>

using namespace florin;
using namespace florin::flow;
using namespace florin::flow::test;

namespace {

std::vector<std::uint64_t> held(Rig const& rig, std::string const& counter) {
    std::vector<std::uint64_t> values;
    auto const list = rig.documents().held(counter);
    for (auto const& each : *list) {
        values.push_back(each.value);
    }
    return values;
}

model::Attempt attempt_on(std::uint32_t link, std::int64_t created_s, std::uint64_t stan) {
    model::Attempt attempt;
    attempt.connector = "bank";
    attempt.created = created_s;
    attempt.stan = stan;
    attempt.link = link;
    return attempt;
}

}  // namespace

TEST_CASE("times and references of links never meet, and those of a single one are as ever") {
    constexpr std::int64_t kNow = 1'795'525'445;  // 2026-11-24T13:04:05Z
    CHECK(transmission_time_of(kNow, {}) == "1124130405");
    CHECK(retrieval_reference(attempt_on(0, kNow, 17)) == "632813000017");
    CHECK(retrieval_reference(attempt_on(1, kNow, 17)) == "632813000017");
    CHECK(retrieval_reference(attempt_on(2, kNow, 17)) == "632837000017");
    CHECK(retrieval_reference(attempt_on(4, kNow, 17)) == "632885000017");
    CHECK(stan_counter(attempt_on(0, kNow, 1)) == "stan/bank");
    CHECK(stan_counter(attempt_on(1, kNow, 1)) == "stan/bank");
    CHECK(stan_counter(attempt_on(3, kNow, 1)) == "stan/bank/3");
    for (std::uint32_t links = 1; links <= connectors::kLinksMax; ++links) {
        std::vector<std::set<std::string>> times(links);
        std::set<std::string> references;
        for (std::int64_t now = kNow; now < kNow + 100; ++now) {
            for (std::uint32_t link = 1; link <= links; ++link) {
                auto const time = transmission_time_of(now, {link, links});
                CHECK(time <= utc_transmission_time(now));
                CHECK(time > utc_transmission_time(now - links));
                times[link - 1].insert(time);
            }
        }
        for (std::int64_t hour = 0; hour < 48; ++hour) {
            for (std::uint32_t link = 1; link <= links; ++link) {
                references.insert(retrieval_reference(attempt_on(link, kNow + hour * 3600, 5)));
            }
        }
        CHECK(references.size() == 48 * links);
        for (std::uint32_t one = 0; one < links; ++one) {
            for (std::uint32_t other = one + 1; other < links; ++other) {
                for (std::string const& time : times[one]) {
                    CHECK_FALSE(times[other].contains(time));
                }
            }
        }
    }
}

TEST_CASE("each link numbers its messages for itself") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    bank.held = true;
    bank.links = 2;
    std::vector<std::future<api::ApiResult<Done>>> paying;
    for (std::uint32_t const link : {1U, 2U, 2U}) {
        bank.link = link;
        std::size_t const before = bank.sent("authorise").size();
        paying.push_back(rig.begin(rig.paying(100 * link, "manual", "", "")));
        REQUIRE(eventually([&] { return bank.sent("authorise").size() == before + 1; }));
    }
    auto const sent = bank.sent("authorise");
    CHECK(sent[0].identity.link == 1);
    CHECK(sent[0].identity.stan == 1);
    CHECK(sent[1].identity.link == 2);
    CHECK(sent[1].identity.stan == 1);
    CHECK(sent[2].identity.link == 2);
    CHECK(sent[2].identity.stan == 2);
    CHECK(sent[0].identity.rrn != sent[1].identity.rrn);
    CHECK(sent[0].identity.transmission_time != sent[1].identity.transmission_time);
    CHECK(held(rig, "stan/bank") == std::vector<std::uint64_t>{1});
    CHECK(held(rig, "stan/bank/2") == std::vector<std::uint64_t>{1, 2});
    bank.held = false;
    for (auto& each : paying) {
        CHECK(each.get()->body.ends_with(" requires_capture"));
    }
    CHECK(held(rig, "stan/bank").empty());
    CHECK(held(rig, "stan/bank/2").empty());
}

TEST_CASE("a number stays held through a restart, and its message keeps it") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}, {}, false};
    bank.link = bank.links = 2;
    bank.script("capture", says(Outcome::unknown));
    bank.script("capture", says(Outcome::unknown));
    REQUIRE(rig.pay(900)->body.ends_with(" processing"));
    auto const first = bank.sent("capture")[0].identity;
    CHECK(first.link == 2);
    CHECK(held(rig, "stan/bank/2") == std::vector<std::uint64_t>{first.stan});
    bank.link = bank.links = 1;  // another configuration: the intent counts
    rig.restart();
    REQUIRE(eventually([&] { return bank.sent("capture").size() == 2; }));
    auto const again = bank.sent("capture")[1];
    CHECK(again.repeat);
    CHECK(again.identity.link == 2);
    CHECK(again.identity.stan == first.stan);
    CHECK(again.identity.rrn == first.rrn);
    CHECK(again.identity.transmission_time == first.transmission_time);
    CHECK(held(rig, "stan/bank/2") == std::vector<std::uint64_t>{first.stan});
    CHECK(held(rig, "stan/bank").empty());
    rig.restart();
    REQUIRE(eventually([&] { return rig.all_closed(); }));
    CHECK(bank.sent("capture").size() == 3);
    CHECK(held(rig, "stan/bank/2").empty());
}

TEST_CASE("a late answer finds its attempt on its own link, before and after it was given up") {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}};
    bank.links = 2;
    bank.held = true;
    bank.script("authorise", says(Outcome::unknown));
    bank.script("authorise", says(Outcome::unknown));
    std::vector<std::future<api::ApiResult<Done>>> paying;
    for (std::uint32_t const link : {1U, 2U}) {
        bank.link = link;
        paying.push_back(rig.begin(rig.paying(100 * link, "manual", "", "")));
        REQUIRE(eventually([&] { return bank.sent("authorise").size() == link; }));
    }
    auto const sent = bank.sent("authorise");
    REQUIRE(sent[0].identity.stan == sent[1].identity.stan);
    auto const of_amount = [&](std::int64_t amount) {
        for (auto const& attempt : rig.attempts("authorise")) {
            if (attempt.amount == amount) {
                return attempt;
            }
        }
        return model::Attempt{};
    };
    // The first one's time with the second one's reference: nobody's.
    auto mixed = rig.late(sent[0], says(Outcome::approved, "00"));
    mixed.rrn = sent[1].identity.rrn;
    rig.payments().late_reply(mixed);
    rig.payments().late_reply(rig.late(sent[1], says(Outcome::approved, "00")));
    REQUIRE(eventually([&] { return of_amount(200).evidence.size() == 1; }));
    CHECK(of_amount(100).evidence.empty());
    bank.script("reverse", says(Outcome::unknown, "25"));
    bank.script("reverse", says(Outcome::unknown, "25"));
    bank.held = false;
    for (auto& each : paying) {
        CHECK(each.get().has_value());
    }
    CHECK(of_amount(200).state == "approved");
    REQUIRE(eventually([&] { return bank.sent("reverse").size() == 2 && rig.all_closed(); }));
    CHECK(of_amount(100).state != "approved");

    // The same on the second link, given up by now.
    bank.script("authorise", says(Outcome::unknown));
    bank.script("reverse", says(Outcome::unknown, "25"));
    bank.script("reverse", says(Outcome::unknown, "25"));
    REQUIRE(rig.pay(300)->body.ends_with(" processing"));
    REQUIRE(eventually([&] { return bank.sent("reverse").size() == 4 && rig.all_closed(); }));
    auto const given_up = bank.sent("authorise")[2];
    CHECK(given_up.identity.link == 2);
    rig.payments().late_reply(rig.late(given_up, says(Outcome::approved, "00")));
    REQUIRE(eventually([&] { return bank.sent("reverse").size() == 5 && rig.all_closed(); }));
    CHECK(bank.sent("reverse")[4].original->rrn == given_up.identity.rrn);
}
