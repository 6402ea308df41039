// A circuit breaker: whether a counterpart that keeps failing is worth another call now.
//
//   closed     calls go. Open as soon as, within the last window, at least `calls_min` calls ended
//              and at least `failure_percent` of them failed.
//   open       no call goes, for `open_ms`; after each probe that failed twice as long as
//              before, up to `open_ms_max`.
//   half_open  at most `probes` calls are out. The first success closes it, the first failure opens
//              it again; a call that proves nothing gives its place back.
// A pure state machine: it is told the time, never waits, and calls nobody.
// What ends counts only in the period in which it began: a call from before the breaker opened
// says nothing about the counterpart of now.
// Thread rule: one thread at a time; the owner locks (connectors/guard.h).
#pragma once

#include "connectors/connector.h"

#include <array>
#include <cstdint>
#include <optional>

namespace florin::connectors {

inline constexpr std::uint64_t kNsPerMs = 1'000'000;

struct BreakerOptions {
    std::uint64_t window_ms = 30'000;  // at least kSlices
    std::uint64_t calls_min = 10;
    std::uint64_t failure_percent = 50;  // 1 to 100; 0: it never opens
    std::uint64_t open_ms = 5'000;
    std::uint64_t open_ms_max = 60'000;  // at least open_ms
    std::uint64_t probes = 2;            // at least 1
};

class Breaker {
public:
    // The window moves on in this many steps: what is counted is between 19 and 20 of them old.
    static constexpr std::size_t kSlices = 20;

    enum class Result {
        success,  // the counterpart answered
        failure,  // it did not, or said that its system fails
        neutral,  // nothing was learned about it
    };
    // Of a call that was let in; handed back with its result.
    struct Ticket {
        std::uint64_t period = 0;
    };
    struct Counts {
        std::uint64_t calls = 0;
        std::uint64_t failures = 0;
    };

    explicit Breaker(BreakerOptions const& options);

    // Nanoseconds of a clock that never steps back; never less than in an earlier call.
    BreakerState state(std::uint64_t now_ns);
    // As of the last call.
    BreakerState state() const { return state_; }
    // True where admit() would let a call in.
    bool would_admit(std::uint64_t now_ns);
    // Nothing: no call may go now.
    std::optional<Ticket> admit(std::uint64_t now_ns);
    // Once for each ticket.
    void settle(Ticket ticket, Result result, std::uint64_t now_ns);

    // Calls that ended within the window.
    Counts counts(std::uint64_t now_ns) const;
    // How long it is open, or was the last time.
    std::uint64_t open_for_ms() const { return open_for_ms_; }

private:
    struct Slice {
        std::uint64_t number = 0;  // since the clock's zero
        Counts counts;
    };

    void enter(BreakerState state);
    void open(std::uint64_t for_ms, std::uint64_t now_ns);
    void count(Result result, std::uint64_t now_ns);

    BreakerOptions const options_;
    std::uint64_t const slice_ns_;
    BreakerState state_ = BreakerState::closed;
    std::uint64_t period_ = 1;  // one more with each change of state
    std::uint64_t probing_ = 0;
    std::uint64_t open_for_ms_ = 0;
    std::uint64_t open_until_ns_ = 0;
    std::array<Slice, kSlices> slices_{};
};

}  // namespace florin::connectors
