#include "daemon/retention/retention.h"

#include "daemon/flow/store.h"
#include "daemon/log/log.h"
#include "daemon/model/retention.h"
#include "ledger/record.h"

#include <algorithm>
#include <pthread.h>
#include <set>

namespace florin::retention {
namespace {

using ledger::Sequence;

// Small enough that a sweep is a short step, large enough that its sync is nothing.
constexpr std::size_t kRecordsMax = 4'000;
constexpr std::size_t kBodiesMax = 10'000;
// Of a round, which finds little in much: what it looks at is what it costs.
constexpr std::size_t kRoundDocumentsMax = 10'000;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

// Bodies of documents that this record's events are about: these need them as long as they are
// shown.
Result<std::set<std::uint32_t>> shown_by_events(ByteView effects) {
    std::set<std::uint32_t> shown;
    ledger::EffectReader reader{effects};
    while (!reader.at_end()) {
        FLORIN_TRY(auto const effect, reader.next());
        if (auto const* const event = std::get_if<ledger::DocumentEventRecorded>(&effect)) {
            shown.insert(event->document);
        }
    }
    return shown;
}

}  // namespace

Result<bool> Sweeper::is_replaced(ledger::DocumentWritten const& written) const {
    FLORIN_TRY(auto const now, ledger_.documents().get(written.key));
    return !now || now->version > written.version;
}

Result<void> Sweeper::collect(Pass const& pass, Sequence sequence, ByteView effects, Step& step)
    const {
    std::set<std::uint32_t> shown;
    if (!pass.events && !pass.again) {
        FLORIN_TRY(shown, shown_by_events(effects));
    }
    ledger::EffectReader reader{effects};
    while (!reader.at_end()) {
        FLORIN_TRY(auto const effect, reader.next());
        if (auto const* const written = std::get_if<ledger::DocumentWritten>(&effect)) {
            auto const* const body = std::get_if<ledger::PayloadReference>(&written->body);
            if (body == nullptr || shown.contains(body->index)) {
                continue;
            }
            ++step.documents;
            if (pass.again) {
                // Most are forgotten by now, and must not count once more with every round.
                FLORIN_TRY(auto const kept, ledger_.payload(sequence, body->index));
                if (!kept) {
                    continue;
                }
            }
            FLORIN_TRY(bool const replaced, is_replaced(*written));
            if (replaced) {
                step.places.push_back({sequence, body->index});
            }
        } else if (auto const* const event = std::get_if<ledger::EventRecorded>(&effect);
                   event != nullptr && pass.events) {
            step.places.push_back({sequence, event->body.index});
        } else if (auto const* const about = std::get_if<ledger::DocumentEventRecorded>(&effect);
                   about != nullptr && pass.events) {
            // Shared by the events of a request.
            std::uint32_t const index = about->event.body.index;
            bool const is_noted = !step.places.empty() && step.places.back().sequence == sequence &&
                                  step.places.back().index == index;
            if (!is_noted) {
                step.places.push_back({sequence, index});
            }
        }
    }
    return {};
}

Result<Sweeper::Swept> Sweeper::sweep(Pass const& pass, std::uint64_t now_ns) {
    FLORIN_TRY(
        auto cursor,
        flow::load<model::RetentionCursor>(ledger_.documents(), model::kRetentionOwner, pass.name)
    );
    auto at = cursor.value_or(flow::Stored<model::RetentionCursor>{});
    std::uint64_t const keep_ns = pass.keep_s * kNsPerSecond;
    std::uint64_t const before_ns = now_ns > keep_ns ? now_ns - keep_ns : 0;
    if (pass.again && at.value.sequence == 0) {
        if (at.value.begun_ns > before_ns) {
            return Swept{.is_done = true};  // it rests
        }
        at.value.begun_ns = now_ns;
    }
    Step step;
    Sequence last = at.value.sequence;
    Swept swept{.is_done = true};
    auto const visit = [&](ledger::Journal::StoredRecord const& record) -> Result<bool> {
        FLORIN_TRY(auto const header, ledger::decode_header(record.header));
        if (header.time >= before_ns) {
            return false;
        }
        if (step.records >= kRecordsMax || step.places.size() >= kBodiesMax ||
            (pass.again && step.documents >= kRoundDocumentsMax)) {
            swept.is_done = false;
            return false;
        }
        FLORIN_TRY_VOID(collect(pass, header.sequence, record.effects, step));
        ++step.records;
        last = header.sequence;
        return true;
    };
    if (at.value.sequence < ledger_.head().sequence) {
        FLORIN_TRY_VOID(ledger_.read(at.value.sequence + 1, visit));
    }
    // A step that found nothing is not worth a record: its cursor stays and goes on from here soon.
    // A round's step is, since it moves once a look, and its end begins the rest; but one that
    // never left the beginning was none.
    bool const is_idle =
        pass.again ? last == 0 : step.places.empty() && step.records < kRecordsMax / 2;
    if (is_idle) {
        return swept;
    }
    FLORIN_TRY_VOID(ledger_.drop_payloads(step.places));
    swept.dropped = step.places.size();
    flow::Change change{model::kRetentionOwner};
    at.value.sequence = pass.again && swept.is_done ? 0 : last;
    change.put(pass.name, at);
    FLORIN_TRY(auto const answer, ledger_.call(std::move(change.command)));
    auto const& receipt = std::get<ledger::Receipt>(answer);
    if (!receipt.committed()) {
        return fail(
            Errc::conflict,
            std::string{"the retention cursor was refused: "} +
                std::string{status_name(receipt.status)}
        );
    }
    return swept;
}

Result<Sweeper::Swept> Sweeper::sweep(std::uint64_t now_ns) {
    Pass const replaced{
        .name = "replaced", .keep_s = options_.replaced_s, .events = false, .again = false
    };
    Pass const old{.name = "old", .keep_s = options_.events_s, .events = true, .again = false};
    Pass const round{.name = "round", .keep_s = options_.events_s, .events = false, .again = true};
    FLORIN_TRY(Swept const soon, sweep(replaced, now_ns));
    FLORIN_TRY(Swept const late, sweep(old, now_ns));
    Swept swept{.dropped = soon.dropped + late.dropped, .is_done = soon.is_done && late.is_done};
    if (swept.is_done) {
        FLORIN_TRY(Swept const again, sweep(round, now_ns));
        swept.dropped += again.dropped;
    }
    return swept;
}

Retention::Retention(ledger::Ledger& ledger, Clock const& clock, Options options)
    : sweeper_{ledger, options},
      clock_{clock},
      interval_{static_cast<std::int64_t>(options.interval_ms)} {}

void Retention::start() {
    thread_ = std::thread{[this] { run(); }};
    pthread_setname_np(thread_.native_handle(), "florin-keep");
}

void Retention::stop() {
    {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
        wake_.notify_one();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Retention::run() {
    // Between two steps others get their turn at the disk.
    constexpr std::chrono::milliseconds kPause{20};
    std::unique_lock lock{mutex_};
    while (!stopping_) {
        lock.unlock();
        auto const swept = sweeper_.sweep(clock_.wall_ns());
        if (swept) {
            dropped_ += swept->dropped;
        } else if (swept.error().code != Errc::closed && swept.error().code != Errc::overloaded) {
            log::error("retention.failed", {{"what", swept.error().context}});
        }
        bool const is_done = !swept || swept->is_done;
        lock.lock();
        wake_.wait_for(lock, is_done ? interval_ : std::min(kPause, interval_), [this] {
            return stopping_;
        });
    }
}

}  // namespace florin::retention
