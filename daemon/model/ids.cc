#include "daemon/model/ids.h"

#include "ledger/base/uint128.h"

#include <algorithm>

namespace florin::model {
namespace {

// In byte order, so that text order is numeric order.
constexpr char kDigits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kTimeDigits = 11;  // 62^11 > 2^63
constexpr std::size_t kRandomDigits = 13;

std::string time_digits(std::uint64_t time_ns) {
    std::string digits(kTimeDigits, '0');
    for (std::size_t i = kTimeDigits; i-- > 0; time_ns /= 62) {
        digits[i] = kDigits[time_ns % 62];
    }
    return digits;
}

}  // namespace

std::string id_bound(std::string_view prefix, std::int64_t second) {
    constexpr std::int64_t kSecondMax = 9'000'000'000;  // its nanoseconds fit 63 bits
    auto const time = static_cast<std::uint64_t>(std::clamp<std::int64_t>(second, 0, kSecondMax));
    return id_from(prefix, time * 1'000'000'000);
}

std::string IdMaker::make(std::string_view prefix) {
    std::uint64_t time = clock_.wall_ns();
    {
        std::lock_guard const lock{mutex_};
        time = last_ns_ = std::max(time, last_ns_ + 1);
    }
    return id_from(prefix, time) + crypto::random_alphanumeric(random_, kRandomDigits);
}

std::string id_from(std::string_view prefix, std::uint64_t time_ns) {
    return std::string{prefix} + "_" + time_digits(time_ns);
}

std::optional<std::uint64_t> id_time_ns(std::string_view id) {
    auto const underscore = id.rfind('_');
    if (underscore == std::string_view::npos ||
        id.size() != underscore + 1 + kTimeDigits + kRandomDigits) {
        return std::nullopt;
    }
    std::string_view const digits{kDigits};
    u128 time = 0;
    for (char const c : id.substr(underscore + 1, kTimeDigits)) {
        auto const digit = digits.find(c);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        time = time * 62 + digit;
    }
    if (time > UINT64_MAX) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(time);
}

}  // namespace florin::model
