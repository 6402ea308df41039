// Random bytes from the operating system, behind an interface so that tests can own them.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace florin::crypto {

// Thread rule: fill may be called from any thread.
class Random {
public:
    Random() = default;
    Random(Random const&) = delete;
    Random& operator=(Random const&) = delete;
    virtual ~Random() = default;
    virtual void fill(std::span<unsigned char> bytes) = 0;
};

// Fit for keys. A generator that fails ends the process: going on without randomness is worse.
class SystemRandom final : public Random {
public:
    void fill(std::span<unsigned char> bytes) override;
};

// `count` characters of [A-Za-z0-9], each equally likely.
std::string random_alphanumeric(Random& random, std::size_t count);

template <std::size_t N>
std::array<unsigned char, N> random_bytes(Random& random) {
    std::array<unsigned char, N> bytes{};
    random.fill(bytes);
    return bytes;
}

}  // namespace florin::crypto
