#include "daemon/flow/unknowns.h"

#include "daemon/flow/store.h"
#include "daemon/log/log.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <pthread.h>
#include <vector>

namespace florin::flow {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
// An alarm that goes on is told at least once a day.
constexpr std::uint64_t kPauseMostS = 86'400;

std::size_t place_of(std::int64_t age_s) {
    auto const after = std::ranges::upper_bound(Unknowns::kAges, age_s);
    auto const place = after - Unknowns::kAges.begin() - 1;
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(place, 0));
}

}  // namespace

std::uint64_t Unknowns::Figures::count() const {
    return std::accumulate(by_age.begin(), by_age.end(), std::uint64_t{0});
}

void Unknowns::start() {
    thread_ = std::thread{[this] { run(); }};
    pthread_setname_np(thread_.native_handle(), "florin-watch");
}

void Unknowns::stop() {
    {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Unknowns::run() {
    for (;;) {
        if (auto const looked = look(); !looked) {
            log::error("unknowns.unreadable", {{"what", looked.error().context}});
        }
        std::unique_lock lock{mutex_};
        std::chrono::milliseconds const pause{options_.interval_ms};
        if (wake_.wait_for(lock, pause, [this] { return stopping_; })) {
            return;
        }
    }
}

Result<void> Unknowns::look() {
    std::vector<std::pair<std::string, std::string>> open;  // owner, attempt
    auto const collect = [&](ledger::Document const& document) -> Result<bool> {
        open.emplace_back(document.key.owner, document.key.id);
        return true;
    };
    FLORIN_TRY_VOID(documents_.each(static_cast<std::uint16_t>(model::Kind::open_attempt), collect)
    );
    std::uint64_t const now_ns = clock_.wall_ns();
    auto const now_s = static_cast<std::int64_t>(now_ns / kNsPerSecond);
    std::map<Key, Figures> found;
    for (auto const& [owner, id] : open) {
        // One that cannot be read must not hide the others: whoever drives it says so.
        auto const attempt = load<model::Attempt>(documents_, owner, id);
        if (!attempt || !*attempt || (*attempt)->value.closed != 0 ||
            (*attempt)->value.state != "unknown") {
            continue;
        }
        model::Attempt const& value = (*attempt)->value;
        Figures& figures = found[{value.connector, value.operation}];
        std::int64_t const age_s = std::max<std::int64_t>(now_s - value.created, 0);
        ++figures.by_age[place_of(age_s)];
        if (figures.oldest.empty() || age_s > figures.oldest_s) {
            figures.oldest_s = age_s;
            figures.oldest = value.id;
        }
    }
    tell(found, now_ns);
    std::lock_guard const lock{mutex_};
    figures_ = std::move(found);
    return {};
}

void Unknowns::tell(std::map<Key, Figures>& found, std::uint64_t now_ns) {
    for (auto& [key, figures] : found) {
        figures.is_alarmed = figures.oldest_s >= static_cast<std::int64_t>(options_.alarm_s);
        if (!figures.is_alarmed) {
            continue;
        }
        auto const [place, is_new] = alarms_.try_emplace(key);
        Alarm& alarm = place->second;
        if (!is_new && now_ns < alarm.next_ns) {
            continue;
        }
        alarm.pause_s = is_new ? std::min(options_.alarm_s, kPauseMostS)
                               : std::min(alarm.pause_s * 2, kPauseMostS);
        alarm.next_ns = now_ns + alarm.pause_s * kNsPerSecond;
        log::warn(
            "attempts.unknown_alarm",
            {{"connector", key.first},
             {"operation", key.second},
             {"unknown", figures.count()},
             {"oldest", figures.oldest},
             {"oldest_s", figures.oldest_s},
             {"again_in_s", alarm.pause_s}}
        );
    }
    std::erase_if(alarms_, [&](auto const& each) {
        auto const now = found.find(each.first);
        bool const is_over = now == found.end() || !now->second.is_alarmed;
        if (is_over) {
            log::info(
                "attempts.unknown_alarm_over",
                {{"connector", each.first.first}, {"operation", each.first.second}}
            );
        }
        return is_over;
    });
}

Unknowns::Figures Unknowns::figures(std::string_view connector, std::string_view operation) const {
    std::lock_guard const lock{mutex_};
    auto const found = figures_.find({std::string{connector}, std::string{operation}});
    return found == figures_.end() ? Figures{} : found->second;
}

}  // namespace florin::flow
