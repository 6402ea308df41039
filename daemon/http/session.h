// One connection: TLS, limits, deadlines, one request after the other.
// Included by http/server.cc and http/session.cc only.
#pragma once

#include "crypto/random.h"
#include "daemon/http/server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <unordered_set>

namespace florin::http {

struct Counters {
    std::atomic<std::uint64_t> connections = 0;
    std::atomic<std::uint64_t> accepted = 0;
    std::atomic<std::uint64_t> refused = 0;
    std::atomic<std::uint64_t> handshakes_failed = 0;
    std::atomic<std::uint64_t> requests = 0;
    std::atomic<std::uint64_t> malformed = 0;
};

using Deadline = std::chrono::steady_clock::time_point;
constexpr Deadline kNoDeadline = Deadline::max();

// A connection as its lane sees it: when it must be done with what it waits for.
struct Watched {
    boost::asio::ip::tcp::socket& socket;
    Deadline deadline = kNoDeadline;
    bool is_late = false;  // the deadline has passed: what waits was cancelled
    bool is_idle = false;  // waits for a request: closed when stopping
};

// What a thread's connections share. Lives on that thread.
struct Lane {
    ServerOptions const& options;
    Handler const& handler;
    Counters& counters;
    crypto::Random& random;
    bool stopping = false;
    std::unordered_set<Watched*> connections;

    // Cancels whatever waits beyond its deadline. To be called every now and then: a timer for each
    // wait of each connection would cost more than what it guards.
    void cut_late(Deadline now);
    // No more requests: idle connections end.
    void stop();
};

// Runs a connection to its end. Never throws.
boost::asio::awaitable<void> run_session(boost::asio::ip::tcp::socket socket, Lane& lane);

}  // namespace florin::http
