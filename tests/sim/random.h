// Where a simulated seed takes every decision from, and the trace that shows that it took the same
// ones again. Thread rule: one thread.
#pragma once

#include "ledger/base/bytes.h"

#include <cstdint>
#include <vector>

namespace florin::ledger::sim {

// SplitMix64: the same numbers on every machine and in every build.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_{seed} {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9ULL;
        mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebULL;
        return mixed ^ (mixed >> 31U);
    }
    // In [0, end); `end` is not 0.
    std::uint64_t below(std::uint64_t end) { return next() % end; }
    // In [first, last].
    std::uint64_t between(std::uint64_t first, std::uint64_t last) {
        return first + below(last - first + 1);
    }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    template <class T>
    T const& pick(std::vector<T> const& from) {
        return from[below(from.size())];
    }

private:
    std::uint64_t state_;
};

// FNV-1a over everything that happened, in order.
class Trace {
public:
    void add(ByteView bytes) {
        for (char const c : bytes) {
            hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
        }
    }
    void add(std::uint64_t number) {
        for (unsigned shift = 0; shift < 64; shift += 8) {
            hash_ = (hash_ ^ ((number >> shift) & 0xff)) * 0x100000001b3ULL;
        }
    }
    std::uint64_t hash() const { return hash_; }

private:
    std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace florin::ledger::sim
