// The HTTPS server: N threads, each with its own io_context; a connection stays where it was
// accepted, so nothing of it needs a lock.
//
// Each thread has an acceptor of its own on the same port (SO_REUSEPORT): the kernel spreads new
// connections, and no socket is handed between threads. Limits and deadlines bound what one client
// can hold. stop() is graceful: no new connections, requests in flight are answered, idle
// connections are closed, all within a deadline.
#pragma once

#include "daemon/http/message.h"
#include "ledger/base/result.h"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace boost::asio::ssl {
class context;
}

namespace florin::http {

struct ServerLimits {
    std::size_t header_bytes_max = 32 * 1024;  // more: 431
    std::size_t body_bytes_max = 1024 * 1024;  // more: 413
    std::size_t connections_max = 12'000;      // more: closed at once
    std::uint64_t handshake_ms = 10'000;
    std::uint64_t request_ms = 30'000;  // from a request's first byte to its last
    std::uint64_t idle_ms = 120'000;    // between requests
    std::uint64_t write_ms = 30'000;
    std::uint64_t stop_ms = 8'000;  // for requests in flight when stopping
};

struct ServerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  // 0: any free one
    unsigned threads = 1;
    ServerLimits limits;
    std::shared_ptr<boost::asio::ssl::context> tls;
};

// Thread rule: start and stop from one thread; figures from any.
class Server {
public:
    // `handler` outlives the server. Errc::io names the address where it cannot listen.
    static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler const& handler);

    Server() = default;
    Server(Server const&) = delete;
    Server& operator=(Server const&) = delete;
    virtual ~Server() = default;  // stops

    virtual std::uint16_t port() const = 0;
    // An executor on one of the server's threads, for work beside connections. `index` modulo the
    // number of threads.
    virtual boost::asio::any_io_executor executor(unsigned index) = 0;
    // Idempotent. Returns when every connection is closed; the threads still run until the end, so
    // that what waits for the ledger can finish.
    virtual void stop_accepting() = 0;
    virtual void stop() = 0;

    struct Figures {
        std::uint64_t connections = 0;  // open now
        std::uint64_t accepted = 0;
        std::uint64_t refused = 0;  // over the limit
        std::uint64_t handshakes_failed = 0;
        std::uint64_t requests = 0;
        std::uint64_t malformed = 0;
    };
    virtual Figures figures() const = 0;
};

}  // namespace florin::http
