// One endpoint's way through the events of its owner: what to try next, what came of it, what has
// to be stored.
//
// Reads events from the store when it is their turn, a page at a time; holds what is under way and
// what is not stored yet, so its size does not depend on how much waits. Speaks to nobody: the
// dispatcher sends, keeps time and stores.
//
// An endpoint that refused the last few tries is down: it gets one try at a time, and of new events
// one in a while, until a try succeeds. What it missed meanwhile stays in the journal and follows
// then; so does what it had failed by then, however long that would have to wait otherwise.
// Thread rule: one thread.
#pragma once

#include "daemon/flow/store.h"
#include "daemon/model/webhooks.h"
#include "daemon/webhooks/rules.h"
#include "ledger/command.h"
#include "ledger/documents.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace florin::webhooks {

struct LaneOptions {
    Pace pace;
    std::size_t concurrency = 4;        // tries under way at the same time
    std::int64_t down_after = 5;        // failures in a row
    std::uint64_t probe_ms = 60'000;    // between new events for an endpoint that is down; scaled
    std::int64_t waiting_max = 10'000;  // deliveries that wait; no new events while there are more
    std::size_t unsaved_max = 256;     // outcomes not stored yet; no new tries while there are more
    std::size_t page = 64;             // events read at once
    std::uint64_t put_off_ms = 1'000;  // pause after a try that was put off
    std::uint64_t skipped_save = 10'000;  // unwanted events after which the place is stored
};

// A try to make.
struct Try {
    ledger::Event event;
    std::int64_t attempts = 0;  // before this one
    std::uint64_t due_ms = 0;   // of a repeated one
    bool is_first() const { return attempts == 0; }
};

class Lane {
public:
    // `reader` outlives this. `endpoint` is enabled and has a queue. Errc::not_found where the
    // queue is not there (any more).
    static Result<std::unique_ptr<Lane>> open(
        ledger::DocumentReader const& reader,
        LaneOptions options,
        std::string owner,
        model::WebhookEndpoint endpoint
    );

    std::string const& owner() const { return owner_; }
    model::WebhookEndpoint const& endpoint() const { return endpoint_; }
    // The same queue with another URL, other events, another secret. Behind another URL there may
    // be another server: it is not down.
    void update(model::WebhookEndpoint endpoint);

    // There may be new events of the owner.
    void wake() { caught_up_ = false; }
    // Whether next() may answer something.
    bool may_have_work(std::uint64_t now_ms) const;
    // The next try, which is under way from now on. nullopt: none at `now_ms`; may_have_work() says
    // whether to ask again at once (a long stretch of unwanted events is read in pieces).
    Result<std::optional<Try>> next(std::uint64_t now_ms);
    // What came of a try. Answers whether the endpoint is down by now, or up again.
    enum class Turn { none, down, up };
    // forgotten: there is nothing to send. put_off: it was not tried, through no fault of the
    // endpoint's; it comes again soon and counts nowhere.
    enum class Outcome { delivered, failed, forgotten, put_off };
    Turn finished(Try const& attempt, Outcome outcome, std::uint64_t now_ms);
    // A try that was broken off because the daemon stops: made again after the restart. No next()
    // after this.
    void abandoned(Try const& attempt);

    // One store at a time: to_store(), commit, stored(). nullopt: nothing to store.
    std::optional<ledger::Command> to_store();
    // Whether a failure, or a place worth keeping, is not stored yet.
    bool has_unsaved() const;
    // False: it was not committed; what was to be stored comes again.
    void stored(bool committed);
    bool is_storing() const { return is_storing_; }

    bool is_down() const { return failures_in_a_row_ >= options_.down_after; }
    bool is_full() const { return waiting_ >= options_.waiting_max; }
    bool is_idle() const { return in_flight_.empty() && retrying_ == 0; }
    std::size_t under_way() const { return in_flight_.size() - put_off_.size() + retrying_; }
    std::int64_t waiting() const { return waiting_; }
    std::uint64_t given_up() const { return given_up_; }  // since it was opened
    // When the oldest event was recorded that has not had its first try; 0: there is none.
    std::uint64_t oldest_untried_ms() const {
        return caught_up_ && put_off_.empty() ? 0 : oldest_untried_ms_;
    }

private:
    Lane(ledger::DocumentReader const& reader, LaneOptions options, std::string owner)
        : reader_{reader}, options_{options}, owner_{std::move(owner)} {}

    struct Unsaved {
        std::string event;
        std::int64_t attempts = 0;     // with the last one
        std::uint64_t old_due_ms = 0;  // 0: there was none
        std::uint64_t due_ms = 0;      // 0: given up, where it stays
        bool stays = true;             // false: delivered, the documents go
    };
    struct Gap {
        model::Place first, last;
        std::uint64_t until_ms = 0;
        std::uint64_t version = 0;
        bool is_dirty = false;
    };

    std::size_t limit() const { return is_down() ? 1 : options_.concurrency; }
    bool may_start_new(std::uint64_t now_ms) const;
    bool has_retry(std::uint64_t now_ms) const { return next_due_ms_ <= now_ms || has_missed_; }
    void begin_to_catch_up(std::uint64_t now_ms);
    void look_for_missed();
    Result<std::optional<Try>> next_retry(std::uint64_t now_ms);
    Result<std::optional<Try>> next_due(std::uint64_t now_ms);
    Result<std::optional<Try>> next_missed(std::uint64_t now_ms);
    struct Due;
    Result<Due> parse_due(std::string const& id) const;
    std::uint64_t failed_ms(std::uint64_t due_ms, std::int64_t attempts) const;
    Result<std::int64_t> attempts_of(std::string const& event) const;
    Result<Try> retry(Due const& due, std::int64_t attempts);
    Result<std::optional<Try>> next_new(std::uint64_t now_ms);
    Try first_try(ledger::Event event, std::uint64_t now_ms);
    void put_off(Try const& attempt, std::uint64_t now_ms);
    void skip_too_old(ledger::Event const& event, std::uint64_t recorded_ms);
    model::Place cursor() const;
    void put(flow::Change& change, Unsaved const& outcome) const;
    void put(flow::Change& change, Gap const& gap) const;
    void gaps_are_stored();

    ledger::DocumentReader const& reader_;
    LaneOptions options_;
    std::string owner_;
    model::WebhookEndpoint endpoint_;
    model::WebhookQueue queue_;
    std::uint64_t queue_version_ = 0;

    model::Place read_to_;               // events before it were looked at
    std::set<model::Place> in_flight_;   // first tries under way, or put off
    std::set<std::string> busy_;         // events of retries under way or not stored
    std::size_t retrying_ = 0;           // retries under way
    std::deque<ledger::Event> page_;     // read ahead
    std::deque<ledger::Event> put_off_;  // first tries to make again: no more than limit() was
    std::uint64_t put_off_until_ms_ = 0;
    std::deque<Unsaved> unsaved_;
    std::size_t storing_count_ = 0;  // of unsaved_, in the command under way
    bool is_storing_ = false;
    model::Place stored_cursor_;
    model::Place storing_cursor_;  // in the command under way, with the counts it covers
    std::uint64_t storing_finished_ = 0;
    std::uint64_t storing_skipped_ = 0;
    std::deque<Gap> gaps_;  // not stored yet, and the last one
    std::deque<Gap> storing_gaps_;
    bool gap_is_open_ = false;    // nothing was tried since the last event of the last gap
    std::uint64_t skipped_ = 0;   // events looked at since the place was stored
    std::uint64_t finished_ = 0;  // delivered since the place was stored
    std::int64_t waiting_ = 0;    // with what is not stored yet
    std::int64_t failures_in_a_row_ = 0;
    std::uint64_t probe_at_ms_ = 0;
    std::uint64_t next_due_ms_ = 0;  // 0: not known, look
    bool is_behind_ = false;         // was down, and nothing was delivered since
    // Of what failed before this moment, when it was up again, nothing waits any longer; 0: all
    // waits. Those up to missed_to_, in the order of due times, have been looked at.
    std::uint64_t up_since_ms_ = 0;
    std::string missed_to_;
    bool has_missed_ = false;  // there may be some behind missed_to_
    std::uint64_t oldest_untried_ms_ = 0;
    std::uint64_t given_up_ = 0;
    bool caught_up_ = false;
    bool was_retry_ = false;  // the last try was one: new events take turns with them
};

}  // namespace florin::webhooks
