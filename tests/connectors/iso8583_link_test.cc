#include "tests/connectors/iso8583_rig.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <mutex>

using namespace florin;
using namespace florin::connectors;
using namespace florin::connectors::iso8583;
using namespace florin::connectors::iso8583::test;

TEST_CASE("the link signs on, and an authorisation carries what the request says") {
    ScriptedHost host;
    Rig rig{impatient(host)};
    host.sign_on();
    REQUIRE(rig.is_ready());
    auto reply = rig.authorise(17);
    auto const request = host.receive();
    REQUIRE(request);
    CHECK(request->mti() == "0100");
    CHECK(request->get(2) == "4242424242424242");
    CHECK(request->get(3) == "000000");
    CHECK(request->get(4) == "000000004500");
    CHECK(request->get(7) == "1124130405");
    CHECK(request->get(11) == "000017");
    CHECK(request->get(12) == "130405");
    CHECK(request->get(13) == "1124");
    CHECK(request->get(14) == "2912");
    CHECK(request->get(18) == "5999");
    CHECK(request->get(32) == "123456");
    CHECK(request->get(37) == "632913000017");
    CHECK(request->get(41) == "TERM0001");
    CHECK(request->get(42) == "ACCEPTOR0000001");
    CHECK(request->get(48) == "9203123");
    CHECK(request->get(49) == "978");
    auto answer = ScriptedHost::answer_to(*request, "00");
    answer.set(38, "A1B2C3");
    host.send(answer);
    auto const result = reply.get();
    CHECK(result.outcome == Outcome::approved);
    CHECK(result.approved == eur(4500));
    CHECK(result.response_code == "00");
    CHECK(result.authorization_code == "A1B2C3");
    CHECK(result.detail.find("4242424242424242") == std::string::npos);
}

TEST_CASE("captures, reversals and refunds name their original and mark repeats") {
    auto const options = [] {
        Iso8583Options made{.id = ConnectorId{"bank"}};
        made.acquirer_id = "123456";
        return made;
    }();
    CaptureRequest capture{
        .identity = identity(18),
        .amount = eur(4000),
        .card = card(),
        .terminal = terminal(),
        .original = original(17, "0100", "A1B2C3"),
    };
    auto const first = capture_message(capture, options, kNow);
    capture.repeat = true;
    auto repeat = capture_message(capture, options, kNow);
    REQUIRE(first);
    REQUIRE(repeat);
    CHECK(first->mti() == "0220");
    CHECK(repeat->mti() == "0221");
    CHECK(first->get(38) == "A1B2C3");
    CHECK(first->get(90) == "010000001711241304050000012345600000000000");
    CHECK_FALSE(first->has(48));
    repeat->set_mti("0220");
    CHECK(*repeat == *first);

    ReverseRequest reverse{
        .identity = identity(19),
        .amount = eur(4500),
        .remaining = eur(1000),
        .card = card(),
        .terminal = terminal(),
        .original = original(17, "0100"),
        .reason = ReversalReason::cancelled,
        .repeat = true,
    };
    auto const reversal = reverse_message(reverse, options, kNow);
    REQUIRE(reversal);
    CHECK(reversal->mti() == "0421");
    CHECK(reversal->get(39) == "17");
    CHECK(reversal->get(95) == "000000001000000000000000C00000000C00000000");
    CHECK(reversal->get(90).substr(0, 10) == "0100000017");
    CHECK_FALSE(reversal->has(38));
    reverse.reason = ReversalReason::no_answer;
    reverse.original.mti = "0200";
    CHECK(reverse_message(reverse, options, kNow)->get(39) == "68");
    CHECK(reverse_message(reverse, options, kNow)->get(3) == "200000");

    RefundRequest const refund{
        .identity = identity(20),
        .amount = eur(100),
        .card = card(),
        .terminal = terminal(),
        .original = original(18, "0220", "A1B2C3"),
    };
    auto const refunding = refund_message(refund, options, kNow);
    REQUIRE(refunding);
    CHECK(refunding->mti() == "0200");
    CHECK(refunding->get(3) == "200000");
    CHECK(refunding->get(90).substr(0, 10) == "0220000018");
}

TEST_CASE("an amount that field 4 cannot hold is not sent") {
    ScriptedHost host;
    Rig rig{impatient(host)};
    host.sign_on();
    REQUIRE(rig.is_ready());
    auto const reply = rig.authorise(1, eur(1'000'000'000'000)).get();
    CHECK(reply.outcome == Outcome::not_sent);
}

TEST_CASE("answers out of order reach the requests that they belong to") {
    ScriptedHost host;
    auto options = options_for(host);
    options.link.network_timeout_ms = 100;
    Rig rig{options};
    host.sign_on();
    REQUIRE(rig.is_ready());
    constexpr std::uint32_t kMany = 64;
    std::vector<std::future<Reply>> replies;
    std::vector<Message> requests;
    replies.reserve(kMany);
    requests.reserve(kMany);
    for (std::uint32_t stan = 1; stan <= kMany; ++stan) {
        replies.push_back(rig.authorise(stan, eur(stan)));
    }
    for (std::uint32_t i = 0; i < kMany; ++i) {
        requests.push_back(*host.receive());
    }
    std::reverse(requests.begin(), requests.end());
    for (auto const& request : requests) {
        auto answer = ScriptedHost::answer_to(request, "00");
        answer.set(38, request.get(11));
        host.send(answer);
    }
    for (std::uint32_t stan = 1; stan <= kMany; ++stan) {
        auto const reply = replies[stan - 1].get();
        CHECK(reply.approved == eur(stan));
        CHECK(std::stoul(reply.authorization_code) == stan);
    }
    CHECK(rig.counters().answered == kMany + 1);
    CHECK(rig.counters().outstanding == 0);
}

TEST_CASE("a timeout is unknown, and the answer that comes later is evidence, once") {
    ScriptedHost host;
    Rig rig{impatient(host)};
    host.sign_on();
    REQUIRE(rig.is_ready());
    auto const reply = rig.authorise(17);
    auto const request = host.receive();
    reply.wait();
    auto answer = ScriptedHost::answer_to(*request, "00");
    answer.set(38, "A1B2C3");
    host.send(answer);
    host.send(answer);
    REQUIRE(eventually([&] { return rig.counters().duplicate == 1; }));
    auto const late = rig.sink.replies();
    REQUIRE(late.size() == 1);
    CHECK(late[0].connector == ConnectorId{"bank"});
    CHECK(late[0].mti == "0110");
    CHECK(late[0].stan == 17);
    CHECK(late[0].rrn == "632913000017");
    CHECK(late[0].transmission_time == "1124130405");
    CHECK(late[0].terminal_id == "TERM0001");
    CHECK(late[0].reply.outcome == Outcome::approved);
    CHECK(late[0].reply.said_minor == 4500);
    CHECK(late[0].reply.authorization_code == "A1B2C3");
    CHECK(rig.counters().timed_out == 1);
    // The same number with another content is news: evidence again.
    host.send(ScriptedHost::answer_to(*request, "05"));
    REQUIRE(eventually([&] { return rig.sink.replies().size() == 2; }));
    CHECK(rig.sink.replies()[1].reply.outcome == Outcome::declined);
}

TEST_CASE("a timed out request is unknown") {
    ScriptedHost host;
    Rig rig{impatient(host)};
    host.sign_on();
    REQUIRE(rig.is_ready());
    CHECK(rig.authorise(17).get().outcome == Outcome::unknown);
    CHECK(rig.counters().timed_out == 1);
}

TEST_CASE("a duplicate of an answer that was taken is counted and nothing else") {
    ScriptedHost host;
    auto options = impatient(host);
    options.authorise_timeout_ms = 10'000;
    Rig rig{options};
    host.sign_on();
    REQUIRE(rig.is_ready());
    auto reply = rig.authorise(17);
    auto const request = host.receive();
    host.answer(*request, "05");
    host.answer(*request, "05");
    CHECK(reply.get().outcome == Outcome::declined);
    REQUIRE(eventually([&] { return rig.counters().duplicate == 1; }));
    CHECK(rig.sink.replies().empty());
}

TEST_CASE("no connection, no sign-on and a refused sign-on are not sent") {
    ScriptedHost host;
    {
        Rig rig{impatient(host)};
        host.accept();
        CHECK(rig.authorise(1).get().outcome == Outcome::not_sent);
        auto const sign_on = host.receive();
        host.answer(*sign_on, "91");
        CHECK_FALSE(host.receive());
        CHECK(rig.authorise(2).get().outcome == Outcome::not_sent);
        CHECK(rig.counters().sent == 1);
    }
    host.close_listener();
    auto options = options_for(ScriptedHost{});  // a port where nobody listens any more
    Rig rig{options};
    REQUIRE(eventually([&] {
        return rig.connector.health().detail.find("refused") != std::string::npos;
    }));
    auto const reply = rig.authorise(3).get();
    CHECK(reply.outcome == Outcome::not_sent);
    CHECK(rig.counters().connected == 0);
    CHECK(rig.counters().not_sent == 1);
}

TEST_CASE("a connection that ends after the write is unknown, and the link comes back") {
    ScriptedHost host;
    auto options = impatient(host);
    options.authorise_timeout_ms = 10'000;
    Rig rig{options};
    host.sign_on();
    REQUIRE(rig.is_ready());

    SUBCASE("by a reset before the answer") {
        auto reply = rig.authorise(1);
        REQUIRE(host.receive());
        host.reset();
        CHECK(reply.get().outcome == Outcome::unknown);
    }
    SUBCASE("in the middle of the answer") {
        auto reply = rig.authorise(1);
        auto const bytes = ScriptedHost::bytes_of(ScriptedHost::answer_to(*host.receive(), "00"));
        host.send_bytes(ByteView{bytes}.substr(0, bytes.size() - 1));
        host.reset();
        CHECK(reply.get().outcome == Outcome::unknown);
    }
    SUBCASE("by a length that cannot be") {
        auto reply = rig.authorise(1);
        REQUIRE(host.receive());
        host.send_bytes("\xff\xff");
        CHECK(reply.get().outcome == Outcome::unknown);
    }
    CHECK(rig.counters().cut_off == 1);
    host.sign_on();
    REQUIRE(rig.is_ready());
    auto again = rig.authorise(2);
    host.answer(*host.receive(), "00");
    CHECK(again.get().outcome == Outcome::approved);
    CHECK(rig.counters().signed_on == 2);
}

// Of 7 KiB: 1,500 of them are more than the buffers between two programs take.
static Message large_message(std::uint32_t stan) {
    Message message{"0220"};
    message.set(7, "1124130405");
    message.set_stan(stan);
    for (int field = 105; field <= 111; ++field) {
        message.set(field, std::string(999, 'x'));
    }
    return message;
}

TEST_CASE("what was not written when the peer stopped reading is not sent, exactly") {
    ScriptedHost host;
    host.acceptor().set_option(boost::asio::socket_base::receive_buffer_size{4096});
    auto options = impatient(host);
    SystemClock const clock;
    Loop callers;
    Loop home;
    Link link{home.executor(), options.link, clock, [](Message const&) {}};
    link.start();
    host.sign_on();
    REQUIRE(eventually([&] { return link.health().ready; }));
    // 1,500 messages of 7 KiB are more than the buffers between the two take.
    constexpr std::uint32_t kMany = 1'500;
    std::vector<std::future<Exchange>> exchanges;
    exchanges.reserve(kMany);
    for (std::uint32_t stan = 1; stan <= kMany; ++stan) {
        exchanges.push_back(callers.spawn(link.exchange(large_message(stan), 300)));
    }
    std::vector<std::uint32_t> unanswered;
    for (std::uint32_t i = 0; i < kMany; ++i) {
        auto const exchange = exchanges[i].get();
        CHECK(exchange.end != Exchange::End::answered);
        if (exchange.end == Exchange::End::unanswered) {
            unanswered.push_back(i + 1);
        }
    }
    CHECK_FALSE(unanswered.empty());
    CHECK(unanswered.size() < kMany);
    auto stopped = callers.spawn(link.stop());
    std::vector<std::uint32_t> received;
    while (auto const message = host.receive()) {
        if (message->mti() == "0220") {
            received.push_back(static_cast<std::uint32_t>(std::stoul(std::string{message->get(11)}))
            );
        }
    }
    CHECK(received == unanswered);
    stopped.get();
}

TEST_CASE("an answer outside the table or with another amount is unknown") {
    ScriptedHost host;
    auto options = impatient(host);
    options.authorise_timeout_ms = 10'000;
    Rig rig{options};
    host.sign_on();
    REQUIRE(rig.is_ready());
    struct Row {
        char const* code;
        char const* amount;  // field 4 of the answer; empty: none
        char const* currency;
        Outcome outcome;
    };
    constexpr Row kRows[] = {
        {"00", "000000004500", "978", Outcome::approved},
        {"00", "", "", Outcome::approved},
        {"00", "000000004500", "", Outcome::approved},
        {"00", "000000004499", "978", Outcome::unknown},
        {"00", "000000004501", "978", Outcome::unknown},
        {"00", "000000004500", "840", Outcome::unknown},
        {"00", "000000004500", "000", Outcome::unknown},
        {"10", "000000003000", "978", Outcome::approved},
        {"10", "000000004501", "978", Outcome::unknown},
        {"10", "000000000000", "978", Outcome::unknown},
        {"10", "", "", Outcome::unknown},
        {"05", "000000004500", "978", Outcome::declined},
        {"25", "", "", Outcome::unknown},
        {"09", "", "", Outcome::unknown},
        {"ZZ", "", "", Outcome::unknown},
    };
    std::uint32_t stan = 0;
    for (auto const& row : kRows) {
        CAPTURE(row.code);
        CAPTURE(row.amount);
        auto reply = rig.authorise(++stan);
        auto answer = ScriptedHost::answer_to(*host.receive(), row.code);
        answer.erase(4);
        answer.erase(49);
        if (*row.amount != '\0') {
            answer.set(4, row.amount);
        }
        if (*row.currency != '\0') {
            answer.set(49, row.currency);
        }
        host.send(answer);
        auto const result = reply.get();
        CHECK(result.outcome == row.outcome);
        CHECK(result.response_code == row.code);
        CHECK(result.approved.has_value() == (row.outcome == Outcome::approved));
    }
    // Without field 39 at all.
    auto reply = rig.authorise(++stan);
    auto answer = ScriptedHost::answer_to(*host.receive(), "00");
    answer.erase(39);
    host.send(answer);
    CHECK(reply.get().outcome == Outcome::unknown);
}

TEST_CASE("answers of others and nonsense are counted and answer nothing") {
    ScriptedHost host;
    auto options = impatient(host);
    options.authorise_timeout_ms = 10'000;
    Rig rig{options};
    host.sign_on();
    REQUIRE(rig.is_ready());
    auto reply = rig.authorise(17);
    auto const request = host.receive();
    auto const good = ScriptedHost::answer_to(*request, "05");
    for (int const field : {7, 11, 32, 37, 41}) {
        auto other = good;
        other.set(field, field == 41 ? "TERM0002" : field == 32 ? "654321" : "1");
        host.send(other);
    }
    auto capture = good;
    capture.set_mti("0230");
    host.send(capture);
    host.send_bytes(*frame("nonsense", default_packaging()));
    Message stray{"0810"};
    stray.set_stan(999);
    host.send(stray);
    Message request_of_host{"0200"};
    request_of_host.set_stan(1);
    host.send(request_of_host);
    host.send(good);
    CHECK(reply.get().outcome == Outcome::declined);
    auto const counters = rig.counters();
    CHECK(counters.late == 6);
    CHECK(counters.malformed == 1);
    CHECK(counters.foreign == 2);
    CHECK(rig.sink.replies().size() == 5);  // but another acquirer's is nobody's business here
}

TEST_CASE("a full link and an identity in use refuse before the write") {
    ScriptedHost host;
    auto options = impatient(host);
    options.link.outstanding_max = 2;
    options.authorise_timeout_ms = 10'000;
    Rig rig{options};
    host.sign_on();
    REQUIRE(rig.is_ready());
    auto first = rig.authorise(1);
    auto const first_request = host.receive();
    CHECK(rig.authorise(1).get().outcome == Outcome::not_sent);
    auto second = rig.authorise(2);
    auto const second_request = host.receive();
    CHECK(rig.authorise(3).get().outcome == Outcome::not_sent);
    host.answer(*first_request, "00");
    host.answer(*second_request, "00");
    CHECK(first.get().outcome == Outcome::approved);
    CHECK(second.get().outcome == Outcome::approved);
}

TEST_CASE("a host that talks but reads nothing is left, as a silent one is") {
    ScriptedHost host;
    host.acceptor().set_option(boost::asio::socket_base::receive_buffer_size{4096});
    auto options = impatient(host);
    options.link.idle_echo_ms = 300;
    SystemClock const clock;
    Loop callers;
    Loop home;
    Link link{home.executor(), options.link, clock, [](Message const&) {}};
    link.start();
    host.sign_on();
    REQUIRE(eventually([&] { return link.health().ready; }));
    std::vector<std::future<Exchange>> exchanges;
    constexpr std::uint32_t kMany = 1'500;  // more than the buffers between the two take
    for (std::uint32_t stan = 1; stan <= kMany; ++stan) {
        exchanges.push_back(callers.spawn(link.exchange(large_message(stan), 20'000)));
    }
    Message echo{"0800"};
    echo.set(7, "1124130405");
    echo.set(70, "301");
    std::uint32_t stan = 900'000;
    // It is heard all the time.
    REQUIRE(eventually([&] {
        echo.set_stan(++stan);
        host.send(echo);
        return !link.health().ready;
    }));
    CHECK(link.health().detail.contains("reads nothing"));
    for (auto& exchange : exchanges) {
        CHECK(exchange.get().end != Exchange::End::answered);
    }
    callers.spawn(link.stop()).get();
}

TEST_CASE("a silent link asks for an echo, and connects again where none comes") {
    ScriptedHost host;
    auto options = impatient(host);
    options.link.idle_echo_ms = 20;
    Rig rig{options};
    host.sign_on();
    auto const first = host.receive();
    REQUIRE(first);
    CHECK(first->mti() == "0800");
    CHECK(first->get(70) == "301");
    host.answer(*first, "00");
    auto const second = host.receive();
    REQUIRE(second);
    CHECK(second->get(70) == "301");
    CHECK_FALSE(host.receive());  // no answer: the link closes
    host.sign_on();
    CHECK(rig.is_ready());
}

TEST_CASE("the host's own echo is answered") {
    ScriptedHost host;
    Rig rig{impatient(host)};
    host.sign_on();
    REQUIRE(rig.is_ready());
    host.send(echo(5));
    auto const answer = host.receive();
    REQUIRE(answer);
    CHECK(answer->mti() == "0810");
    CHECK(answer->get(11) == "000005");
    CHECK(answer->get(39) == "00");
}

TEST_CASE("stopping waits for what is outstanding, refuses what is new, and signs off") {
    ScriptedHost host;
    auto options = options_for(host);
    Rig rig{options};
    host.sign_on();
    REQUIRE(rig.is_ready());
    auto reply = rig.authorise(1);
    auto const request = host.receive();
    auto stopped = rig.callers.spawn(rig.connector.stop());
    rig.stopped = true;
    REQUIRE(eventually([&] { return !rig.connector.health().ready; }));
    CHECK(rig.authorise(2).get().outcome == Outcome::not_sent);
    host.answer(*request, "00");
    CHECK(reply.get().outcome == Outcome::approved);
    auto const sign_off = host.receive();
    REQUIRE(sign_off);
    CHECK(sign_off->get(70) == "002");
    host.answer(*sign_off, "00");
    CHECK_FALSE(host.receive());
    stopped.get();
}

TEST_CASE("a link of 1993 signs on, matches by field 12, answers echoes and signs off") {
    auto const packaging = packaging_of("1993_ascii");
    ScriptedHost host{packaging};
    auto options = impatient(host);
    options.link.packaging = packaging;
    options.authorise_timeout_ms = 10'000;
    Rig rig{options};
    host.sign_on();
    REQUIRE(rig.is_ready());
    auto reply = rig.authorise(17);
    auto const request = host.receive();
    REQUIRE(request);
    CHECK(request->mti() == "1100");
    auto other = ScriptedHost::answer_to(*request, "000");
    other.set(12, "251124130405");  // the same a year ago
    host.send(other);
    auto of_1987 = ScriptedHost::answer_to(*request, "000");
    of_1987.set_mti("0110");
    host.send(of_1987);
    auto answer = ScriptedHost::answer_to(*request, "116");
    answer.set(7, "1124130409");  // its own
    host.send(answer);
    CHECK(reply.get().outcome == Outcome::declined);
    CHECK(rig.counters().foreign == 1);
    auto const late = rig.sink.replies();
    REQUIRE(late.size() == 1);
    CHECK(late[0].mti == "0110");
    CHECK(late[0].stan == 17);
    CHECK(late[0].transmission_time == "1124130405");
    Message echo{"1804"};
    echo.set(12, "261124130500");
    echo.set_stan(5);
    for (auto const& [code, says] : {std::pair{"831", "800"}, std::pair{"999", "902"}}) {
        echo.set(24, code);
        host.send(echo);
        auto const echoed = host.receive();
        REQUIRE(echoed);
        CHECK(echoed->mti() == "1814");
        CHECK(echoed->get(39) == says);
        CHECK(echoed->get(24) == code);
    }
    auto stopped = rig.callers.spawn(rig.connector.stop());
    rig.stopped = true;
    auto const sign_off = host.receive();
    REQUIRE(sign_off);
    CHECK(sign_off->mti() == "1804");
    CHECK(sign_off->get(24) == "802");
    host.answer(*sign_off, "800");
    CHECK_FALSE(host.receive());
    stopped.get();
}

namespace {

MacOptions static_mac() {
    return {
        .algorithm = crypto::MacAlgorithm::aes_cmac,
        .key = key_of("2b7e151628aed2a6abf7158809cf4f3c"),
        .key_encryption_key = {},
    };
}

MacOptions exchanged_mac() {
    return {
        .algorithm = crypto::MacAlgorithm::x919,
        .key = {},
        .key_encryption_key = key_of("4cf15134a2850dd58a3d10ba80570d38"),
    };
}

KeyBytes const kFirstKey = key_of("0123456789abcdeffedcba9876543210");
KeyBytes const kSecondKey = key_of("00112233445566778899aabbccddeeff");

struct Notices {
    void operator()(std::string_view event, std::string const& text) {
        std::lock_guard const lock{mutex};
        list.push_back(std::string{event} + " " + text);
    }
    std::vector<std::string> all() {
        std::lock_guard const lock{mutex};
        return list;
    }
    std::mutex mutex;
    std::vector<std::string> list;
};

// What answers the link's request for a key.
Message key_answer(Message const& request, MacKeys const& keys, KeyBytes const& key) {
    auto answer = ScriptedHost::answer_to(request, "00");
    REQUIRE(add_element(answer, default_packaging().elements.key_block, *keys.block_of(key)));
    return answer;
}

// Sign-on, then the first key.
void sign_on_with_key(ScriptedHost& host, KeyBytes const& key) {
    host.sign_on();
    auto const asking = host.receive();
    REQUIRE(asking);
    REQUIRE(asking->mti() == "0800");
    REQUIRE(asking->get(70) == "101");
    host.send(key_answer(*asking, *host.keys, key));
    host.keys->install(key, std::chrono::steady_clock::now());
}

}  // namespace

TEST_CASE("every message bears a MAC, and one with a wrong one or without is as if it never came") {
    ScriptedHost host;
    host.keys.emplace(static_mac());
    Notices notices;
    auto options = impatient(host);
    options.link.mac = static_mac();
    options.link.on_notice = std::ref(notices);
    Rig rig{options};
    host.sign_on();
    REQUIRE(rig.is_ready());
    auto reply = rig.authorise(17);
    auto const request = host.receive();
    REQUIRE(request);
    CHECK(request->has(64));
    auto const answer = ScriptedHost::answer_to(*request, "00");
    host.send_bytes(ScriptedHost::bytes_of(answer));
    auto sealed = *host.keys->encode(answer, default_packaging());
    sealed.back() = static_cast<char>(sealed.back() ^ 1);
    host.send_bytes(*frame(sealed, default_packaging()));
    // Requests of the host too: it would take an echo for an answer that we are there.
    host.send_bytes(ScriptedHost::bytes_of(echo()));
    REQUIRE(eventually([&] { return rig.counters().bad_mac == 3; }));
    CHECK(reply.get().outcome == Outcome::unknown);
    CHECK(rig.counters().answered == 1);  // the sign-on
    CHECK(rig.sink.replies().empty());
    CHECK(
        notices.all() ==
        std::vector<std::string>{
            "iso8583.bad_mac 0110: missing",
            "iso8583.bad_mac 0110: wrong",
            "iso8583.bad_mac 0800: missing"
        }
    );
    auto again = rig.authorise(18);
    host.answer(*host.receive(), "05");
    CHECK(again.get().outcome == Outcome::declined);
}

TEST_CASE("a link gets its key after the sign-on, and requests wait for it") {
    ScriptedHost host;
    host.keys.emplace(exchanged_mac());
    auto options = impatient(host);
    options.link.mac = exchanged_mac();
    options.authorise_timeout_ms = 10'000;
    options.link.network_timeout_ms = 10'000;
    Rig rig{options};
    host.sign_on();
    auto const asking = host.receive();
    REQUIRE(asking);
    CHECK(asking->get(70) == "101");
    CHECK_FALSE(asking->has(128));
    CHECK_FALSE(rig.connector.health().ready);
    CHECK(rig.connector.health().detail == "waiting for a key");
    auto reply = rig.authorise(17);
    CHECK(reply.wait_for(std::chrono::milliseconds{50}) == std::future_status::timeout);
    CHECK(rig.counters().not_sent == 0);
    host.send(key_answer(*asking, *host.keys, kFirstKey));
    host.keys->install(kFirstKey, std::chrono::steady_clock::now());
    auto const request = host.receive();  // its MAC is checked
    REQUIRE(request);
    CHECK(request->mti() == "0100");
    host.answer(*request, "00");
    CHECK(reply.get().outcome == Outcome::approved);
    CHECK(rig.connector.health().ready);

    // The sign-off bears one too.
    auto stopped = rig.callers.spawn(rig.connector.stop());
    rig.stopped = true;
    auto const sign_off = host.receive();
    REQUIRE(sign_off);
    CHECK(sign_off->has(128));
    host.answer(*sign_off, "00");
    stopped.get();
}

TEST_CASE("the host sends a new key, and what was outstanding is answered under the old one") {
    ScriptedHost host;
    host.keys.emplace(exchanged_mac());
    Notices notices;
    auto options = impatient(host);
    options.link.mac = exchanged_mac();
    options.link.on_notice = std::ref(notices);
    options.authorise_timeout_ms = 10'000;
    SUBCASE("within the time of grace") {
        options.link.mac.grace_ms = 60'000;
    }
    SUBCASE("after it") {
        options.link.mac.grace_ms = 0;
    }
    bool const is_good = options.link.mac.grace_ms != 0;
    Rig rig{options};
    sign_on_with_key(host, kFirstKey);
    REQUIRE(rig.is_ready());
    auto first = rig.authorise(1);
    auto const first_request = host.receive();
    auto const old_answer =
        *host.keys->encode(ScriptedHost::answer_to(*first_request, "00"), default_packaging());

    Message change{"0800"};
    change.set(7, "1124130405");
    change.set_stan(7);
    change.set(70, "101");
    auto damaged = change;
    auto const& place = default_packaging().elements.key_block;
    auto const block = *host.keys->block_of(kSecondKey);
    REQUIRE(add_element(damaged, place, "00" + block.substr(2)));
    host.send(damaged);
    CHECK(host.receive()->get(39) == "12");
    REQUIRE(add_element(change, place, block));
    host.send(change);
    auto const accepted = host.receive();  // under the old key
    REQUIRE(accepted);
    CHECK(accepted->mti() == "0810");
    CHECK(accepted->get(39) == "00");
    CHECK_FALSE(accepted->has(48));
    host.keys->install(kSecondKey, std::chrono::steady_clock::now());

    host.send_bytes(*frame(old_answer, default_packaging()));
    if (is_good) {
        CHECK(first.get().outcome == Outcome::approved);
    } else {
        REQUIRE(eventually([&] { return rig.counters().bad_mac == 1; }));
        host.answer(*first_request, "00");
        CHECK(first.get().outcome == Outcome::approved);
    }
    auto second = rig.authorise(2);
    host.answer(*host.receive(), "05");
    CHECK(second.get().outcome == Outcome::declined);
    CHECK(rig.counters().bad_mac == (is_good ? 0 : 1));
    auto const said = notices.all();
    REQUIRE(said.size() >= 3);
    CHECK(said[0].starts_with("iso8583.key_changed 127.0.0.1:"));
    CHECK(said[1].starts_with("iso8583.key_refused "));
    CHECK(said[2].starts_with("iso8583.key_changed "));
    for (auto const& each : said) {
        CHECK(each.find(block.substr(0, 8)) == std::string::npos);
    }
}

TEST_CASE("a key that does not come, is refused or does not open ends the connection") {
    ScriptedHost host;
    host.keys.emplace(exchanged_mac());
    auto options = impatient(host);
    options.link.mac = exchanged_mac();
    options.authorise_timeout_ms = 10'000;
    Rig rig{options};
    host.sign_on();
    auto asking = host.receive();
    REQUIRE(asking);
    auto waiting = rig.authorise(1);
    SUBCASE("never") {}
    SUBCASE("refused") {
        host.answer(*asking, "12");
    }
    SUBCASE("without a key block") {
        host.answer(*asking, "00");
    }
    SUBCASE("under another key") {
        auto other = exchanged_mac();
        other.key_encryption_key = kSecondKey;
        host.send(key_answer(*asking, MacKeys{other}, kFirstKey));
    }
    CHECK(waiting.get().outcome == Outcome::not_sent);
    CHECK_FALSE(host.receive());
    CHECK(rig.counters().signed_on == 0);
    sign_on_with_key(host, kFirstKey);
    CHECK(rig.is_ready());
}

TEST_CASE("a new connection gets a new key, and an old answer on it counts for the time of grace") {
    ScriptedHost host;
    host.keys.emplace(exchanged_mac());
    auto options = impatient(host);
    options.link.mac = exchanged_mac();
    options.authorise_timeout_ms = 10'000;
    Rig rig{options};
    sign_on_with_key(host, kFirstKey);
    REQUIRE(rig.is_ready());
    auto reply = rig.authorise(1);
    auto const answer = *frame(
        *host.keys->encode(ScriptedHost::answer_to(*host.receive(), "00"), default_packaging()),
        default_packaging()
    );
    host.reset();
    CHECK(reply.get().outcome == Outcome::unknown);
    host.keys->start_connection(std::chrono::steady_clock::now());
    sign_on_with_key(host, kSecondKey);
    REQUIRE(rig.is_ready());
    host.send_bytes(answer);
    REQUIRE(eventually([&] { return rig.sink.replies().size() == 1; }));
    CHECK(rig.counters().bad_mac == 0);
    CHECK(rig.sink.replies()[0].reply.outcome == Outcome::approved);
}

TEST_CASE("a host that sends a key to a link without one is told that it does not take it") {
    ScriptedHost host;
    Rig rig{impatient(host)};
    host.sign_on();
    REQUIRE(rig.is_ready());
    Message change{"0800"};
    change.set(7, "1124130405");
    change.set_stan(7);
    change.set(70, "101");
    REQUIRE(add_element(
        change,
        default_packaging().elements.key_block,
        *MacKeys{exchanged_mac()}.block_of(kFirstKey)
    ));
    host.send(change);
    CHECK(host.receive()->get(39) == "12");
}

TEST_CASE("a link that never got through stops at once, and stopping twice is stopping once") {
    ScriptedHost host;
    auto options = options_for(host);
    options.link.network_timeout_ms = 60'000;
    options.link.reconnect_min_ms = 60'000;
    Rig rig{options};
    SUBCASE("while it waits for the answer to its sign-on") {
        host.accept();
        REQUIRE(host.receive());
    }
    SUBCASE("while it pauses before the next try") {
        host.accept();
        REQUIRE(host.receive());
        host.reset();
        REQUIRE(eventually([&] { return rig.counters().disconnected == 1; }));
    }
    auto first = rig.callers.spawn(rig.connector.stop());
    auto second = rig.callers.spawn(rig.connector.stop());
    rig.stopped = true;
    auto const patience = std::chrono::seconds{kPatienceSeconds};
    CHECK(first.wait_for(patience) == std::future_status::ready);
    CHECK(second.wait_for(patience) == std::future_status::ready);
    CHECK(rig.authorise(1).get().outcome == Outcome::not_sent);
}

TEST_CASE("totals are answered like everything else, and a repeat by the answer to the first") {
    ScriptedHost host;
    auto options = impatient(host);
    options.capture_timeout_ms = 500;
    Rig rig{options};
    host.sign_on();
    REQUIRE(rig.is_ready());
    TotalsRequest request{
        .identity = identity(17),
        .date = "2026-11-23",
        .currency = *Currency::from_alphabetic("EUR"),
        .totals = {},
    };
    request.totals.debits_number = 1;
    request.totals.debits_amount = 4500;
    auto unanswered = rig.callers.spawn(rig.connector.compare_totals(request));
    auto const first = host.receive();
    REQUIRE(first);
    CHECK(first->mti() == "0500");
    CHECK(unanswered.get().end == TotalsReply::End::unanswered);
    request.repeat = true;
    auto answered = rig.callers.spawn(rig.connector.compare_totals(request));
    auto const again = host.receive();
    REQUIRE(again);
    CHECK(again->mti() == "0501");
    auto answer = *first;  // late, and still the answer
    answer.set_mti("0510");
    answer.set(66, "1");
    host.send(answer);
    auto const reply = answered.get();
    CHECK(reply.end == TotalsReply::End::answered);
    CHECK(reply.claim == BalanceClaim::in_balance);
    CHECK(reply.totals == said(request.totals));
}

TEST_CASE("totals without a link are not sent") {
    ScriptedHost host;
    Rig rig{impatient(host)};
    TotalsRequest const request{
        .identity = identity(17),
        .date = "2026-11-23",
        .currency = *Currency::from_alphabetic("EUR"),
        .totals = {},
    };
    auto const reply = rig.callers.spawn(rig.connector.compare_totals(request)).get();
    CHECK(reply.end == TotalsReply::End::not_sent);
    CHECK_FALSE(reply.detail.empty());
}
