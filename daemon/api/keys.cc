#include "daemon/api/keys.h"

#include "crypto/api_key.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace florin::api {
namespace {

constexpr std::size_t kHashLength = 64;

std::string_view letters_of(std::string_view kind) {
    return kind == "publishable"  ? "pk"
           : kind == "restricted" ? "rk"
           : kind == "admin"      ? "ak"
                                  : "sk";
}

// A key's own limits go before those of its mode, each by itself.
KeyLimits limits_of(model::ApiKey const& key, KeyLimits const& usual) {
    auto const either = [](std::int64_t own, std::int64_t other) { return own != 0 ? own : other; };
    return {
        .requests_per_second = either(key.requests_per_second, usual.requests_per_second),
        .burst_requests = either(key.burst_requests, usual.burst_requests),
        .in_flight_max = either(key.in_flight_max, usual.in_flight_max),
    };
}

model::Mode mode_of(model::ApiKey const& key) {
    return key.mode == "live" ? model::Mode::live : model::Mode::test;
}

}  // namespace

NewKey make_key(model::IdMaker& ids, crypto::HmacSha256 const& pepper, model::ApiKey wanted) {
    if (wanted.kind == "admin") {
        wanted.mode = "live";
    }
    std::string const prefix = std::string{letters_of(wanted.kind)} + "_" + wanted.mode;
    auto made = crypto::make_api_key(ids.random(), pepper, prefix);
    wanted.id = std::move(made.id);
    wanted.hash = std::move(made.hash);
    wanted.created = ids.now_s();
    return {.key = std::move(made.key), .document = std::move(wanted)};
}

Keys::Known::Known(model::ApiKey stored, KeyLimits const& limits, Clock const& clock)
    : document{std::move(stored)},
      mode{mode_of(document)},
      owner{model::owner_of(document.merchant, mode)},
      limiter{limits_of(document, limits), clock} {}

Keys::Keys(Parts parts) : parts_{std::move(parts)} {}

Result<std::shared_ptr<Keys::Known>> Keys::find(ApiKey const& key) {
    std::string_view const id = crypto::api_key_id(key);
    if (id.empty()) {
        return nullptr;
    }
    FLORIN_TRY(auto known_key, known(id));
    // An unknown id is hashed and compared like any other: time must not tell which ids exist.
    static std::string const nobody(kHashLength, '-');
    std::string const& expected = known_key ? known_key->document.hash : nobody;
    bool const is_same =
        crypto::equal_constant_time(expected, crypto::api_key_hash(parts_.pepper, key));
    if (!known_key || !is_same) {
        return nullptr;
    }
    auto const now_s = static_cast<std::int64_t>(parts_.clock.wall_ns() / 1'000'000'000);
    model::ApiKey const& document = known_key->document;
    if (document.revoked || (document.expires != 0 && document.expires <= now_s)) {
        return nullptr;
    }
    return known_key;
}

void Keys::changed(std::string const& id) {
    Shard& shard = shard_of(id);
    std::lock_guard const lock{shard.mutex};
    // Whoever is reading the document now must not keep what was there before.
    ++shard.changes;
    if (auto const found = shard.by_id.find(id); found != shard.by_id.end()) {
        auto const entry = found->second;
        shard.by_id.erase(found);
        shard.by_use.erase(entry);
    }
}

Keys::Shard& Keys::shard_of(std::string_view id) {
    return shards_[std::hash<std::string_view>{}(id) % kShards];
}

Result<std::shared_ptr<Keys::Known>> Keys::known(std::string_view id) {
    Shard& shard = shard_of(id);
    std::uint64_t changes = 0;
    {
        std::lock_guard const lock{shard.mutex};
        if (auto const found = shard.by_id.find(id); found != shard.by_id.end()) {
            shard.by_use.splice(shard.by_use.begin(), shard.by_use, found->second);
            return found->second->second;
        }
        changes = shard.changes;
    }
    FLORIN_TRY(
        auto stored, flow::load<model::ApiKey>(parts_.documents, kKeyOwner, std::string{id})
    );
    if (!stored) {
        return nullptr;
    }
    // What the configuration bounds is merchants' traffic: operators have their keys' own limits.
    static KeyLimits const none;
    KeyLimits const& usual = stored->value.kind == "admin"  ? none
                             : stored->value.mode == "live" ? parts_.live
                                                            : parts_.test;
    auto fresh = std::make_shared<Known>(std::move(stored->value), usual, parts_.clock);
    return keep(shard, changes, std::move(fresh));
}

std::shared_ptr<Keys::Known> Keys::keep(
    Shard& shard, std::uint64_t changes, std::shared_ptr<Known> fresh
) {
    std::lock_guard const lock{shard.mutex};
    if (shard.changes != changes) {
        return fresh;  // right for this request, which came before the change was answered
    }
    if (auto const found = shard.by_id.find(fresh->document.id); found != shard.by_id.end()) {
        return found->second->second;  // somebody was faster; limits are counted there
    }
    shard.by_use.emplace_front(fresh->document.id, fresh);
    shard.by_id.emplace(shard.by_use.front().first, shard.by_use.begin());
    if (shard.by_use.size() > std::max<std::size_t>(parts_.known_max / kShards, 1)) {
        shard.by_id.erase(shard.by_use.back().first);
        shard.by_use.pop_back();
    }
    return fresh;
}

}  // namespace florin::api
