// The server of the binary batch protocol (ledger/protocol.h): a Unix socket for this user's
// processes on this machine, a TLS port for those that have the token, or both.
//
// What it promises: an answer means that its effects are durable; answers come in the order of the
// requests; a connection holds at most in_flight_max requests and their answers, and is not read
// from while it does. It opens no merchant's books: the caller gives it a kernel-only ledger.
//
// N threads with an io_context each; a connection stays on one for life.
#pragma once

#include "crypto/hash.h"
#include "ledger/ledger.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace boost::asio::ssl {
class context;
}

namespace florin::ledger_server {

struct ServerLimits {
    std::size_t connections_max = 64;     // more are told so and closed
    std::size_t in_flight_max = 8;        // requests of a connection; each holds up to 2 MiB
    std::uint64_t handshake_ms = 10'000;  // from accepting to the end of the hello
    std::uint64_t request_ms = 30'000;    // from a frame's first byte to its last
    std::uint64_t idle_ms = 600'000;      // without a request, when all are answered
    std::uint64_t write_ms = 30'000;      // for an answer that the client does not take
    std::uint64_t stop_ms = 8'000;        // for requests in flight when stopping
};

struct ServerOptions {
    std::filesystem::path socket;                    // empty: no Unix socket
    uid_t peer_uid = 0;                              // whose processes may use it
    std::string address;                             // IP address; empty: no TLS port
    std::uint16_t port = 0;                          // 0: any free one
    std::shared_ptr<boost::asio::ssl::context> tls;  // with an address
    std::vector<crypto::Digest> tokens_sha256;       // with an address: any of them
    unsigned threads = 1;
    std::string software;  // what a hello is answered, at most 32 bytes
    ServerLimits limits;
};

// Thread rule: start and stop from one thread; figures from any.
class Server {
public:
    // `ledger` outlives the server's connections: stop_accepting(), then ledger.stop(), then
    // stop(). Errc::already_held where somebody listens there, Errc::io where it cannot be made.
    static Result<std::unique_ptr<Server>> start(ServerOptions options, ledger::Ledger& ledger);

    Server() = default;
    Server(Server const&) = delete;
    Server& operator=(Server const&) = delete;
    virtual ~Server() = default;  // stops

    // Of the TLS listener; 0 where there is none.
    virtual std::uint16_t port() const = 0;
    // Idempotent, both. The first returns when what was in flight is answered or stop_ms are over;
    // the threads run until the second, so that what waits for the ledger can finish.
    virtual void stop_accepting() = 0;
    virtual void stop() = 0;

    struct Figures {
        std::uint64_t connections = 0;  // open now
        std::uint64_t accepted = 0;
        std::uint64_t refused = 0;   // over the limit, another user, no token
        std::uint64_t requests = 0;  // read whole
        std::uint64_t events = 0;    // elements in them
        std::uint64_t errors = 0;    // answers that are errors
    };
    virtual Figures figures() const = 0;
};

}  // namespace florin::ledger_server
