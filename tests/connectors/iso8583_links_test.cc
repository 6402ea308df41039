// Several connections of a link, and several links of a connector.
#include "tests/connectors/iso8583_rig.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace florin;
using namespace florin::connectors;
using namespace florin::connectors::iso8583;
using namespace florin::connectors::iso8583::test;

namespace {

// One link with two connections, both signed on.
struct TwoConnections {
    explicit TwoConnections(bool any = false) {
        auto options = impatient(first);
        options.link.connections = 2;
        options.link.answers_on_any_connection = any;
        options.authorise_timeout_ms = 10'000;
        rig.emplace(options);
        first.sign_on();
        second.sign_on();
        REQUIRE(are_ready(2));
    }
    bool are_ready(std::uint64_t count) {
        return eventually([&] { return rig->connector.links()[0].connections_ready == count; });
    }

    ScriptedHost first;
    ScriptedHost second{&first};
    std::optional<Rig> rig;
};

// Two links with one connection each, both signed on.
struct TwoLinks {
    explicit TwoLinks(std::size_t outstanding_max = 100) {
        auto options = impatient(first);
        options.more_links.push_back({.host = "127.0.0.1", .port = second.port()});
        options.link.outstanding_max = outstanding_max;
        options.authorise_timeout_ms = options.capture_timeout_ms = 10'000;
        rig.emplace(options);
        first.sign_on();
        second.sign_on();
        REQUIRE(are_ready(true, true));
    }
    bool are_ready(bool one, bool two) {
        return eventually([&] {
            auto const links = rig->connector.links();
            return links[0].ready == one && links[1].ready == two;
        });
    }

    ScriptedHost first;
    ScriptedHost second;
    std::optional<Rig> rig;
};

CaptureRequest capture_request(Identity identity_of_capture, bool repeat) {
    return {
        .identity = std::move(identity_of_capture),
        .amount = eur(4000),
        .card = card(),
        .terminal = terminal(),
        .original = original(1, "0100", "A1B2C3"),
        .repeat = repeat,
    };
}

}  // namespace

TEST_CASE("requests are shared out over the connections of a link") {
    TwoConnections both;
    Rig& rig = *both.rig;
    std::vector<std::future<Reply>> replies;
    for (std::uint32_t stan = 1; stan <= 6; ++stan) {
        replies.push_back(rig.authorise(stan));
    }
    // All of them are out before one is answered.
    std::vector<std::pair<ScriptedHost*, Message>> requests;
    for (ScriptedHost* const host : {&both.first, &both.second}) {
        for (int i = 0; i < 3; ++i) {
            requests.emplace_back(host, *host->receive());
        }
    }
    for (auto const& [host, request] : requests) {
        host->answer(request, "00");
    }
    for (auto& reply : replies) {
        CHECK(reply.get().outcome == Outcome::approved);
    }
    CHECK(rig.counters().signed_on == 2);
    CHECK(rig.counters().outstanding == 0);
}

TEST_CASE("a connection that ends leaves what went over it unknown, and the others go on") {
    TwoConnections both;
    Rig& rig = *both.rig;
    auto one = rig.authorise(1);
    auto two = rig.authorise(2);
    auto const lost = both.first.receive();
    auto const kept = both.second.receive();
    REQUIRE(lost);
    REQUIRE(kept);
    both.first.reset();
    bool const one_is_lost = lost->get(11) == "000001";
    CHECK((one_is_lost ? one : two).get().outcome == Outcome::unknown);
    REQUIRE(both.are_ready(1));
    CHECK(rig.connector.health().ready);
    auto three = rig.authorise(3);
    auto const next = both.second.receive();
    REQUIRE(next);
    CHECK(next->get(11) == "000003");
    both.second.answer(*next, "05");
    both.second.answer(*kept, "00");
    CHECK(three.get().outcome == Outcome::declined);
    CHECK((one_is_lost ? two : one).get().outcome == Outcome::approved);
    CHECK(rig.counters().cut_off == 1);
    CHECK(rig.counters().not_sent == 0);
    both.first.sign_on();
    CHECK(both.are_ready(2));
}

TEST_CASE("an answer on another connection is evidence, and counts where the host may do that") {
    bool is_taken = false;
    SUBCASE("never") {}
    SUBCASE("the host may") {
        is_taken = true;
    }
    TwoConnections both{is_taken};
    Rig& rig = *both.rig;
    auto one = rig.authorise(1);
    auto two = rig.authorise(2);
    auto const request = both.first.receive();
    auto const other = both.second.receive();
    REQUIRE(request);
    REQUIRE(other);
    auto& asked = request->get(11) == "000001" ? one : two;
    both.second.answer(*request, "00");
    if (is_taken) {
        CHECK(asked.get().outcome == Outcome::approved);
        CHECK(rig.sink.replies().empty());
    } else {
        REQUIRE(eventually([&] { return rig.sink.replies().size() == 1; }));
        CHECK(rig.sink.replies()[0].rrn == request->get(37));
        CHECK(rig.counters().late == 1);
        CHECK(asked.wait_for(std::chrono::seconds{0}) == std::future_status::timeout);
        both.first.answer(*request, "05");
        CHECK(asked.get().outcome == Outcome::declined);
    }
    both.second.answer(*other, "00");
    CHECK((&asked == &one ? two : one).get().outcome == Outcome::approved);
}

TEST_CASE("an echo is answered on its own connection or not at all") {
    ScriptedHost first;
    ScriptedHost second{&first};
    auto options = impatient(first);
    options.link.connections = 2;
    options.link.answers_on_any_connection = true;
    options.link.idle_echo_ms = 200;
    Rig rig{options};
    first.sign_on();
    second.sign_on();
    auto const of_first = first.receive();
    REQUIRE(of_first);
    CHECK(of_first->get(70) == "301");
    second.answer(*of_first, "00");
    CHECK_FALSE(first.receive());  // closed for want of an answer
    CHECK(rig.counters().foreign >= 1);
}

TEST_CASE("each connection has a key of its own") {
    MacOptions const mac{
        .algorithm = crypto::MacAlgorithm::x919,
        .key = {},
        .key_encryption_key = key_of("4cf15134a2850dd58a3d10ba80570d38"),
    };
    ScriptedHost first;
    ScriptedHost second{&first};
    auto options = impatient(first);
    options.link.connections = 2;
    options.link.mac = mac;
    options.link.network_timeout_ms = 10'000;
    options.authorise_timeout_ms = 10'000;
    Rig rig{options};
    char const* const keys[] = {
        "0123456789abcdeffedcba9876543210", "00112233445566778899aabbccddeeff"
    };
    // Without any key a request waits; with one it goes over that connection.
    std::future<Reply> reply;
    int number = 0;
    for (ScriptedHost* const host : {&first, &second}) {
        host->keys.emplace(mac);
        host->sign_on();
        auto const asking = host->receive();
        REQUIRE(asking);
        CHECK(asking->get(70) == "101");
        if (host == &first) {
            reply = rig.authorise(1);
            CHECK(reply.wait_for(std::chrono::milliseconds{50}) == std::future_status::timeout);
        }
        auto const key = key_of(keys[number++]);
        auto answer = ScriptedHost::answer_to(*asking, "00");
        auto const& place = default_packaging().elements.key_block;
        REQUIRE(add_element(answer, place, *host->keys->block_of(key)));
        host->send(answer);
        host->keys->install(key, std::chrono::steady_clock::now());
    }
    REQUIRE(eventually([&] { return rig.connector.links()[0].connections_ready == 2; }));
    auto again = rig.authorise(2);
    // Both check the MAC of what they get, under their own key.
    auto const on_first = first.receive();
    auto const on_second = second.receive();
    REQUIRE(on_first);
    REQUIRE(on_second);
    first.answer(*on_first, "00");
    second.answer(*on_second, "00");
    CHECK(reply.get().outcome == Outcome::approved);
    CHECK(again.get().outcome == Outcome::approved);
    CHECK(rig.counters().bad_mac == 0);
}

TEST_CASE("a message goes over the link of its identity, and the same number may be out on both") {
    TwoLinks two;
    Rig& rig = *two.rig;
    auto of_first = rig.authorise(7, eur(100), 1);
    auto of_second = rig.authorise(7, eur(200), 2);
    auto const on_first = two.first.receive();
    auto const on_second = two.second.receive();
    REQUIRE(on_first);
    REQUIRE(on_second);
    CHECK(on_first->get(4) == "000000000100");
    CHECK(on_second->get(4) == "000000000200");
    CHECK(on_first->get(11) == on_second->get(11));
    CHECK(on_first->get(37) != on_second->get(37));
    // What comes over the wrong line is nobody's answer there, though all but the reference fits.
    two.first.answer(*on_second, "05");
    two.second.answer(*on_first, "05");
    REQUIRE(eventually([&] { return rig.sink.replies().size() == 2; }));
    CHECK(rig.counters(1).late == 1);
    CHECK(rig.counters(2).late == 1);
    CHECK(of_first.wait_for(std::chrono::seconds{0}) == std::future_status::timeout);
    CHECK(of_second.wait_for(std::chrono::seconds{0}) == std::future_status::timeout);
    two.first.answer(*on_first, "00");
    two.second.answer(*on_second, "00");
    CHECK(of_first.get().approved == eur(100));
    CHECK(of_second.get().approved == eur(200));
}

TEST_CASE("a repeat goes over another link under its identity where its own is down") {
    TwoLinks two;
    Rig& rig = *two.rig;
    auto const first_send = capture_request(identity(9, 2), false);
    auto capture = rig.callers.spawn(rig.connector.capture(first_send));
    auto const sent = two.second.receive();
    REQUIRE(sent);
    two.second.reset();
    two.second.close_listener();
    CHECK(capture.get().outcome == Outcome::unknown);
    REQUIRE(two.are_ready(true, false));
    CHECK(rig.connector.health().ready);
    CHECK(rig.connector.health().detail.starts_with("link 1: signed on; link 2: "));
    // The other link has a message with the same number, second and terminal out.
    auto other = rig.callers.spawn(rig.connector.capture(capture_request(identity(9, 1), false)));
    auto const other_request = two.first.receive();
    auto repeat = rig.callers.spawn(rig.connector.capture(capture_request(identity(9, 2), true)));
    auto const repeated = two.first.receive();
    REQUIRE(other_request);
    REQUIRE(repeated);
    CHECK(repeated->mti() == "0221");
    for (int const field : {7, 11, 32, 37, 41, 90}) {
        CHECK(repeated->get(field) == sent->get(field));
    }
    two.first.answer(*repeated, "00");
    CHECK(repeat.get().outcome == Outcome::approved);
    two.first.answer(*other_request, "12");
    CHECK(other.get().response_code == "12");
    // Nothing is ready: the proof that nothing was sent.
    two.first.reset();
    two.first.close_listener();
    REQUIRE(two.are_ready(false, false));
    CHECK_FALSE(rig.connector.health().ready);
    CHECK(rig.authorise(10, eur(1), 2).get().outcome == Outcome::not_sent);
    // A link that the configuration has no more.
    CHECK(rig.authorise(11, eur(1), 4).get().outcome == Outcome::not_sent);
}

TEST_CASE("new messages are for the ready link that has the least to do") {
    TwoLinks two{2};
    Rig& rig = *two.rig;
    std::vector<std::uint32_t> chosen;
    for (int i = 0; i < 4; ++i) {
        auto const choice = rig.connector.choose_link();
        CHECK(choice.links == 2);
        chosen.push_back(choice.link);
    }
    CHECK(std::ranges::count(chosen, 1U) == 2);
    auto busy = rig.authorise(1);
    auto const request = two.first.receive();
    for (int i = 0; i < 4; ++i) {
        CHECK(rig.connector.choose_link().link == 2);
    }
    // The bound is each link's own.
    auto busier = rig.authorise(2);
    auto const second_request = two.first.receive();
    CHECK(rig.authorise(3).get().outcome == Outcome::not_sent);
    auto beside = rig.authorise(3, eur(4500), 2);
    two.second.answer(*two.second.receive(), "00");
    CHECK(beside.get().outcome == Outcome::approved);
    two.second.reset();
    two.second.close_listener();
    REQUIRE(two.are_ready(true, false));
    for (int i = 0; i < 4; ++i) {
        CHECK(rig.connector.choose_link().link == 1);
    }
    two.first.answer(*request, "00");
    two.first.answer(*second_request, "00");
    CHECK(busy.get().outcome == Outcome::approved);
    CHECK(busier.get().outcome == Outcome::approved);
}

TEST_CASE("stopping signs off every connection of every link") {
    TwoLinks two;
    Rig& rig = *two.rig;
    auto stopped = rig.callers.spawn(rig.connector.stop());
    rig.stopped = true;
    for (ScriptedHost* const host : {&two.first, &two.second}) {
        auto const sign_off = host->receive();
        REQUIRE(sign_off);
        CHECK(sign_off->get(70) == "002");
        host->answer(*sign_off, "00");
        CHECK_FALSE(host->receive());
    }
    stopped.get();
    CHECK(rig.authorise(1).get().outcome == Outcome::not_sent);
}
