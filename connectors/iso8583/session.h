// One TCP connection of a link, again and again: connects, signs on, gets a key, asks for echoes,
// writes and reads, connects again with growing pauses, signs off. link.h has the promises, and
// what is outstanding is in requests.h, for all connections of the link together.
// Thread rule: the link's home thread; is_ready() and trouble() may be called by any thread.
#pragma once

#include "connectors/iso8583/dialect.h"
#include "connectors/iso8583/link.h"
#include "connectors/iso8583/link_keys.h"
#include "connectors/iso8583/requests.h"
#include "ledger/base/clock.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace florin::connectors::iso8583 {

// What the connections of a link have in common.
struct LinkCore {
    LinkCore(
        boost::asio::any_io_executor home_thread,
        LinkOptions how,
        Clock const& time,
        Link::Unmatched evidence
    );

    // Its trace numbers live apart from those of payments: the MTI keeps them from mixing.
    Message network_request(NetworkCode code);

    boost::asio::any_io_executor const home;
    LinkOptions const options;
    Dialect const& dialect;
    Clock const& clock;
    Link::Unmatched const unmatched;
    Requests requests;
    std::uint32_t network_stan = 0;
};

class Session : public std::enable_shared_from_this<Session> {
public:
    // The place among the connections of its link, from 0.
    Session(std::shared_ptr<LinkCore> core, std::size_t number);

    void start();
    // New requests are refused from here on; answers are still awaited.
    void refuse();
    // Signs off where it is signed on, and closes. Begun here; finished() waits for the end.
    void leave();
    static boost::asio::awaitable<void> finished(std::shared_ptr<Session> self);

    bool is_ready() const { return is_ready_; }
    bool is_signed_on() const;
    LinkKeys& keys() { return keys_; }
    std::string trouble() const;  // why it is not ready

    // `timeout_ms` is for people: `end` counts.
    static boost::asio::awaitable<Exchange> exchange(
        std::shared_ptr<Session> self, Message request, LinkKeys::Time end, unsigned timeout_ms
    );

private:
    struct Connection;
    enum class Kind { payment, network };

    void spawn(boost::asio::awaitable<void> loop);
    void set_trouble(std::string trouble);

    // Requests of the link.
    static boost::asio::awaitable<Exchange> run_exchange(
        std::shared_ptr<Session> self,
        Message request,
        LinkKeys::Time end,
        unsigned timeout_ms,
        Kind kind
    );
    static boost::asio::awaitable<Exchange> ask(std::shared_ptr<Session> self, NetworkCode code);
    std::string enqueue(PendingPtr const& pending, Message const& request, Kind kind);
    void time_out(PendingPtr const& pending, unsigned timeout_ms);

    // The connection's life.
    static boost::asio::awaitable<void> run(std::shared_ptr<Session> self);
    static boost::asio::awaitable<bool> run_once(std::shared_ptr<Session> self);
    static boost::asio::awaitable<bool> connect(
        std::shared_ptr<Session> self, std::shared_ptr<Connection> connection
    );
    static boost::asio::awaitable<std::string> sign_on(std::shared_ptr<Session> self);
    static boost::asio::awaitable<std::string> get_key(std::shared_ptr<Session> self);
    static boost::asio::awaitable<void> keep_alive(
        std::shared_ptr<Session> self, std::shared_ptr<Connection> connection
    );
    static boost::asio::awaitable<void> sign_off(std::shared_ptr<Session> self);
    void close(Connection& connection, std::string const& why);

    // What goes and comes.
    static boost::asio::awaitable<void> write_loop(
        std::shared_ptr<Session> self, std::shared_ptr<Connection> connection
    );
    static void watch_write(
        std::shared_ptr<Session> const& self, std::shared_ptr<Connection> const& connection
    );
    static boost::asio::awaitable<void> read_loop(
        std::shared_ptr<Session> self, std::shared_ptr<Connection> connection
    );
    void take_frames(Connection& connection);
    void take(Connection& connection, Message message, std::size_t digest);
    void answer_host(Connection& connection, Message const& request);

    std::shared_ptr<LinkCore> const core_;
    std::size_t const number_;

    // The home thread's.
    LinkKeys keys_;
    std::shared_ptr<Connection> connection_;
    std::deque<PendingPtr> to_write_;
    bool is_stopping_ = false;
    bool has_finished_ = false;
    boost::asio::steady_timer pause_;     // between connections
    boost::asio::steady_timer finished_;  // cancelled when run() ends

    // Any thread's.
    std::atomic<bool> is_ready_ = false;
    mutable std::mutex trouble_mutex_;
    std::string trouble_ = "not started";
};

}  // namespace florin::connectors::iso8583
