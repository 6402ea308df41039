// The keys of a link and how they come to it.
//
// Where keys are exchanged, a link has none before the host sends one: it asks after each sign-on,
// and takes what the host sends at any time. Who has something to send waits meanwhile. Which key
// counts when is in codec_mac.h; what goes over the connection is the link's.
// Thread rule: the home thread of its link; wait() is awaited there.
#pragma once

#include "connectors/iso8583/codec.h"
#include "connectors/iso8583/codec_mac.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace florin::connectors::iso8583 {

class LinkKeys {
public:
    using Time = std::chrono::steady_clock::time_point;
    // As LinkOptions::on_notice (link.h); may be empty.
    using Notice = std::function<void(std::string_view event, std::string const& text)>;

    // `peer` is how notices name the host. The packaging outlives this.
    LinkKeys(
        boost::asio::any_io_executor home,
        MacOptions options,
        Packaging const& packaging,
        std::string peer,
        Notice notice
    );

    // With a MAC, or without one where none can be had yet.
    Result<std::string> encode(Message const& message) const;
    // `message` is what `bytes` decode to. False, and a notice, where its MAC is wrong or missing.
    bool accepts(ByteView bytes, Message const& message) const;

    // A new connection: an exchanged key counts only for what still comes.
    void start_connection();
    // The connection has no key and cannot get on without.
    bool wants_exchange() const { return keys_.wants_exchange(); }

    // Between these two must_wait() is true.
    void begin_exchange() { is_exchanging_ = true; }
    // Who waits goes on, with a key or without: the exchange or the connection has ended.
    void end_exchange();
    // At most `waiting_max` wait; the next one has to see how it gets on.
    bool must_wait(std::size_t waiting_max) const {
        return is_exchanging_ && waiting_.size() < waiting_max;
    }
    // Until end_exchange() or `end`. The caller keeps this object alive.
    boost::asio::awaitable<void> wait(Time end);

    // Puts the key in force that answers the link's request. What is wrong with it; empty: nothing.
    std::string take(Message const& answer);
    // The key in a message of the host, not yet in force; nullopt, and a notice, without a key
    // block that opens.
    std::optional<KeyBytes> key_in(Message const& message) const;
    // In force from the next message on.
    void install(KeyBytes key);

private:
    void notice(std::string_view event, std::string const& text) const;

    boost::asio::any_io_executor home_;
    MacKeys keys_;
    Packaging const& packaging_;
    std::string peer_;
    Notice notice_;
    bool is_exchanging_ = false;
    std::vector<std::shared_ptr<boost::asio::steady_timer>> waiting_;
};

}  // namespace florin::connectors::iso8583
