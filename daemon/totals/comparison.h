// Comparing totals with one bank, once a business date is over (docs/iso8583.md).
//
//   cut-over   When a date is over, the delay has passed and the connector is ready, what it moved
//              is counted from the ledger's attempts. One command stores a document for each
//              currency with our totals and the identity of the message, and that the date is done.
//   asking     The message goes out, and again with growing pauses, under the same identity and
//              with the same totals, until it is answered: through disconnects and restarts.
//   answer     The bank's own totals are compared with ours field by field. What came of it is
//              stored, logged and counted, and that is all: nothing is posted and nothing asked
//              again. A difference is explained by the acquirer's report (recon/).
//
// No date is left out when the daemon was down: what is missing is done in order, the oldest first,
// but no more than the last `days_max`.
// Thread rule: step() and run() on the background executor, one at a time; the rest on any thread.
#pragma once

#include "connectors/connector.h"
#include "daemon/flow/store.h"
#include "daemon/ledger_client.h"
#include "daemon/model/totals.h"
#include "daemon/totals/day_count.h"

#include <boost/asio/awaitable.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace florin::totals {

struct Options {
    bool is_advice = false;  // 0520; else the request 0500
    std::int64_t delay_s = 15 * 60;
    std::uint64_t retry_first_ms = 1'000;  // pauses between sends double from here
    std::uint64_t retry_most_ms = 300'000;
    std::int64_t days_max = 7;
    std::uint64_t tick_ms = 250;       // between looks at the clock
    std::uint64_t stan_max = 999'999;  // field 11 is n6
};

// Of this connector. Results are counted since the start.
struct Figures {
    std::uint64_t waiting = 0;               // messages that are not answered yet
    std::array<std::uint64_t, 4> results{};  // by connectors::TotalsResult
    std::uint64_t out_of_balance = 0;        // currencies of the last date that has an answer
};

class Comparison {
public:
    // All of it outlives the comparison.
    struct Parts {
        LedgerClient& ledger;
        model::IdMaker& ids;
        connectors::Connector& connector;
        model::Mode mode;
        Options options;
    };
    explicit Comparison(Parts parts);

    // Does what is due until stop().
    boost::asio::awaitable<void> run();
    // Before the connector stops.
    void stop() { stopping_ = true; }

    // What is due now, once: dates that are over, messages whose pause is over. Nothing where the
    // connector is not ready. After an error everything is read again.
    boost::asio::awaitable<Result<void>> step();

    std::string const& connector() const { return parts_.connector.id().text(); }
    Figures figures() const;

private:
    using Waiting = flow::Stored<model::TotalsDocument>;

    Result<void> load();
    Result<void> find_stans();
    void note_result(model::TotalsDocument const& totals);
    boost::asio::awaitable<Result<void>> do_step();
    boost::asio::awaitable<Result<void>> begin();
    boost::asio::awaitable<Result<void>> close_day(Day day);
    boost::asio::awaitable<Result<DayCount>> count(Day day);
    bool is_due(model::TotalsDocument const& totals) const;
    boost::asio::awaitable<Result<void>> send(Waiting& waiting);
    boost::asio::awaitable<Result<void>> take(Waiting& waiting, connectors::TotalsReply reply);
    void log_answer(model::TotalsDocument const& totals) const;
    boost::asio::awaitable<void> pause(std::uint64_t ms) const;

    Parts parts_;
    std::string owner_;  // of its documents
    std::atomic<bool> stopping_ = false;

    // The executor's.
    bool is_loaded_ = false;
    std::optional<flow::Stored<model::TotalsCursor>> cursor_;
    Day done_ = 0;                  // the cursor's date
    std::vector<Waiting> waiting_;  // in the order of dates
    std::string newest_date_;       // that has an answer
    std::uint64_t newest_out_of_balance_ = 0;

    // Any thread's.
    std::atomic<std::uint64_t> waiting_count_ = 0, out_of_balance_ = 0;
    std::array<std::atomic<std::uint64_t>, 4> results_{};
};

}  // namespace florin::totals
