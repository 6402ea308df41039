#include "daemon/api/limits.h"

#include <algorithm>

namespace florin::api {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

std::uint64_t interval_of(KeyLimits const& limits) {
    return limits.requests_per_second > 0
               ? kSecondNs / static_cast<std::uint64_t>(limits.requests_per_second)
               : 0;
}

std::uint64_t slack_of(KeyLimits const& limits) {
    auto const burst = std::max<std::int64_t>(limits.burst_requests, 1);
    return interval_of(limits) * static_cast<std::uint64_t>(burst - 1);
}

}  // namespace

KeyLimiter::KeyLimiter(KeyLimits limits, Clock const& clock)
    : clock_{clock},
      interval_ns_{interval_of(limits)},
      slack_ns_{slack_of(limits)},
      in_flight_max_{limits.in_flight_max} {}

std::uint64_t KeyLimiter::take() {
    if (interval_ns_ == 0) {
        return 0;
    }
    std::uint64_t const now = clock_.steady_ns();
    std::uint64_t seen = full_at_ns_.load(std::memory_order_relaxed);
    for (;;) {
        std::uint64_t const full_at = std::max(seen, now);
        if (full_at - now > slack_ns_) {
            return full_at - now - slack_ns_;
        }
        if (full_at_ns_.compare_exchange_weak(
                seen, full_at + interval_ns_, std::memory_order_relaxed
            )) {
            return 0;
        }
    }
}

bool KeyLimiter::enter() {
    std::int64_t const now_in_flight = ++in_flight_;
    if (in_flight_max_ > 0 && now_in_flight > in_flight_max_) {
        --in_flight_;
        return false;
    }
    return true;
}

}  // namespace florin::api
