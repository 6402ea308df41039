// A server on a Unix socket of the test's own, and a client that sends whatever bytes it likes.
#pragma once

#include "daemon/ledger_server/server.h"
#include "ledger/protocol.h"
#include "tests/ledger_server/fake_ledger.h"
#include "tests/support/temp_dir.h"
#include "tools/ledger_client/ledger_client.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace florin::ledger_server::test {

namespace protocol = ledger::protocol;
using ledger::Account;
using ledger::CreateTransferStatus;
using ledger::Transfer;
using ledger_client::Client;
using protocol::ErrorCode;
using protocol::FrameHeader;
using protocol::Operation;

template <class Value>
Value must(Result<Value> result) {
    REQUIRE_MESSAGE(result.has_value(), (result ? "" : to_string(result.error())));
    return std::move(*result);
}

// A frame as it goes over the wire.
inline std::string frame(
    Operation operation, std::uint64_t id, std::uint32_t count, ByteView body
) {
    FrameHeader header;
    header.operation = static_cast<std::uint16_t>(operation);
    header.count = count;
    header.request_id = id;
    std::string bytes{protocol::bytes_of(protocol::seal(header, body))};
    bytes += body;
    return bytes;
}
inline std::string hello_frame(std::uint64_t id = 1) {
    protocol::Hello const hello;
    return frame(Operation::hello, id, 1, protocol::bytes_of(hello));
}
inline std::string transfers_frame(std::uint64_t id, std::size_t count) {
    std::vector<Transfer> const transfers(count);
    return frame(
        Operation::create_transfers,
        id,
        static_cast<std::uint32_t>(count),
        protocol::bytes_of(std::span{transfers})
    );
}

struct Frame {
    FrameHeader header;
    std::string body;
    ErrorCode error() const { return static_cast<ErrorCode>(header.error); }
};

// A connection by hand. Whoever waits longer than 20 seconds has found a bug.
class RawClient {
public:
    explicit RawClient(std::filesystem::path const& path)
        : fd_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.string().copy(address.sun_path, sizeof address.sun_path - 1);
        timeval const limit{.tv_sec = 20, .tv_usec = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        connected_ =
            ::connect(fd_, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0;
    }
    RawClient(RawClient&& other) noexcept
        : fd_{std::exchange(other.fd_, -1)}, connected_{other.connected_} {}
    RawClient(RawClient const&) = delete;
    RawClient& operator=(RawClient const&) = delete;
    ~RawClient() { close(); }

    bool connected() const { return connected_; }
    void close() {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }
    void finish_writing() { ::shutdown(fd_, SHUT_WR); }

    // False where the other side takes no more.
    bool send(ByteView bytes) {
        while (!bytes.empty()) {
            auto const sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return false;
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    // As many as the socket takes without waiting.
    std::size_t send_some(ByteView bytes) {
        auto const sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return sent < 0 ? 0 : static_cast<std::size_t>(sent);
    }

    // nullopt: the connection ended.
    std::optional<Frame> read() {
        std::string bytes = read_bytes(sizeof(FrameHeader));
        if (bytes.size() < sizeof(FrameHeader)) {
            return std::nullopt;
        }
        Frame frame;
        frame.header = must(protocol::read_header(bytes));
        frame.body = read_bytes(frame.header.body_length);
        must_be(protocol::check_body(frame.header, frame.body));
        return frame;
    }
    // Nothing more comes: the other side has closed.
    bool at_end() { return read_bytes(1).empty(); }

private:
    static void must_be(Result<void> const& result) { REQUIRE(result.has_value()); }
    std::string read_bytes(std::size_t count) {
        std::string bytes;
        while (bytes.size() < count) {
            std::string piece(count - bytes.size(), '\0');
            auto const got = ::recv(fd_, piece.data(), piece.size(), 0);
            REQUIRE_MESSAGE((got >= 0 || errno == ECONNRESET), "nothing came for 20 seconds");
            if (got <= 0) {
                break;
            }
            bytes.append(piece, 0, static_cast<std::size_t>(got));
        }
        return bytes;
    }

    int fd_;
    bool connected_ = false;
};

struct Rig {
    explicit Rig(FakeLedger::Decide decide = {}, ServerLimits limits = {})
        : ledger{std::move(decide)} {
        options.socket = folder.path() / "socket";
        options.peer_uid = ::geteuid();
        options.software = "florind test";
        options.limits = limits;
        // What a test leaves unanswered is not waited for.
        options.limits.stop_ms = std::min<std::uint64_t>(limits.stop_ms, 200);
        start();
    }
    Rig(Rig const&) = delete;
    Rig& operator=(Rig const&) = delete;
    ~Rig() { stop(); }

    void start() { server = must(Server::start(options, ledger)); }
    void stop() {
        if (server) {
            server->stop_accepting();
            ledger.stop();
            server->stop();
        }
    }
    RawClient raw() const {
        RawClient client{options.socket};
        REQUIRE(client.connected());
        return client;
    }
    // With its hello answered.
    RawClient open() const {
        RawClient client = raw();
        REQUIRE(client.send(hello_frame()));
        auto const answer = client.read();
        REQUIRE(answer.has_value());
        REQUIRE(answer->header.error == 0);
        return client;
    }
    Result<std::unique_ptr<Client>> client() const {
        return Client::connect({.connect = "unix:" + options.socket.string(), .timeout_ms = 20'000}
        );
    }
    // Until every connection is gone.
    void wait_gone() const {
        while (server->figures().connections > 0) {
            std::this_thread::yield();
        }
    }

    florin::test::TempDir folder;
    FakeLedger ledger;
    ServerOptions options;
    std::unique_ptr<Server> server;
};

// Answers each create with as many results, whose timestamps are the events' ids.
inline Result<ledger::Answer> echo(ledger::Request const& request) {
    if (auto const* const create = std::get_if<ledger::CreateTransfers>(&request)) {
        ledger::CreateTransfersAnswer answer;
        for (Transfer const& event : create->events) {
            answer.results.push_back({CreateTransferStatus::created, low_bits(event.id)});
        }
        return answer;
    }
    if (auto const* const lookup = std::get_if<ledger::LookupAccounts>(&request)) {
        ledger::AccountsAnswer answer;
        for (u128 const id : lookup->ids) {
            answer.accounts.emplace_back().id = id;
        }
        return answer;
    }
    return fail(Errc::io, "the fake ledger does not do this");
}

inline ledger::CreateTransfersAnswer results(std::size_t count, std::uint64_t timestamp) {
    ledger::CreateTransfersAnswer answer;
    answer.results.assign(count, {CreateTransferStatus::created, timestamp});
    return answer;
}

}  // namespace florin::ledger_server::test
