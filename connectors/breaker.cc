#include "connectors/breaker.h"

#include "ledger/base/check.h"

#include <algorithm>

namespace florin::connectors {
Breaker::Breaker(BreakerOptions const& options)
    : options_{options}, slice_ns_{options.window_ms * kNsPerMs / kSlices} {
    FLORIN_CHECK(
        options.window_ms >= kSlices && options.probes >= 1 && options.failure_percent <= 100 &&
            options.open_ms_max >= options.open_ms,
        "a breaker's options are within their bounds"
    );
}

BreakerState Breaker::state(std::uint64_t now_ns) {
    if (state_ == BreakerState::open && now_ns >= open_until_ns_) {
        enter(BreakerState::half_open);
    }
    return state_;
}

bool Breaker::would_admit(std::uint64_t now_ns) {
    switch (state(now_ns)) {
        case BreakerState::closed: return true;
        case BreakerState::half_open: return probing_ < options_.probes;
        case BreakerState::open: break;
    }
    return false;
}

std::optional<Breaker::Ticket> Breaker::admit(std::uint64_t now_ns) {
    if (!would_admit(now_ns)) {
        return std::nullopt;
    }
    if (state_ == BreakerState::half_open) {
        ++probing_;
    }
    return Ticket{period_};
}

void Breaker::settle(Ticket ticket, Result result, std::uint64_t now_ns) {
    if (ticket.period != period_) {
        return;
    }
    if (state_ == BreakerState::half_open) {
        --probing_;
        switch (result) {
            case Result::success: enter(BreakerState::closed); break;
            case Result::failure:
                open(std::min(open_for_ms_ * 2, options_.open_ms_max), now_ns);
                break;
            case Result::neutral: break;
        }
        return;
    }
    count(result, now_ns);
    Counts const found = counts(now_ns);
    bool const is_failing = options_.failure_percent > 0 && found.calls >= options_.calls_min &&
                            found.failures * 100 >= options_.failure_percent * found.calls;
    if (result == Result::failure && is_failing) {
        open(options_.open_ms, now_ns);
    }
}

Breaker::Counts Breaker::counts(std::uint64_t now_ns) const {
    std::uint64_t const current = now_ns / slice_ns_;
    Counts sum;
    for (Slice const& slice : slices_) {
        if (slice.number + kSlices > current) {
            sum.calls += slice.counts.calls;
            sum.failures += slice.counts.failures;
        }
    }
    return sum;
}

void Breaker::enter(BreakerState state) {
    state_ = state;
    ++period_;
    probing_ = 0;
    // Whoever opens again must have failed again.
    if (state == BreakerState::closed) {
        slices_ = {};
    }
}

void Breaker::open(std::uint64_t for_ms, std::uint64_t now_ns) {
    enter(BreakerState::open);
    open_for_ms_ = for_ms;
    open_until_ns_ = now_ns + for_ms * kNsPerMs;
}

void Breaker::count(Result result, std::uint64_t now_ns) {
    if (result == Result::neutral) {
        return;
    }
    std::uint64_t const number = now_ns / slice_ns_;
    Slice& slice = slices_[number % kSlices];
    if (slice.number != number) {
        slice = {.number = number, .counts = {}};
    }
    ++slice.counts.calls;
    slice.counts.failures += result == Result::failure ? 1U : 0U;
}

}  // namespace florin::connectors
