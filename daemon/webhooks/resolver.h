// Host names to addresses, without blocking anybody: a few threads that wait for the system's
// resolver. Thread rule: resolve() on the executor it was made with; cancel_all() there too.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace florin::webhooks {

class Resolver {
public:
    explicit Resolver(boost::asio::any_io_executor executor);
    Resolver(Resolver const&) = delete;
    Resolver& operator=(Resolver const&) = delete;
    ~Resolver();
    // Waits for what the system's resolver is doing, seconds at most. Nothing is posted to the
    // executor afterwards. Idempotent; any thread but the executor's, when nothing is asked any
    // more.
    void close();

    // Empty: not found, or not in time. A host that is an address is itself.
    boost::asio::awaitable<std::vector<boost::asio::ip::address>> resolve(
        std::string host, std::chrono::steady_clock::time_point deadline
    );
    void cancel_all();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace florin::webhooks
