// Ids that sort by when they were made: prefix, time, randomness.
//
//   id := prefix "_" base62(nanoseconds since 1970){11} alphanumeric{13}
//
// Strictly increasing inside one process, so that lists are in order of creation.
// Thread rule: IdMaker may be used by any thread.
#pragma once

#include "crypto/random.h"
#include "ledger/base/clock.h"

#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace florin::model {

class IdMaker {
public:
    IdMaker(Clock const& clock, crypto::Random& random) : clock_{clock}, random_{random} {}
    // "pi" -> "pi_…"
    std::string make(std::string_view prefix);
    // Without time in it, for secrets: `count` characters.
    std::string secret(std::size_t count) { return crypto::random_alphanumeric(random_, count); }
    crypto::Random& random() { return random_; }
    std::int64_t now_s() const {
        return static_cast<std::int64_t>(clock_.wall_ns() / 1'000'000'000);
    }
    std::int64_t now_ms() const { return static_cast<std::int64_t>(clock_.wall_ns() / 1'000'000); }
    std::uint64_t now_ns() const { return clock_.wall_ns(); }

private:
    Clock const& clock_;
    crypto::Random& random_;
    std::mutex mutex_;
    std::uint64_t last_ns_ = 0;
};

// When an id of IdMaker was made; nullopt for any other text.
std::optional<std::uint64_t> id_time_ns(std::string_view id);
// The beginning that ids made at this time have: less than every id made then or later, greater
// than every id made before.
std::string id_from(std::string_view prefix, std::uint64_t time_ns);
// What every id with this prefix that was made in this second (of 1970 on) or later is not less
// than, and every earlier one is.
std::string id_bound(std::string_view prefix, std::int64_t second);

}  // namespace florin::model
