// A clock that stands still until the test moves it.
// Thread rule: any thread.
#pragma once

#include "ledger/base/clock.h"

#include <atomic>
#include <cstdint>

namespace florin::test {

class ManualClock final : public Clock {
public:
    std::uint64_t wall_ns() const override { return kEpochNs + now_ns_; }
    std::uint64_t steady_ns() const override { return now_ns_; }
    void advance_ns(std::uint64_t ns) { now_ns_ += ns; }
    void advance_ms(std::uint64_t ms) { advance_ns(ms * 1'000'000); }

private:
    static constexpr std::uint64_t kEpochNs = 1'700'000'000'000'000'000;  // 2023-11-14T22:13:20Z
    std::atomic<std::uint64_t> now_ns_ = 1'000'000'000;
};

}  // namespace florin::test
