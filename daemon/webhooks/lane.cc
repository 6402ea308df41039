#include "daemon/webhooks/lane.h"

#include "daemon/flow/store.h"
#include "daemon/webhooks/pending.h"
#include "ledger/base/check.h"

namespace florin::webhooks {
namespace {

constexpr std::uint64_t kNever = ~std::uint64_t{0};
constexpr std::size_t kPagesAtOnce = 16;
constexpr std::size_t kStoreAtOnce = 128;

model::Place place_of(ledger::Event const& event) {
    return {.sequence = event.sequence, .index = event.index};
}
model::Place after(model::Place place) {
    return {.sequence = place.sequence, .index = place.index + 1};
}

std::uint64_t event_ms(ledger::Event const& event) {
    return model::event_time_ns(event) / 1'000'000;
}

}  // namespace

Result<std::unique_ptr<Lane>> Lane::open(
    ledger::DocumentReader const& reader,
    LaneOptions options,
    std::string owner,
    model::WebhookEndpoint endpoint
) {
    FLORIN_TRY(
        auto const document,
        reader.get(model::key_of(model::Kind::webhook_queue, owner, endpoint.queue))
    );
    if (!document || !document->body) {
        return fail(Errc::not_found, "webhook queue " + endpoint.queue + " is gone");
    }
    FLORIN_TRY(auto queue, model::from_text<model::WebhookQueue>(*document->body));
    if (queue.dropped) {
        return fail(Errc::not_found, "webhook queue " + endpoint.queue + " is dropped");
    }
    std::unique_ptr<Lane> lane{new Lane{reader, options, std::move(owner)}};
    lane->endpoint_ = std::move(endpoint);
    lane->queue_version_ = document->version;
    lane->read_to_ = lane->stored_cursor_ = cursor_of(queue, document->sequence);
    queue.start = start_of(queue, document->sequence);
    lane->waiting_ = queue.waiting;
    lane->queue_ = std::move(queue);
    return lane;
}

void Lane::update(model::WebhookEndpoint endpoint) {
    if (endpoint.url != endpoint_.url) {
        failures_in_a_row_ = 0;
        probe_at_ms_ = 0;
        put_off_until_ms_ = 0;
    }
    endpoint_ = std::move(endpoint);
}

bool Lane::may_start_new(std::uint64_t now_ms) const {
    bool const is_probing = !is_down() || now_ms >= probe_at_ms_;
    return (!caught_up_ || !put_off_.empty()) && !is_full() && is_probing;
}

bool Lane::may_have_work(std::uint64_t now_ms) const {
    bool const has_room = under_way() < limit() && unsaved_.size() < options_.unsaved_max;
    return has_room && now_ms >= put_off_until_ms_ && (has_retry(now_ms) || may_start_new(now_ms));
}

Result<std::optional<Try>> Lane::next(std::uint64_t now_ms) {
    if (!may_have_work(now_ms)) {
        return std::nullopt;
    }
    // Old failures and new events take turns, so that neither starves the other.
    for (bool const takes_retry : {!was_retry_, was_retry_}) {
        std::optional<Try> found;
        if (takes_retry && has_retry(now_ms)) {
            FLORIN_TRY(found, next_retry(now_ms));
        } else if (!takes_retry && may_start_new(now_ms)) {
            FLORIN_TRY(found, next_new(now_ms));
        }
        if (found) {
            was_retry_ = takes_retry;
            return found;
        }
    }
    return std::nullopt;
}

// "<queue>/<due>/<event>"
struct Lane::Due {
    std::uint64_t due_ms = 0;
    std::string event;
};

Result<Lane::Due> Lane::parse_due(std::string const& id) const {
    std::size_t const prefix = endpoint_.queue.size() + 1;
    auto const slash = id.find('/', prefix);
    if (slash == std::string::npos) {
        return fail(Errc::corrupt, "webhook_due " + id + ": has no time");
    }
    auto const due = parse_u128(id.substr(prefix, slash - prefix));
    if (!due) {
        return fail(Errc::corrupt, "webhook_due " + id + ": has no time");
    }
    return Due{.due_ms = static_cast<std::uint64_t>(*due), .event = id.substr(slash + 1)};
}

Result<std::optional<Try>> Lane::next_retry(std::uint64_t now_ms) {
    std::optional<Try> found;
    if (next_due_ms_ <= now_ms) {
        FLORIN_TRY(found, next_due(now_ms));
    }
    if (!found && has_missed_) {
        FLORIN_TRY(found, next_missed(now_ms));
    }
    return found;
}

Result<std::optional<Try>> Lane::next_due(std::uint64_t now_ms) {
    std::string const prefix = endpoint_.queue + "/";
    FLORIN_TRY(
        auto const page,
        reader_.list(
            {.kind = static_cast<std::uint16_t>(model::Kind::webhook_due),
             .owner = owner_,
             .after = prefix,
             .newest_first = false,
             .limit = busy_.size() + 1}
        )
    );
    next_due_ms_ = kNever;
    for (ledger::Document const& document : page) {
        if (!document.key.id.starts_with(prefix)) {
            break;
        }
        FLORIN_TRY(Due const due, parse_due(document.key.id));
        if (busy_.contains(due.event)) {
            continue;
        }
        if (due.due_ms > now_ms) {
            next_due_ms_ = due.due_ms;
            break;
        }
        FLORIN_TRY(auto const attempts, attempts_of(due.event));
        FLORIN_TRY(auto found, retry(due, attempts));
        next_due_ms_ = 0;  // there may be another
        return found;
    }
    return std::nullopt;
}

// Of those that are not due yet the next that failed before the endpoint was up again.
Result<std::optional<Try>> Lane::next_missed(std::uint64_t now_ms) {
    std::string const prefix = endpoint_.queue + "/";
    for (std::size_t pages = 0; pages < kPagesAtOnce; ++pages) {
        FLORIN_TRY(
            auto const page,
            reader_.list(
                {.kind = static_cast<std::uint16_t>(model::Kind::webhook_due),
                 .owner = owner_,
                 .after = missed_to_,
                 .newest_first = false,
                 .limit = options_.page}
            )
        );
        for (ledger::Document const& document : page) {
            if (!document.key.id.starts_with(prefix)) {
                has_missed_ = false;
                return std::nullopt;
            }
            missed_to_ = document.key.id;
            FLORIN_TRY(Due const due, parse_due(document.key.id));
            if (busy_.contains(due.event) || due.due_ms <= now_ms) {
                continue;
            }
            FLORIN_TRY(auto const attempts, attempts_of(due.event));
            if (failed_ms(due.due_ms, attempts) < up_since_ms_) {
                return retry(due, attempts);
            }
        }
        if (page.size() < options_.page) {
            has_missed_ = false;
            return std::nullopt;
        }
    }
    return std::nullopt;
}

Result<std::int64_t> Lane::attempts_of(std::string const& event) const {
    FLORIN_TRY(
        auto const delivery,
        flow::load_known<model::WebhookDelivery>(
            reader_, owner_, model::webhook_delivery_id(endpoint_.queue, event)
        )
    );
    return delivery.value.attempts;
}

Result<Try> Lane::retry(Due const& due, std::int64_t attempts) {
    FLORIN_TRY(auto event, reader_.event(owner_, due.event));
    if (!event) {
        return fail(Errc::corrupt, "event " + due.event + " of a delivery is gone");
    }
    busy_.insert(due.event);
    ++retrying_;
    return Try{.event = std::move(*event), .attempts = attempts, .due_ms = due.due_ms};
}

// When the last try of a delivery failed that waits now.
std::uint64_t Lane::failed_ms(std::uint64_t due_ms, std::int64_t attempts) const {
    return due_ms - options_.pace.scaled(retry_delay_ms(attempts));
}

// What failed until now is not kept waiting any longer.
void Lane::begin_to_catch_up(std::uint64_t now_ms) {
    is_behind_ = false;
    up_since_ms_ = now_ms;
    look_for_missed();
}

void Lane::look_for_missed() {
    has_missed_ = true;
    missed_to_ = endpoint_.queue + "/";
}

Result<std::optional<Try>> Lane::next_new(std::uint64_t now_ms) {
    if (!put_off_.empty()) {
        ledger::Event event = std::move(put_off_.front());
        put_off_.pop_front();
        return first_try(std::move(event), now_ms);
    }
    for (std::size_t pages = 0; pages < kPagesAtOnce;) {
        if (page_.empty()) {
            ++pages;
            FLORIN_TRY(
                auto found,
                reader_.events_of(owner_, read_to_.sequence, read_to_.index, options_.page)
            );
            page_.assign(
                std::make_move_iterator(found.begin()), std::make_move_iterator(found.end())
            );
            if (page_.empty()) {
                caught_up_ = true;
                return std::nullopt;
            }
        }
        ledger::Event event = std::move(page_.front());
        page_.pop_front();
        read_to_ = after(place_of(event));
        ++skipped_;
        if (!wants(endpoint_.enabled_events, event.type)) {
            continue;
        }
        std::uint64_t const recorded_ms = event_ms(event);
        if (recorded_ms + options_.pace.give_up_ms() < now_ms) {
            skip_too_old(event, recorded_ms);
            continue;
        }
        // Tried before a restart, while something before it was still under way.
        FLORIN_TRY(
            auto const known,
            reader_.get(model::key_of(
                model::Kind::webhook_delivery,
                owner_,
                model::webhook_delivery_id(endpoint_.queue, event.id)
            ))
        );
        if (known) {
            continue;
        }
        oldest_untried_ms_ = recorded_ms;
        gap_is_open_ = false;
        return first_try(std::move(event), now_ms);
    }
    return std::nullopt;
}

Try Lane::first_try(ledger::Event event, std::uint64_t now_ms) {
    if (is_down()) {
        probe_at_ms_ = now_ms + options_.pace.scaled(options_.probe_ms);
    }
    in_flight_.insert(place_of(event));
    return Try{.event = std::move(event)};
}

void Lane::put_off(Try const& attempt, std::uint64_t now_ms) {
    put_off_until_ms_ = now_ms + options_.put_off_ms;
    if (attempt.is_first()) {
        // It stays in flight, so that the stored place stays before it.
        oldest_untried_ms_ = put_off_.empty() ? event_ms(attempt.event) : oldest_untried_ms_;
        put_off_.push_back(attempt.event);
        probe_at_ms_ = 0;
        return;
    }
    --retrying_;
    busy_.erase(attempt.event.id);
    next_due_ms_ = 0;
    if (attempt.due_ms > now_ms && up_since_ms_ != 0) {
        look_for_missed();
    }
}

// One document for as many as follow each other.
void Lane::skip_too_old(ledger::Event const& event, std::uint64_t recorded_ms) {
    ++given_up_;
    if (gaps_.empty() || !gap_is_open_) {
        gaps_.push_back({.first = place_of(event), .last = {}, .until_ms = 0, .version = 0});
    }
    gap_is_open_ = true;
    gaps_.back().last = place_of(event);
    gaps_.back().until_ms = recorded_ms;
    gaps_.back().is_dirty = true;
}

Lane::Turn Lane::finished(Try const& attempt, Outcome outcome, std::uint64_t now_ms) {
    if (outcome == Outcome::put_off) {
        put_off(attempt, now_ms);
        return Turn::none;
    }
    bool const was_down = is_down();
    if (outcome == Outcome::failed) {
        ++failures_in_a_row_;
    } else if (outcome == Outcome::delivered) {
        failures_in_a_row_ = 0;
        probe_at_ms_ = 0;
        if (is_behind_) {
            begin_to_catch_up(now_ms);
        }
    }
    Unsaved unsaved{
        .event = attempt.event.id,
        .attempts = attempt.attempts + 1,
        .old_due_ms = attempt.due_ms,
    };
    if (outcome == Outcome::failed) {
        auto const due =
            next_try_ms(options_.pace, event_ms(attempt.event), unsaved.attempts, now_ms);
        unsaved.due_ms = due.value_or(0);
    } else {
        unsaved.stays = false;
    }
    if (attempt.is_first()) {
        in_flight_.erase(place_of(attempt.event));
        ++finished_;
        if (unsaved.stays) {
            busy_.insert(unsaved.event);
        }
    } else {
        --retrying_;
    }
    if (!attempt.is_first() || unsaved.stays) {
        bool const waited = !attempt.is_first();
        bool const waits = unsaved.due_ms != 0;
        waiting_ += (waits ? 1 : 0) - (waited ? 1 : 0);
        given_up_ += unsaved.stays && !waits ? 1U : 0U;
        unsaved_.push_back(std::move(unsaved));
    }
    if (is_down() && !was_down) {
        is_behind_ = true;
        has_missed_ = false;
        up_since_ms_ = 0;
        // Repeated failures may be about those events only: a new one is tried at once.
        probe_at_ms_ =
            attempt.is_first() ? now_ms + options_.pace.scaled(options_.probe_ms) : now_ms;
        return Turn::down;
    }
    return was_down && !is_down() ? Turn::up : Turn::none;
}

void Lane::abandoned(Try const& attempt) {
    if (!attempt.is_first()) {
        --retrying_;
        busy_.erase(attempt.event.id);
        next_due_ms_ = 0;
        return;
    }
    // It stays under way, so that the stored place stays before it.
}

// Everything before it is delivered, not wanted, or on record.
model::Place Lane::cursor() const {
    return in_flight_.empty() ? read_to_ : std::min(*in_flight_.begin(), read_to_);
}

bool Lane::has_unsaved() const {
    bool const has_gap = !gaps_.empty() && gaps_.back().is_dirty;
    bool const moved =
        cursor() != stored_cursor_ && (finished_ > 0 || skipped_ >= options_.skipped_save);
    return !unsaved_.empty() || has_gap || moved;
}

std::optional<ledger::Command> Lane::to_store() {
    FLORIN_CHECK(!is_storing_, "a lane stores one thing at a time");
    if (!has_unsaved()) {
        return std::nullopt;
    }
    flow::Change change{owner_};
    storing_count_ = std::min(unsaved_.size(), kStoreAtOnce);
    std::int64_t waiting_later = 0;  // of what does not fit into this command
    for (std::size_t i = 0; i < unsaved_.size(); ++i) {
        if (i < storing_count_) {
            put(change, unsaved_[i]);
        } else {
            waiting_later +=
                (unsaved_[i].due_ms != 0 ? 1 : 0) - (unsaved_[i].old_due_ms != 0 ? 1 : 0);
        }
    }
    storing_gaps_ = gaps_;
    for (Gap const& gap : storing_gaps_) {
        if (gap.is_dirty) {
            put(change, gap);
        }
    }
    // First failures that do not fit keep the place before them: they would be lost otherwise.
    bool const is_whole = storing_count_ == unsaved_.size();
    storing_cursor_ = is_whole ? cursor() : stored_cursor_;
    storing_finished_ = is_whole ? finished_ : 0;
    storing_skipped_ = is_whole ? skipped_ : 0;
    model::WebhookQueue queue = queue_;
    queue.sequence = storing_cursor_.sequence;
    queue.index = storing_cursor_.index;
    queue.waiting = waiting_ - waiting_later;
    change.put(endpoint_.queue, queue, queue_version_);
    is_storing_ = true;
    return std::move(change.command);
}

void Lane::put(flow::Change& change, Unsaved const& outcome) const {
    std::string const id = model::webhook_delivery_id(endpoint_.queue, outcome.event);
    auto const version = static_cast<std::uint64_t>(outcome.attempts - 1);
    if (outcome.old_due_ms != 0) {
        change.remove(
            model::Kind::webhook_due,
            model::webhook_due_id(endpoint_.queue, outcome.old_due_ms, outcome.event),
            1
        );
    }
    if (!outcome.stays) {
        change.remove(model::Kind::webhook_delivery, id, version);
        return;
    }
    model::WebhookDelivery const delivery{
        .state = outcome.due_ms != 0 ? "waiting" : "given_up",
        .attempts = outcome.attempts,
        .due_ms = outcome.due_ms,
    };
    change.put(id, delivery, version);
    if (outcome.due_ms != 0) {
        change.put(
            model::webhook_due_id(endpoint_.queue, outcome.due_ms, outcome.event),
            model::WebhookDue{outcome.event},
            0
        );
    }
}

void Lane::put(flow::Change& change, Gap const& gap) const {
    model::WebhookGap const document{
        .sequence = gap.last.sequence,
        .index = gap.last.index,
        .until = static_cast<std::int64_t>(gap.until_ms / 1'000),
    };
    change.put(model::webhook_gap_id(endpoint_.queue, gap.first), document, gap.version);
}

void Lane::stored(bool committed) {
    FLORIN_CHECK(is_storing_, "something was being stored");
    is_storing_ = false;
    if (!committed) {
        return;
    }
    ++queue_version_;
    stored_cursor_ = storing_cursor_;
    finished_ -= storing_finished_;
    skipped_ -= storing_skipped_;
    for (; storing_count_ > 0; --storing_count_) {
        Unsaved const& outcome = unsaved_.front();
        busy_.erase(outcome.event);
        if (outcome.due_ms != 0) {
            next_due_ms_ = std::min(next_due_ms_, outcome.due_ms);
            // It failed before the turn, and where it waits may have been passed already.
            if (failed_ms(outcome.due_ms, outcome.attempts) < up_since_ms_) {
                look_for_missed();
            }
        }
        unsaved_.pop_front();
    }
    gaps_are_stored();
}

// The last one may still grow; the others are done with.
void Lane::gaps_are_stored() {
    for (std::size_t i = 0; i < storing_gaps_.size(); ++i) {
        Gap const& written = storing_gaps_[i];
        if (written.is_dirty) {
            ++gaps_[i].version;
            gaps_[i].is_dirty = gaps_[i].last != written.last;
        }
    }
    while (gaps_.size() > 1 && !gaps_.front().is_dirty) {
        gaps_.pop_front();
    }
    storing_gaps_.clear();
}

}  // namespace florin::webhooks
