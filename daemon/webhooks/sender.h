// One HTTP request to an endpoint: resolve, check the address, connect to exactly that address,
// TLS, send, read the status.
//
// Bounded in everything: one deadline for the whole of it, from looking up the host's name on (as
// long again it may wait for a thread that does), the answer's head, and nothing of its body.
// Redirects are an answer like any other. Proxies of the environment are not used. Thread rule:
// everything on the executor it was made with, but for close(); names are resolved on threads of
// its own ("florin-dns"), since the system's resolver blocks.
#pragma once

#include "daemon/webhooks/rules.h"
#include "ledger/base/result.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace florin::webhooks {

struct SenderOptions {
    std::chrono::milliseconds timeout{10'000};  // for everything together
    bool allow_private = false;                 // loopback, private networks and the like
    std::string extra_ca_pem;                   // trusted beside the system's certificates
};

struct Message {
    std::string owner;  // of the endpoint: owners share what all sends need
    Target target;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

// status 0: there was no answer, `problem` says why, in words of ours that name no secret.
struct SendOutcome {
    int status = 0;
    std::string problem;
    // Nothing was tried, for a reason that is not the endpoint's: to be sent later.
    bool is_put_off = false;
    bool is_delivered() const { return status >= 200 && status < 300; }
};

class Sender {
public:
    Sender() = default;
    Sender(Sender const&) = delete;
    Sender& operator=(Sender const&) = delete;
    virtual ~Sender() = default;

    virtual boost::asio::awaitable<SendOutcome> send(Message message) = 0;
    // Breaks off everything under way; every send answers soon.
    virtual void cancel_all() = 0;
    // When nothing new is sent any more, from any thread but the executor's: waits for the system's
    // resolver, seconds at most. Afterwards the executor's context may go, then the sender.
    virtual void close() = 0;
};

// Errc::malformed for certificates that cannot be read.
Result<std::unique_ptr<Sender>> make_sender(
    boost::asio::any_io_executor executor, SenderOptions options
);

}  // namespace florin::webhooks
