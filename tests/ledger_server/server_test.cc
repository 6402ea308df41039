// Who may connect, and the client against a server, over both ways.
#include "crypto/certificates.h"
#include "crypto/tls.h"
#include "tests/ledger_server/rig.h"

#include <boost/asio/ssl/context.hpp>

#include <atomic>
#include <fstream>
#include <set>
#include <sys/stat.h>

using namespace florin;
using namespace florin::ledger_server;
using namespace florin::ledger_server::test;
namespace fs = std::filesystem;

namespace {

constexpr char const* kToken = "a token of tests, long enough";

// TLS as well, with a certificate of an authority that is in `ca`.
struct TlsRig {
    TlsRig() {
        auto const now = static_cast<std::int64_t>(SystemClock{}.wall_ns() / 1'000'000'000);
        auto const authority = must(crypto::make_ca("test", {now - 60, now + 3'600}));
        auto const mine =
            must(crypto::make_server_certificate(authority, {"127.0.0.1"}, {now - 60, now + 3'600})
            );
        ca = folder.path() / "ca.pem";
        std::ofstream{ca} << authority.certificate_pem;
        ServerOptions options;
        options.address = "127.0.0.1";
        options.tls = must(crypto::make_server_context(mine.certificate_pem, mine.key_pem));
        options.tokens_sha256 = {crypto::sha256("the token of before"), crypto::sha256(kToken)};
        options.threads = 2;
        server = must(Server::start(options, ledger));
    }
    TlsRig(TlsRig const&) = delete;
    TlsRig& operator=(TlsRig const&) = delete;
    ~TlsRig() {
        server->stop_accepting();
        ledger.stop();
        server->stop();
    }
    Result<std::unique_ptr<Client>> client(std::string_view token) const {
        return Client::connect({
            .connect = "tls:127.0.0.1:" + std::to_string(server->port()),
            .ca_file = ca,
            .token = ledger_client::Token{token},
            .timeout_ms = 20'000,
        });
    }

    florin::test::TempDir folder;
    FakeLedger ledger{echo};
    fs::path ca;
    std::unique_ptr<Server> server;
};

std::vector<Transfer> numbered(std::uint64_t first, std::size_t count) {
    std::vector<Transfer> transfers(count);
    for (std::size_t i = 0; i < count; ++i) {
        transfers[i].id = first + i;
    }
    return transfers;
}

// Several batches of the most events under way; each result must be its own event's.
void pipeline(Client& client, std::uint64_t batches) {
    std::vector<ledger_client::Ticket<protocol::EventResult>> sent;
    for (std::uint64_t batch = 0; batch < batches; ++batch) {
        sent.push_back(
            must(client.send_transfers(numbered(1 + batch * 8'189, ledger::kBatchEventsMax)))
        );
    }
    // In any order.
    std::uint64_t wrong = 0;
    for (std::uint64_t batch = batches; batch-- > 0;) {
        auto const results = must(client.wait(sent[batch]));
        REQUIRE(results.size() == ledger::kBatchEventsMax);
        for (std::size_t i = 0; i < results.size(); ++i) {
            wrong += results[i].timestamp != 1 + batch * 8'189 + i;
        }
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("the socket is its user's alone") {
    Rig rig{echo};
    struct stat found{};
    REQUIRE(::stat(rig.options.socket.c_str(), &found) == 0);
    CHECK(S_ISSOCK(found.st_mode));
    CHECK((found.st_mode & 0777) == 0600);
    // The kernel says whose process it is; here the server is told to be another's.
    ServerOptions other = rig.options;
    other.socket = rig.folder.path() / "other";
    other.peer_uid = ::geteuid() + 1;
    auto const server = must(Server::start(other, rig.ledger));
    RawClient client{other.socket};
    REQUIRE(client.connected());
    auto const told = client.read();
    REQUIRE(told.has_value());
    CHECK(told->error() == ErrorCode::unauthenticated);
    CHECK(client.at_end());
    auto const refused = Client::connect({.connect = "unix:" + other.socket.string()});
    REQUIRE(!refused.has_value());
    CHECK(refused.error().code == Errc::refused);
    CHECK(server->figures().refused == 2);
    CHECK(rig.ledger.submitted() == 0);
    server->stop();
}

TEST_CASE("a socket that nobody listens on is replaced, anything else is not") {
    Rig rig{echo};
    auto const refusal = [&](fs::path const& path) {
        ServerOptions options = rig.options;
        options.socket = path;
        auto const started = Server::start(options, rig.ledger);
        REQUIRE(!started.has_value());
        return started.error();
    };
    auto const taken = refusal(rig.options.socket);
    CHECK(taken.code == Errc::already_held);
    CHECK(taken.context.find("another process listens on it") != std::string::npos);
    CHECK(must(must(rig.client())->head()).sequence == 7);

    fs::path const file = rig.folder.path() / "file";
    std::ofstream{file} << "mine";
    CHECK(refusal(file).context.find("is no socket") != std::string::npos);
    CHECK(fs::file_size(file) == 4);
    CHECK(refusal(rig.folder.path() / "no" / "socket").code == Errc::io);
    CHECK(refusal(rig.folder.path() / std::string(120, 's')).code == Errc::out_of_range);

    // As a process leaves it that was killed.
    fs::path const stale = rig.folder.path() / "stale";
    int const fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    stale.string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0);
    ::close(fd);
    ServerOptions options = rig.options;
    options.socket = stale;
    auto const server = must(Server::start(options, rig.ledger));
    CHECK(Client::connect({.connect = "unix:" + stale.string()}).has_value());
    // Somebody else's socket in its place is left alone at the end.
    fs::remove(stale);
    std::ofstream{stale} << "another";
    server->stop();
    CHECK(fs::exists(stale));
}

TEST_CASE("connections beyond the limit are told so") {
    Rig rig{echo, {.connections_max = 2}};
    RawClient const one = rig.open();
    RawClient const two = rig.open();
    auto const third = rig.client();
    REQUIRE(!third.has_value());
    CHECK(third.error().code == Errc::overloaded);
    CHECK(third.error().context == "overloaded: 2 connections are open already");
}

TEST_CASE("the client sends ahead and takes answers in any order") {
    Rig rig{echo};
    auto const client = must(rig.client());
    pipeline(*client, 30);
    CHECK(client->server().in_flight_max == 8);
    auto const ticket = must(client->send_head());
    CHECK(must(client->wait(ticket)).at(0).hash[0] == 0xab);
    auto const again = client->wait(ticket);
    REQUIRE(!again.has_value());
    CHECK(again.error().code == Errc::not_found);
    CHECK(must(client->create_transfers({})).empty());
    auto const too_many = client->create_transfers(numbered(1, 8'190));
    REQUIRE(!too_many.has_value());
    CHECK(too_many.error().code == Errc::malformed);
    // A refusal is that request's alone.
    auto const failed = client->query_accounts({});
    REQUIRE(!failed.has_value());
    CHECK(failed.error().code == Errc::io);
    CHECK(must(client->create_transfers(numbered(5, 2))).at(1).timestamp == 6);
}

TEST_CASE("the client says what became of its connection") {
    Rig rig;
    auto const client = must(rig.client());
    auto const ticket = must(client->send_transfers(numbered(1, 10)));
    rig.ledger.wait_submitted(1);
    std::thread stopping{[&] { rig.stop(); }};
    // The ledger stops without having decided it: the outcome is not known.
    auto const answer = client->wait(ticket);
    REQUIRE(!answer.has_value());
    CHECK(answer.error().code == Errc::closed);
    stopping.join();
    CHECK(client->head().error().code == Errc::closed);
    auto const nobody = rig.client();
    REQUIRE(!nobody.has_value());
    CHECK(nobody.error().code == Errc::closed);
    CHECK(Client::connect({.connect = "http:x"}).error().code == Errc::malformed);
    CHECK(Client::connect({.connect = "tls:1"}).error().code == Errc::malformed);
}

TEST_CASE("the client gives up waiting when it was told to") {
    Rig rig;
    auto const client =
        must(Client::connect({.connect = "unix:" + rig.options.socket.string(), .timeout_ms = 50}));
    auto const answer = client->create_transfers(numbered(1, 10));
    REQUIRE(!answer.has_value());
    CHECK(answer.error().code == Errc::timeout);
    CHECK(client->head().error().code == Errc::timeout);
}

TEST_CASE("TLS: the right token opens, a wrong one does not") {
    TlsRig rig;
    auto const client = must(rig.client(kToken));
    pipeline(*client, 12);
    CHECK(rig.client("the token of before").has_value());
    for (std::string_view const token :
         {"", "a token of tests, long enougH", "a token of tests, long enough ", "short"}) {
        auto const refused = rig.client(token);
        CAPTURE(token);
        REQUIRE(!refused.has_value());
        CHECK(refused.error().code == Errc::refused);
    }
    CHECK(rig.server->figures().refused == 4);
    // The certificate is looked at, too.
    std::ofstream{rig.ca} << must(crypto::make_ca("other", {0, 4'000'000'000})).certificate_pem;
    auto const stranger = rig.client(kToken);
    REQUIRE(!stranger.has_value());
    CHECK(stranger.error().context.find("TLS") != std::string::npos);
    ServerOptions bare;
    bare.address = "127.0.0.1";
    CHECK(Server::start(bare, rig.ledger).error().code == Errc::malformed);
}

TEST_CASE("64 clients at once each get their own answers") {
    Rig rig{echo};
    rig.stop();
    Rig many{echo, {.connections_max = 64}};
    many.server->stop();
    many.options.threads = 3;
    many.start();
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (std::uint64_t number = 0; number < 64; ++number) {
        threads.emplace_back([&many, &wrong, number] {
            auto const client = many.client();
            if (!client) {
                ++wrong;
                return;
            }
            std::vector<ledger_client::Ticket<protocol::EventResult>> sent;
            for (std::uint64_t round = 0; round < 20; ++round) {
                auto const ticket =
                    (*client)->send_transfers(numbered(number * 1'000'000 + round * 100, 50));
                wrong += !ticket;
                sent.push_back(ticket.value_or(ledger_client::Ticket<protocol::EventResult>{}));
            }
            for (std::uint64_t round = 0; round < 20; ++round) {
                auto const results = (*client)->wait(sent[round]);
                wrong += !results || results->size() != 50 ||
                         results->at(49).timestamp != number * 1'000'000 + round * 100 + 49;
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    CHECK(wrong == 0);
    CHECK(many.server->figures().events == 64 * 20 * 50);
}
