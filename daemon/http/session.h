// One connection: TLS, limits, deadlines, one request after the other.
// Included by http/server.cc and http/session.cc only, because it names Beast and TLS.
#pragma once

#include "crypto/random.h"
#include "daemon/http/server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
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

// What a thread's connections share. Lives on that thread.
struct Lane {
    ServerOptions const& options;
    Handler const& handler;
    Counters& counters;
    crypto::Random& random;
    bool stopping = false;
    // Connections that wait for a request: closed when stopping.
    std::unordered_set<boost::asio::ip::tcp::socket*> idle;
};

// Runs a connection to its end. Never throws.
boost::asio::awaitable<void> run_session(boost::asio::ip::tcp::socket socket, Lane& lane);

}  // namespace florin::http
