// A connection byte by byte: order, back-pressure, and everything that a client can do wrong.
#include "tests/ledger_server/rig.h"

using namespace florin;
using namespace florin::ledger_server;
using namespace florin::ledger_server::test;

TEST_CASE("a hello is answered with limits and identity, a head with the journal's end") {
    Rig rig;
    RawClient client = rig.raw();
    REQUIRE(client.send(hello_frame(9)));
    auto const answer = client.read();
    REQUIRE(answer.has_value());
    CHECK(answer->header.request_id == 9);
    CHECK(answer->header.operation == 0x8001);
    protocol::HelloAnswer hello;
    REQUIRE(answer->body.size() == sizeof hello);
    std::memcpy(&hello, answer->body.data(), sizeof hello);
    CHECK(hello.version == 1);
    CHECK(hello.events_max == 8'189);
    CHECK(hello.body_bytes_max == 1U << 20U);
    CHECK(hello.in_flight_max == 8);
    CHECK(hello.ledger_id == rig.ledger.id());
    CHECK(std::string{hello.software.data()} == "florind test");
    REQUIRE(client.send(frame(Operation::head, 10, 0, {})));
    auto const head = client.read();
    REQUIRE(head.has_value());
    CHECK(head->header.request_id == 10);
    CHECK(to_hex(head->body.substr(0, 10)) == "0700000000000000abab");
}

TEST_CASE("answers come in the order of the requests, whatever the ledger's order") {
    Rig rig;
    RawClient client = rig.open();
    for (std::uint64_t id = 2; id < 6; ++id) {
        REQUIRE(client.send(transfers_frame(id, 1)));
    }
    REQUIRE(client.send(frame(Operation::head, 6, 0, {})));
    rig.ledger.wait_submitted(4);
    for (std::uint64_t n = 0; n < 4; ++n) {
        rig.ledger.answer_last(results(1, 5 - n));
    }
    for (std::uint64_t id = 2; id < 6; ++id) {
        auto const answer = client.read();
        REQUIRE(answer.has_value());
        CHECK(answer->header.request_id == id);
        CHECK(answer->body[0] == static_cast<char>(id));
    }
    CHECK(client.read()->header.request_id == 6);
}

TEST_CASE("of a flood no more than in_flight_max requests are read before the first answer") {
    Rig rig{{}, {.in_flight_max = 3}};
    RawClient client = rig.open();
    std::string flood;
    for (std::uint64_t id = 2; id < 42; ++id) {
        flood += transfers_frame(id, 100);
    }
    std::thread writer{[&] { CHECK(client.send(flood)); }};
    for (std::uint64_t id = 2; id < 42; ++id) {
        // What is answered makes room for one more, and not for two.
        rig.ledger.wait_submitted(std::min<std::uint64_t>(40, id + 1));
        CHECK(rig.server->figures().requests <= id + 1);
        CHECK(rig.ledger.submitted() <= id + 1);
        rig.ledger.answer_one(results(100, id));
        auto const answer = client.read();
        REQUIRE(answer.has_value());
        CHECK(answer->header.request_id == id);
    }
    writer.join();
    CHECK(rig.ledger.submitted() == 40);
}

TEST_CASE("a client that takes no answers is not read from, and holds up nobody else") {
    Rig rig{echo, {.in_flight_max = 2}};
    RawClient lazy = rig.open();
    std::vector<u128> const ids(8'000, 5);
    std::string const request =
        frame(Operation::lookup_accounts, 2, 8'000, protocol::bytes_of(std::span{ids}));
    // Each answer is a megabyte: the socket's buffers are full after a few.
    std::size_t sent = 0;
    std::uint64_t before = 0;
    do {
        before = rig.ledger.submitted();
        for (int i = 0; i < 64; ++i) {
            sent += lazy.send_some(request);
        }
        auto const other = must(rig.client());
        CHECK(must(other->lookup_accounts(ids)).size() == 8'000);
    } while (rig.ledger.submitted() > before + 1);
    CHECK(rig.ledger.submitted() < sent / request.size() + 10);
}

TEST_CASE("a frame cut at any byte executes nothing, and what came before is answered") {
    std::string const whole = transfers_frame(3, 1);
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        Rig rig{echo};
        RawClient client = rig.open();
        REQUIRE(client.send(transfers_frame(2, 1)));
        REQUIRE(client.send(ByteView{whole}.substr(0, cut)));
        client.finish_writing();
        auto const answer = client.read();
        CAPTURE(cut);
        REQUIRE(answer.has_value());
        CHECK(answer->header.request_id == 2);
        CHECK(client.at_end());
        CHECK(rig.ledger.submitted() == 1);
        cut += cut > 70 ? 6 : 0;
    }
}

TEST_CASE("a hello cut at any byte is nobody's connection") {
    Rig rig{echo};
    std::string const whole = hello_frame();
    for (std::size_t cut = 0; cut < whole.size(); cut += 5) {
        RawClient client = rig.raw();
        REQUIRE(client.send(ByteView{whole}.substr(0, cut)));
        client.finish_writing();
        CHECK(client.at_end());
    }
    rig.wait_gone();
}

TEST_CASE("a request that was read whole is decided, though its client has gone") {
    Rig rig;
    {
        RawClient client = rig.open();
        REQUIRE(client.send(transfers_frame(2, 3)));
        rig.ledger.wait_submitted(1);
    }
    rig.ledger.answer_one(results(3, 1));
    rig.wait_gone();
    CHECK(rig.ledger.submitted() == 1);
}

TEST_CASE("what is wrong with one request leaves the connection and the others alone") {
    struct Row {
        std::string bytes;
        ErrorCode code;
        std::string text;
    };
    std::string wrong_checksum = transfers_frame(3, 2);
    wrong_checksum.back() = 1;
    std::string const id(16, 'i');
    std::string const filter(127, '\0');
    std::string const reserved = filter.substr(0, 60) + "x" + filter.substr(0, 67);
    std::string const too_many(8'190 * 16, '\0');
    Row const rows[] = {
        {wrong_checksum, ErrorCode::malformed, "the checksum of the body differs"},
        {frame(Operation::create_transfers, 3, 2, id), ErrorCode::malformed, "2 elements of 128"},
        {frame(Operation::lookup_accounts, 3, 8'190, too_many), ErrorCode::too_many_events, "8190"},
        {frame(static_cast<Operation>(99), 3, 1, id), ErrorCode::unknown_operation, "operation 99"},
        {frame(static_cast<Operation>(0x8011), 3, 0, {}), ErrorCode::unknown_operation, "operation"
        },
        {frame(Operation::get_account_transfers, 3, 1, reserved), ErrorCode::malformed, "reserved"},
        {hello_frame(3), ErrorCode::malformed, "a hello comes once"},
        {frame(Operation::head, 3, 1, {}), ErrorCode::malformed, "takes no elements"},
        {frame(Operation::head, 0, 0, {}), ErrorCode::malformed, "the request_id is 0"},
    };
    Rig rig{echo};
    for (Row const& row : rows) {
        CAPTURE(row.text);
        RawClient client = rig.open();
        REQUIRE(client.send(transfers_frame(2, 1) + row.bytes + transfers_frame(4, 1)));
        CHECK(client.read()->header.error == 0);
        auto const refused = client.read();
        REQUIRE(refused.has_value());
        CHECK(protocol::error_name(refused->error()) == protocol::error_name(row.code));
        CHECK(refused->body.find(row.text) != std::string::npos);
        CHECK(refused->header.count == 0);
        auto const after = client.read();
        REQUIRE(after.has_value());
        CHECK(after->header.request_id == 4);
        CHECK(after->header.error == 0);
    }
}

TEST_CASE("bytes that are no frame end the connection, with a word and after the answers due") {
    struct Row {
        std::string bytes;
        ErrorCode code;
        std::string text;
    };
    auto const changed = [](std::size_t at) {
        std::string bytes = transfers_frame(3, 1);
        bytes[at] = static_cast<char>(bytes[at] ^ 1);
        return bytes;
    };
    FrameHeader huge;
    huge.operation = static_cast<std::uint16_t>(Operation::create_transfers);
    huge.count = 1U << 25U;
    huge.request_id = 3;
    huge.body_length = 0xffffff80;
    huge.header_checksum = crc32c(protocol::bytes_of(huge).substr(0, 60));
    FrameHeader version;
    version.version = 2;
    version.operation = static_cast<std::uint16_t>(Operation::head);
    version.request_id = 3;
    Row const rows[] = {
        {std::string(64, 'g'), ErrorCode::malformed, "does not begin with FLORINLP"},
        {"GET / HTTP/1.1\r\nHost: florin.example\r\nUser-Agent: a browser, perhaps\r\n\r\n",
         ErrorCode::malformed,
         "FLORINLP"},
        {changed(0), ErrorCode::malformed, "FLORINLP"},
        {changed(9), ErrorCode::malformed, "checksum of the frame's header"},
        {changed(24), ErrorCode::malformed, "checksum of the frame's header"},
        {changed(60), ErrorCode::malformed, "checksum of the frame's header"},
        {std::string{protocol::bytes_of(huge)}, ErrorCode::too_many_events, "4294967168 bytes"},
        {std::string{protocol::bytes_of(protocol::seal(version, {}))},
         ErrorCode::unsupported_version,
         "version 2"},
    };
    Rig rig{echo};
    for (Row const& row : rows) {
        CAPTURE(row.text);
        RawClient client = rig.open();
        // More than is read: the client still gets to see why.
        client.send(transfers_frame(2, 1) + row.bytes + std::string(100'000, 'z'));
        CHECK(client.read()->header.request_id == 2);
        auto const told = client.read();
        REQUIRE(told.has_value());
        CHECK(protocol::error_name(told->error()) == protocol::error_name(row.code));
        CHECK(told->body.find(row.text) != std::string::npos);
        CHECK(client.at_end());
    }
    CHECK(rig.ledger.submitted() == std::size(rows));
}

TEST_CASE("without a hello nothing is executed") {
    Rig rig{echo};
    protocol::Hello hello;
    hello.version_min = 2;
    hello.version_max = 3;
    protocol::Hello reserved;
    reserved.reserved[0] = 1;
    struct Row {
        std::string bytes;
        ErrorCode code;
    };
    Row const rows[] = {
        {transfers_frame(1, 1), ErrorCode::unauthenticated},
        {frame(Operation::head, 1, 0, {}), ErrorCode::unauthenticated},
        {frame(Operation::hello, 1, 1, "short"), ErrorCode::unauthenticated},
        {frame(Operation::hello, 1, 1, protocol::bytes_of(hello)), ErrorCode::unsupported_version},
        {frame(Operation::hello, 1, 1, protocol::bytes_of(reserved)), ErrorCode::malformed},
        {frame(Operation::hello, 1, 2, protocol::bytes_of(protocol::Hello{})), ErrorCode::malformed
        },
        {std::string(64, 'g'), ErrorCode::malformed},
    };
    for (Row const& row : rows) {
        RawClient client = rig.raw();
        REQUIRE(client.send(row.bytes));
        auto const told = client.read();
        REQUIRE(told.has_value());
        CHECK(protocol::error_name(told->error()) == protocol::error_name(row.code));
        CHECK(client.at_end());
    }
    CHECK(rig.ledger.submitted() == 0);
}

TEST_CASE("what the ledger could not do is told by number") {
    struct Row {
        Errc ledger;
        ErrorCode told;
    };
    Rig rig;
    RawClient client = rig.open();
    std::uint64_t id = 2;
    for (Row const row : {
             Row{Errc::overloaded, ErrorCode::overloaded},
             {Errc::closed, ErrorCode::closing},
             {Errc::io, ErrorCode::failed},
             {Errc::corrupt, ErrorCode::failed},
             {Errc::out_of_range, ErrorCode::malformed},
         }) {
        REQUIRE(client.send(transfers_frame(id, 1)));
        rig.ledger.wait_submitted(id - 1);
        rig.ledger.answer_one(fail(row.ledger, "because"));
        auto const told = client.read();
        REQUIRE(told.has_value());
        CHECK(told->header.request_id == id++);
        CHECK(protocol::error_name(told->error()) == protocol::error_name(row.told));
        CHECK(told->body == "because");
    }
}

TEST_CASE("who is slow is cut off: before the hello, in a frame, between frames") {
    Rig rig{{}, {.handshake_ms = 60, .request_ms = 60, .idle_ms = 120}};
    RawClient silent = rig.raw();
    CHECK(silent.at_end());
    RawClient drip = rig.raw();
    for (char const byte : hello_frame().substr(0, 40)) {
        if (!drip.send({&byte, 1})) {
            break;
        }
    }
    CHECK(drip.at_end());
    RawClient half = rig.open();
    REQUIRE(half.send(ByteView{transfers_frame(2, 1)}.substr(0, 100)));
    auto const slow = half.read();
    REQUIRE(slow.has_value());
    CHECK(slow->error() == ErrorCode::closing);
    CHECK(slow->header.request_id == 0);
    CHECK(slow->body == "the request came too slowly");
    CHECK(half.at_end());
    // Waiting for the ledger is not idleness.
    RawClient patient = rig.open();
    REQUIRE(patient.send(transfers_frame(2, 1)));
    RawClient idle = rig.open();
    auto const told = idle.read();
    REQUIRE(told.has_value());
    CHECK(told->body == "no request for too long");
    CHECK(idle.at_end());
    rig.ledger.answer_one(results(1, 1));
    CHECK(patient.read()->header.request_id == 2);
    CHECK(patient.read()->body == "no request for too long");
    rig.wait_gone();
}

TEST_CASE("a client that never takes its answers is cut off") {
    Rig rig{echo, {.in_flight_max = 2, .write_ms = 100}};
    RawClient lazy = rig.open();
    std::vector<u128> const ids(8'000, 5);
    std::string const request =
        frame(Operation::lookup_accounts, 2, 8'000, protocol::bytes_of(std::span{ids}));
    while (lazy.send(request)) {
    }
    rig.wait_gone();
}

TEST_CASE("stopping answers what is in flight, says why, and takes the socket away") {
    Rig rig;
    rig.server->stop();
    rig.options.limits.stop_ms = 20'000;
    rig.start();
    RawClient client = rig.open();
    RawClient idle = rig.open();
    RawClient strange = rig.raw();
    REQUIRE(client.send(transfers_frame(2, 1) + transfers_frame(3, 1)));
    rig.ledger.wait_submitted(2);
    std::thread stopping{[&] { rig.server->stop_accepting(); }};
    CHECK(idle.read()->body == "florind is stopping");
    CHECK(idle.at_end());
    rig.ledger.answer_one(results(1, 2));
    CHECK(client.read()->header.request_id == 2);
    rig.ledger.answer_one(results(1, 3));
    CHECK(client.read()->header.request_id == 3);
    auto const last = client.read();
    REQUIRE(last.has_value());
    CHECK(last->error() == ErrorCode::closing);
    CHECK(client.at_end());
    stopping.join();
    CHECK(!std::filesystem::exists(rig.options.socket));
    CHECK(!RawClient{rig.options.socket}.connected());
}
