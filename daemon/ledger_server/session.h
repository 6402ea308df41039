// One connection of a ledger client. Included by server.cc and session.cc only.
#pragma once

#include "daemon/ledger_server/server.h"
#include "ledger/protocol.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <atomic>
#include <unordered_set>

namespace florin::ledger_server {

struct Counters {
    std::atomic<std::uint64_t> connections = 0;
    std::atomic<std::uint64_t> accepted = 0;
    std::atomic<std::uint64_t> refused = 0;
    std::atomic<std::uint64_t> requests = 0;
    std::atomic<std::uint64_t> events = 0;
    std::atomic<std::uint64_t> errors = 0;
};

class AnySession {
public:
    AnySession() = default;
    AnySession(AnySession const&) = delete;
    AnySession& operator=(AnySession const&) = delete;
    virtual ~AnySession() = default;
    // Reads no more; what is in flight is answered, then the connection ends.
    virtual void stop() = 0;
};

// What a thread's connections share. Lives on that thread, apart from the counters.
struct Lane {
    boost::asio::io_context& context;
    ServerOptions const& options;
    ledger::Ledger& ledger;
    Counters& counters;
    bool stopping = false;
    std::unordered_set<AnySession*> sessions;
};

// Takes a connection over, on the lane's thread, to its end. Counters::connections has it already.
void start_session(boost::asio::local::stream_protocol::socket socket, Lane& lane);
void start_session(boost::asio::ip::tcp::socket socket, Lane& lane);

}  // namespace florin::ledger_server
