// HTTPS requests over so many keep-alive connections, each with one request under way at most: in a
// closed loop, or in an open one, where a request has its time and takes as long as from then to
// its answer, though it may have waited for a free connection.
//
// It shares the machine with what it measures, so it does little: one thread, requests and answers
// as text, no HTTP library. It reads answers with a Content-Length and no others.
// Thread rule: run() on one thread; the driver is called on it.
#pragma once

#include "ledger/base/result.h"
#include "tools/florin/bench/measure.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace florin::tools {

struct HttpsTarget {
    std::string host, port;
    std::string ca_pem;
};

// What is asked for, and what becomes of the answers.
class RequestDriver {
public:
    virtual ~RequestDriver() = default;
    // The whole text of the next request, head and body.
    virtual std::string next() = 0;
    // False: this answer is not what was wanted; the load ends with an error that shows it.
    virtual bool take(int status, std::string_view body) = 0;
};

struct HttpsLoad {
    std::size_t connections = 64;
    double warm_seconds = 1;     // not counted
    double seconds = 10;         // counted
    std::uint64_t requests = 0;  // counted at most; 0: as many as fit
    double per_second = 0;       // so many are due; 0: a closed loop
};

struct HttpsLoadResult {
    std::uint64_t requests = 0;  // counted
    std::uint64_t answered = 0;  // with those of the warm-up
    double per_second = 0;
    Latencies latencies;
};

Result<HttpsLoadResult> run_https_load(
    HttpsTarget const& target, HttpsLoad const& load, RequestDriver& driver
);

// "https://127.0.0.1:8443" and the text of a CA file.
Result<HttpsTarget> https_target(std::string_view url, std::string const& ca_file);

// Connections that finished their handshake and then ask for nothing, until it is destroyed.
class IdleConnections {
public:
    IdleConnections();
    IdleConnections(IdleConnections const&) = delete;
    IdleConnections& operator=(IdleConnections const&) = delete;
    ~IdleConnections();
    Result<void> open(HttpsTarget const& target, std::size_t count);

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace florin::tools
