// Tells endpoints what happened: reads events from the applied state, where only what is durable
// is, and sends each to the endpoints of its owner that want it.
//
// At least once, in no promised order. What was told is stored in the journal (model/webhooks.h),
// so a crash loses no event; what was under way then is sent again. Each endpoint has a bound of
// its own, so has each owner, and all together have one, half of which is out of reach for
// endpoints that are down, and an eighth for owners who have something under way already. Owners
// take turns, then the endpoints of each. Thread rule: made, started and stopped by the main
// thread; changed() and figures() by any thread; everything else happens on the executor, one
// thread.
#pragma once

#include "daemon/flow/event_text.h"
#include "daemon/ledger_client.h"
#include "daemon/webhooks/lane.h"
#include "daemon/webhooks/secrets.h"
#include "daemon/webhooks/sender.h"
#include "ledger/base/clock.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace florin::webhooks {

struct DispatcherOptions {
    LaneOptions lane;
    std::size_t concurrency = 64;        // tries under way at the same time, all endpoints together
    std::size_t owner_concurrency = 16;  // of one owner
    std::string user_agent = "Florin";
};

class Dispatcher {
public:
    // What is named outlives the dispatcher.
    struct Parts {
        LedgerClient& ledger;
        Secrets const& secrets;
        flow::Renderer const& renderer;
        Sender& sender;
        Clock const& clock;
        boost::asio::any_io_executor executor;
        DispatcherOptions options;
    };
    explicit Dispatcher(Parts parts);
    Dispatcher(Dispatcher const&) = delete;
    Dispatcher& operator=(Dispatcher const&) = delete;

    // Once.
    void start();
    // While the ledger still runs: breaks off what is under way, stores what came of the rest, and
    // waits for that. Idempotent; nothing is under way afterwards.
    void stop();

    // An endpoint was made, changed or removed.
    void changed(std::string owner, std::string endpoint);

    struct Figures {
        std::uint64_t delivered = 0;  // since the start
        std::uint64_t failed = 0;     // tries, since the start
        std::uint64_t given_up = 0;   // events of endpoints, since the start
        std::uint64_t put_off = 0;    // tries not made since names are slow to resolve
        std::uint64_t waiting = 0;    // for another try
        std::uint64_t endpoints = 0;  // enabled ones
        std::uint64_t down = 0;       // of these
        std::uint64_t lag_ms = 0;     // age of the oldest event that had no try yet
    };
    Figures figures() const;

private:
    using LanePointer = std::shared_ptr<Lane>;
    using LaneKey = std::pair<std::string, std::string>;  // owner, endpoint

    boost::asio::awaitable<void> run();
    boost::asio::awaitable<void> run_to_the_end();
    Result<void> load_all();
    Result<void> load(std::string const& owner, std::string const& endpoint);
    void take_changes();
    Result<void> read_tail();
    void send_what_can_be();
    struct Share;
    struct Turn;
    std::vector<Turn> turns(std::uint64_t now_ms);
    bool has_place_for(Share const& share) const;
    bool send_one_of(Turn& turn, std::uint64_t now_ms);
    bool send_one_of(LanePointer const& lane, std::uint64_t now_ms);
    void store_what_must_be();
    boost::asio::awaitable<void> deliver(LanePointer lane, Try attempt, bool was_down);
    boost::asio::awaitable<SendOutcome> send(LanePointer lane, Try attempt, bool& is_forgotten);
    Result<Message> message_for(Lane const& lane, ledger::Event const& event, bool& is_forgotten);
    boost::asio::awaitable<void> store(LanePointer lane, ledger::Command command);
    boost::asio::awaitable<void> sweep(LaneKey queue);
    boost::asio::awaitable<void> purge();
    // One command after the other, until one is empty.
    boost::asio::awaitable<Result<void>> remove_all(std::function<Result<ledger::Command>()> next);
    void in_background(boost::asio::awaitable<void> work);
    boost::asio::awaitable<void> pause(std::chrono::milliseconds length);
    void nudge() { timer_.cancel(); }
    std::uint64_t now_ms() const { return parts_.clock.wall_ns() / 1'000'000; }
    void show_figures();

    Parts parts_;
    boost::asio::steady_timer timer_;
    std::map<LaneKey, LanePointer> lanes_;
    std::vector<LaneKey> changes_;             // endpoints to look at again
    std::vector<LaneKey> to_sweep_;            // owner and queue
    ledger::DocumentReader::EventOwner tail_;  // who is before it was told
    std::size_t under_way_ = 0;
    std::size_t under_way_down_ = 0;  // for endpoints that were down when it began
    struct Share {
        std::size_t under_way = 0;
        std::string last_endpoint;  // that had a turn
    };
    std::map<std::string, Share> shares_;  // of owners who have had a turn
    std::string last_owner_;               // who had the last one
    std::size_t background_ = 0;
    std::uint64_t purge_at_ms_ = 0;
    bool is_purging_ = false;
    bool stopping_ = false;
    std::promise<void> ended_promise_;
    std::future<void> ended_;

    struct Shown {
        std::atomic<std::uint64_t> delivered = 0, failed = 0, given_up = 0, put_off = 0,
                                   waiting = 0, endpoints = 0, down = 0, lag_ms = 0;
    };
    Shown shown_;
};

}  // namespace florin::webhooks
