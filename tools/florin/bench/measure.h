// What benchmarks have in common: time, percentiles, memory, bytes on disk.
// Thread rule: values; the functions from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace florin::tools {

using Steady = std::chrono::steady_clock;

inline double seconds_between(Steady::time_point from, Steady::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

// Latencies of single requests, all of them kept.
class Latencies {
public:
    void add(Steady::duration took) { took_.push_back(took); }
    void add(Latencies const& others) {
        took_.insert(took_.end(), others.took_.begin(), others.took_.end());
    }
    bool empty() const { return took_.empty(); }
    // The latency that `fraction` of the requests do not exceed, in milliseconds; 0 without any.
    double percentile_ms(double fraction);

private:
    std::vector<Steady::duration> took_;
};

// Resident memory of this process now, and the most it ever was since reset_peak_memory().
std::uint64_t resident_bytes(pid_t process = 0);  // 0: this one
std::uint64_t peak_resident_bytes(pid_t process = 0);
void reset_peak_memory();

// Processor seconds of each thread of a process so far, by its name; threads of one name are
// added up.
std::map<std::string, double> thread_seconds(pid_t process = 0);

// Bytes of all files under a directory.
std::uint64_t directory_bytes(std::filesystem::path const& directory);

// A random number generator that costs nothing beside what is measured (xorshift64*).
class FastRandom {
public:
    explicit FastRandom(std::uint64_t seed) : state_{seed * 2 + 1} {}
    std::uint64_t next() {
        state_ ^= state_ >> 12U;
        state_ ^= state_ << 25U;
        state_ ^= state_ >> 27U;
        return state_ * 0x2545f4914f6cdd1dULL;
    }
    // Uniform enough below `bound`, which is far below 2^32.
    std::uint32_t below(std::uint32_t bound) {
        return static_cast<std::uint32_t>(((next() >> 32U) * bound) >> 32U);
    }

private:
    std::uint64_t state_;
};

}  // namespace florin::tools
