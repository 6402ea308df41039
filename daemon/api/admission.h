// Who is let in when more is asked of the daemon than it can do.
//
// A daemon that takes everything answers everything late: its queues grow until clients give up,
// and all its work was for nothing. So the number of requests in flight is bounded, and what is
// over the bound is refused at once. The bound moves: each time something comes back from the
// ledger, the owner tells how long that took, queues included. If in a whole window even the
// fastest took longer than it should (a standing queue, not a burst), the bound shrinks to three
// quarters of what is in flight; otherwise it grows again. It never shrinks below `least`, so that
// a slow disk alone refuses nobody. How long banks take does not count.
//
// The idea of judging a queue by its smallest delay is CoDel's (RFC 8289).
// Thread rule: any thread.
#pragma once

#include "ledger/base/clock.h"

#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace florin::api {

class Admission {
public:
    struct Options {
        std::uint64_t in_flight_max = 4'096;       // whatever the delay
        std::uint64_t least = 64;                  // let in at any delay; at most in_flight_max
        std::uint64_t delay_ns_max = 100'000'000;  // 0: the bound does not move
        std::uint64_t window_ns = 100'000'000;
    };
    // `clock` outlives the admission.
    Admission(Options options, Clock const& clock);

    // A request that was let in, until it is answered. Does not outlive the admission.
    class Ticket {
    public:
        explicit Ticket(Admission& admission) : admission_{&admission} {}
        Ticket(Ticket&& other) noexcept : admission_{std::exchange(other.admission_, nullptr)} {}
        Ticket(Ticket const&) = delete;
        Ticket& operator=(Ticket const&) = delete;
        Ticket& operator=(Ticket&&) = delete;
        ~Ticket() {
            if (admission_ != nullptr) {
                --admission_->in_flight_;
            }
        }

    private:
        Admission* admission_;
    };
    // nullopt: refused.
    std::optional<Ticket> enter();

    // Something that was asked of the ledger has come back after so long.
    void observe(std::uint64_t delay_ns);

    struct Figures {
        std::uint64_t in_flight = 0;
        std::uint64_t bound = 0;
        std::uint64_t refused = 0;  // since the start
    };
    Figures figures() const;

private:
    void close_window(std::uint64_t smallest_ns);

    static constexpr std::uint64_t kNothing = std::numeric_limits<std::uint64_t>::max();
    Options const options_;
    Clock const& clock_;
    std::atomic<std::uint64_t> in_flight_ = 0;
    std::atomic<std::uint64_t> bound_;
    std::atomic<std::uint64_t> refused_ = 0;
    std::atomic<std::uint64_t> smallest_ns_ = kNothing;  // of the window
    std::atomic<std::uint64_t> window_ends_ns_ = 0;
};

}  // namespace florin::api
