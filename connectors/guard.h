// What stands between the flow and a connector whose counterpart may fail: a circuit breaker, a
// bulkhead and a deadline. It is a connector itself.
//
//   breaker   An authorisation that comes while it is open ends at once as not_sent, which is true,
//             so that the flow takes the next route and no payer waits for a time-out. Captures,
//             reversals and refunds are promises that were made: they may go as probes like every
//             other call, and else end as not_sent, and the flow repeats them later. As long as the
//             connector is not ready no probe is spent on it.
//   bulkhead  At most `in_flight_max` operations are with the connector. One more authorisation
//             ends as not_sent; the others wait for a place, `waiting_max` of them and no longer
//             than `deadline_ms`, in the order in which they came and before new authorisations.
//   deadline  An operation that the connector did not end within `deadline_ms` is unknown, never
//             not_sent. What its counterpart says afterwards goes to the sink as evidence. Its
//             place stays taken until the connector lets go of it.
//
// not_sent by the guard itself means that the connector was not even called.
// What counts as a failure: unknown without any answer; an answer that says that the system fails
// (`failure_codes`), whatever its outcome; not_sent by a connector that is not ready then. A
// decline is a success: the counterpart works. not_sent by a connector that is ready speaks about
// the message, and proves nothing.
//
// Thread rule: as in connectors/connector.h; the connector's operations run on `home`.
#pragma once

#include "connectors/breaker.h"
#include "connectors/connector.h"
#include "ledger/base/clock.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace florin::connectors {

struct GuardOptions {
    BreakerOptions breaker{};
    std::size_t in_flight_max = 1'000;
    std::size_t waiting_max = 4'000;
    std::uint64_t deadline_ms = 16'000;  // longer than the connector's own time-outs
    // Field 39 of ISO 8583:1987: 68 answer received too late, 90 cut-off in process, 96 system
    // malfunction; of 1993 the same: 911, 906, 909. Not 91 and 907 (issuer inoperative) nor 92 and
    // 908 (no route): they speak about one card's issuer, and the bank that says so is well.
    std::vector<std::string> failure_codes = {"68", "90", "96", "906", "909", "911"};
};

struct BreakerChange {
    ConnectorId connector;
    BreakerState to = BreakerState::closed;
    Breaker::Counts window;         // before the change
    std::uint64_t open_for_ms = 0;  // where it opens
    std::string last_error;         // of the latest failure
};

class Guard final : public Connector {
public:
    // Called on any thread, for each change of the breaker's state; must not block or throw.
    using OnChange = std::function<void(BreakerChange const&)>;

    // `home` is one thread's executor; sink and clock outlive the guard, which is destroyed after
    // stop() and before the context of `home`.
    Guard(
        boost::asio::any_io_executor home,
        std::unique_ptr<Connector> connector,
        GuardOptions options,
        EvidenceSink& sink,
        Clock const& clock,
        OnChange on_change
    );
    ~Guard() override;

    ConnectorId const& id() const override;
    std::string_view name() const override;
    bool needs_link_identity() const override;
    LinkChoice choose_link() const override;
    std::vector<LinkHealth> links() const override;
    bool captures_at_once() const override;
    bool can_inquire() const override;
    // Ready where the connector is, and the breaker would let a call go.
    Health health() const override;

    void start() override;
    // Who waits for a place ends as not_sent; then the connector stops.
    boost::asio::awaitable<void> stop() override;

    boost::asio::awaitable<Reply> authorise(AuthoriseRequest request) override;
    boost::asio::awaitable<Reply> capture(CaptureRequest request) override;
    boost::asio::awaitable<Reply> reverse(ReverseRequest request) override;
    boost::asio::awaitable<Reply> refund(RefundRequest request) override;
    // Passes through: it is one message a day, and says nothing about how payments fare.
    boost::asio::awaitable<TotalsReply> compare_totals(TotalsRequest request) override;
    boost::asio::awaitable<Reply> inquire(InquireRequest request) override;

    // Ends what is due. The guard does that itself, by a timer; for tests with a clock of their
    // own.
    void tick();

private:
    class State;
    template <class Request>
    boost::asio::awaitable<Reply> perform(
        boost::asio::awaitable<Reply> (Connector::*operation)(Request), Request request
    );

    std::shared_ptr<State> state_;
};

}  // namespace florin::connectors
