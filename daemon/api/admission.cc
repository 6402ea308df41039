#include "daemon/api/admission.h"

#include <algorithm>

namespace florin::api {

Admission::Admission(Options options, Clock const& clock)
    : options_{options}, clock_{clock}, bound_{options.in_flight_max} {}

std::optional<Admission::Ticket> Admission::enter() {
    if (++in_flight_ > bound_) {
        --in_flight_;
        ++refused_;
        return std::nullopt;
    }
    return Ticket{*this};
}

void Admission::observe(std::uint64_t delay_ns) {
    if (options_.delay_ns_max == 0) {
        return;
    }
    std::uint64_t seen = smallest_ns_;
    while (delay_ns < seen && !smallest_ns_.compare_exchange_weak(seen, delay_ns)) {
    }
    std::uint64_t const now = clock_.steady_ns();
    std::uint64_t ends = window_ends_ns_;
    // Whoever moves the end closes the window. What others tell in that moment may count for
    // either window, which changes nothing.
    if (now >= ends && window_ends_ns_.compare_exchange_strong(ends, now + options_.window_ns)) {
        close_window(smallest_ns_.exchange(kNothing));
    }
}

void Admission::close_window(std::uint64_t smallest_ns) {
    std::uint64_t const bound = bound_;
    if (smallest_ns != kNothing && smallest_ns > options_.delay_ns_max) {
        // From what is there, not from the bound, which may be far above it.
        std::uint64_t const fewer = std::min<std::uint64_t>(bound, in_flight_) * 3 / 4;
        bound_ = std::max(fewer, std::min(options_.least, options_.in_flight_max));
    } else {
        bound_ = std::min(bound + bound / 16 + 1, options_.in_flight_max);
    }
}

Admission::Figures Admission::figures() const {
    return {.in_flight = in_flight_, .bound = bound_, .refused = refused_};
}

}  // namespace florin::api
