#include "daemon/model/ids.h"

#include <algorithm>

namespace florin::model {
namespace {

// In byte order, so that text order is numeric order.
constexpr char kDigits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kTimeDigits = 11;  // 62^11 > 2^63
constexpr std::size_t kRandomDigits = 13;

std::string time_digits(std::uint64_t time) {
    std::string digits(kTimeDigits, '0');
    for (std::size_t i = kTimeDigits; i-- > 0; time /= 62) {
        digits[i] = kDigits[time % 62];
    }
    return digits;
}

}  // namespace

std::string id_bound(std::string_view prefix, std::int64_t second) {
    constexpr std::int64_t kSecondMax = 9'000'000'000;  // its nanoseconds fit 63 bits
    auto const time = static_cast<std::uint64_t>(std::clamp<std::int64_t>(second, 0, kSecondMax));
    return std::string{prefix} + "_" + time_digits(time * 1'000'000'000);
}

std::string IdMaker::make(std::string_view prefix) {
    std::uint64_t time = clock_.wall_ns();
    {
        std::lock_guard const lock{mutex_};
        time = last_ns_ = std::max(time, last_ns_ + 1);
    }
    return std::string{prefix} + "_" + time_digits(time) +
           crypto::random_alphanumeric(random_, kRandomDigits);
}

}  // namespace florin::model
