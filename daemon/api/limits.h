// How much one API key may ask for: requests a second with a burst, and requests at once.
//
// The rate is a token bucket, kept as the one moment at which it would be full again (the "virtual
// scheduling" form of the generic cell rate algorithm, ITU-T I.371 annex A): a single atomic number
// and no lock. Thread rule: any thread.
#pragma once

#include "ledger/base/clock.h"

#include <atomic>
#include <cstdint>

namespace florin::api {

// 0 anywhere: no limit of that kind.
struct KeyLimits {
    std::int64_t requests_per_second = 0;  // over time
    std::int64_t burst_requests = 0;       // at once after a rest; at least 1 where there is a rate
    std::int64_t in_flight_max = 0;        // being worked on at the same moment
};

class KeyLimiter {
public:
    // `clock` outlives the limiter.
    KeyLimiter(KeyLimits limits, Clock const& clock);

    // Takes a token: 0. Or takes none and answers how many nanoseconds from now there will be one.
    std::uint64_t take();

    // Each true is followed by one leave().
    bool enter();
    void leave() { --in_flight_; }

private:
    Clock const& clock_;
    std::uint64_t const interval_ns_;  // one token; 0: no limit
    std::uint64_t const slack_ns_;     // how far the bucket may be ahead of the clock
    std::int64_t const in_flight_max_;
    std::atomic<std::uint64_t> full_at_ns_ = 0;
    std::atomic<std::int64_t> in_flight_ = 0;
};

}  // namespace florin::api
