// What is outstanding on a link, over all its connections, and which answer belongs to what.
//
// Answers come in any order. They are matched by MTI pair and fields 7 (1993: 12), 11, 37 and 41,
// and 32 where both sides have it, on the connection that the request went over; on any connection
// of the link where its options say so. What is left is late (evidence), a duplicate of an answer
// that was taken, or foreign.
// Thread rule: the link's home thread; figures may be read by any thread.
#pragma once

#include "connectors/iso8583/dialect.h"
#include "connectors/iso8583/link.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace florin::connectors::iso8583 {

using Wire = Secret<struct WireTag>;

// LinkCounters as they are counted.
struct LinkFigures {
    LinkCounters read() const;

    std::atomic<std::uint64_t> connected = 0, signed_on = 0, disconnected = 0, sent = 0,
                               answered = 0, not_sent = 0, timed_out = 0, cut_off = 0, late = 0,
                               duplicate = 0, foreign = 0, malformed = 0, bad_mac = 0,
                               outstanding = 0;
};

// A request from its entry to its end.
struct Pending {
    Pending(boost::asio::any_io_executor const& home, std::size_t on)
        : connection{on}, signal{home} {}

    // How tests name the exchange: "0110".
    std::string_view answer_mti() const { return std::string_view{key}.substr(0, 4); }
    bool is_network() const { return key.size() > 1 && key[1] == '8'; }

    enum class Stage { queued, writing, written };
    std::string key;
    std::string acquirer;  // field 32
    Wire wire;
    std::size_t connection;  // that it goes over
    Stage stage = Stage::queued;
    bool done = false;
    Exchange result;
    boost::asio::steady_timer signal;  // the timeout; cancelled when done
};
using PendingPtr = std::shared_ptr<Pending>;

class Requests {
public:
    Requests(boost::asio::any_io_executor const& home, LinkOptions const& options);

    // By what the answer to this request will be known.
    void describe(Pending& pending, Message const& request) const;
    bool is_outstanding(std::string const& key) const { return pending_.contains(key); }
    // No more payments; network management has no bound.
    bool is_full() const { return payments_ >= options_.outstanding_max; }
    bool has_payments() const { return payments_ > 0; }

    // Described, and its key is not outstanding.
    void add(PendingPtr pending);
    // Once; the first end counts.
    void finish(Pending& pending, Exchange::End end, std::string detail);
    // As unanswered, because its connection ended.
    void cut_off(Pending& pending);

    // How much goes over a connection now.
    std::size_t load(std::size_t connection) const { return loads_[connection]; }
    std::vector<PendingPtr> on_connection(std::size_t connection) const;

    enum class Fit { taken, late, duplicate, foreign };
    // An answer that came over a connection; where it is taken, its request is finished. `digest`
    // is of its bytes. Counts what it is.
    Fit take(Message& answer, std::size_t digest, std::size_t connection);

    // Returns when no payment is outstanding, or after `ms`. The caller keeps this object alive.
    boost::asio::awaitable<void> drain(std::chrono::milliseconds ms);

    LinkFigures figures;

private:
    Fit fit(Message& answer, std::size_t digest, std::size_t connection);
    void remember(std::string const& key, std::size_t digest);

    LinkOptions const& options_;
    Dialect const& dialect_;
    std::unordered_map<std::string, PendingPtr> pending_;
    std::size_t payments_ = 0;
    std::vector<std::size_t> loads_;                              // by connection
    std::unordered_map<std::string, std::size_t> answered_keys_;  // to a digest of the answer
    std::deque<std::string> answered_order_;                      // oldest first
    boost::asio::steady_timer drained_;  // cancelled when no payment is outstanding
};

}  // namespace florin::connectors::iso8583
