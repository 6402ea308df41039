// Time comes in through this interface, so that a simulator or a test can own it.
#pragma once

#include <chrono>
#include <cstdint>

namespace florin {

// Thread rule: both functions may be called from any thread.
class Clock {
public:
    Clock() = default;
    Clock(Clock const&) = delete;
    Clock& operator=(Clock const&) = delete;
    virtual ~Clock() = default;

    // Nanoseconds since 1970-01-01T00:00:00Z. May step backwards, as wall clocks do.
    virtual std::uint64_t wall_ns() const = 0;
    // Nanoseconds on a clock that never steps; only differences mean something.
    virtual std::uint64_t steady_ns() const = 0;
};

// The clocks of the operating system.
class SystemClock final : public Clock {
public:
    std::uint64_t wall_ns() const override {
        return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                              std::chrono::system_clock::now().time_since_epoch()
        )
                                              .count());
    }
    std::uint64_t steady_ns() const override {
        return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                              std::chrono::steady_clock::now().time_since_epoch()
        )
                                              .count());
    }
};

}  // namespace florin
