// What nobody knows: how many attempts are unknown, since when, and an alarm where one is for long.
//
// Unknown is safe, the money waits where it is; but a bank that does not say for an hour what
// became of a payment is something for a person (docs/unknowns.md). Every look reads the open
// attempts and counts those that are unknown; between looks figures() tells what the last one
// found. An alarm is a log line, again after twice as long each time for as long as it lasts, and
// one when it is over. Thread rule: start and stop on one thread, look() by one at a time,
// figures() from any thread. Looks are on a thread of their own ("florin-watch").
#pragma once

#include "ledger/base/clock.h"
#include "ledger/base/result.h"
#include "ledger/documents.h"

#include <array>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace florin::flow {

struct UnknownOptions {
    std::uint64_t alarm_s = 900;        // one that is older raises the alarm
    std::uint64_t interval_ms = 5'000;  // between looks
};

class Unknowns {
public:
    // By age: of so many seconds and more, up to the next; since the attempt was made.
    static constexpr std::array<std::int64_t, 5> kAges{0, 60, 900, 3'600, 86'400};
    static constexpr std::array<std::string_view, 5> kAgeNames{
        "under_1m", "under_15m", "under_1h", "under_1d", "1d_and_more"
    };

    struct Figures {
        std::array<std::uint64_t, kAges.size()> by_age{};
        std::int64_t oldest_s = 0;  // its age; 0: there is none
        std::string oldest;         // the attempt
        bool is_alarmed = false;
        std::uint64_t count() const;
    };

    // Both outlive this.
    Unknowns(ledger::DocumentReader const& documents, Clock const& clock, UnknownOptions options)
        : documents_{documents}, clock_{clock}, options_{options} {}
    Unknowns(Unknowns const&) = delete;
    Unknowns& operator=(Unknowns const&) = delete;
    ~Unknowns() { stop(); }

    void start();
    // Before the ledger stops. Idempotent.
    void stop();

    // One look, and the alarms that follow from it; errors are those of reading.
    Result<void> look();

    // Of the last look: those of one connector and operation ("authorise", "capture", "void",
    // "refund").
    Figures figures(std::string_view connector, std::string_view operation) const;

private:
    using Key = std::pair<std::string, std::string>;  // connector, operation
    // An alarm that is on, and what was said about it.
    struct Alarm {
        std::uint64_t next_ns = 0;
        std::uint64_t pause_s = 0;
    };

    void run();
    void tell(std::map<Key, Figures>& found, std::uint64_t now_ns);

    ledger::DocumentReader const& documents_;
    Clock const& clock_;
    UnknownOptions const options_;
    std::map<Key, Alarm> alarms_;  // of who looks

    mutable std::mutex mutex_;  // guards what follows
    std::map<Key, Figures> figures_;
    bool stopping_ = false;
    std::condition_variable wake_;
    std::thread thread_;
};

}  // namespace florin::flow
