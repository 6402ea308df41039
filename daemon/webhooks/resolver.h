// Host names to addresses, without blocking anybody: a few threads that wait for the system's
// resolver, shared out between the owners of the endpoints.
//
// An owner has one thread at most at a time, and owners take turns. Whose last question took long
// (a name server that is silent) gets a thread only while half of them are free for the others, so
// that no number of such owners holds all. A host is asked about once for all who wait for it; that
// it was not found is remembered for a short while. Nothing is asked that nobody waits for.
// Thread rule: resolve() and cancel_all() on the executor it was made with.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace florin::webhooks {

struct ResolverOptions {
    // Blocks until it knows; empty: not found. On several threads at the same time.
    using Lookup = std::function<std::vector<boost::asio::ip::address>(std::string const& host)>;
    Lookup lookup;  // none: the system's resolver
    std::size_t threads = 8;
    std::chrono::milliseconds slow_after{1'000};          // a question that took longer was slow
    std::chrono::milliseconds not_found_kept_for{5'000};  // without asking again
};

struct Resolved {
    // busy: it was not asked, because others, or other hosts of this owner, had the threads. That
    // says nothing about the host.
    enum class Status { found, not_found, busy };
    Status status = Status::busy;
    std::vector<boost::asio::ip::address> addresses;
    // `timeout` after the host was asked about, or after now where it need not be.
    std::chrono::steady_clock::time_point deadline;
};

class Resolver {
public:
    explicit Resolver(boost::asio::any_io_executor executor, ResolverOptions options = {});
    Resolver(Resolver const&) = delete;
    Resolver& operator=(Resolver const&) = delete;
    ~Resolver();
    // Waits for what the system's resolver is doing, seconds at most. Nothing is posted to the
    // executor afterwards. Idempotent; any thread but the executor's, when nothing is asked any
    // more.
    void close();

    // Waits for a thread for `timeout`, then for an answer for as long: busy is what the first
    // ends with, not_found the second. A host that is an address is itself.
    boost::asio::awaitable<Resolved> resolve(
        std::string owner, std::string host, std::chrono::milliseconds timeout
    );
    // Whoever waits gets busy.
    void cancel_all();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace florin::webhooks
