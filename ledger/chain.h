// How a batch runs: timestamps, imports, and chains of linked events that happen whole or not at
// all.
//
// The same for accounts and transfers. Thread rule: the ledger thread only.
#pragma once

#include "ledger/books.h"
#include "ledger/command.h"
#include "ledger/draft.h"

#include <type_traits>
#include <vector>

namespace florin::ledger {

inline bool is_linked(Account const& event) {
    return event.has(account_linked);
}
inline bool is_linked(Transfer const& event) {
    return event.has(transfer_linked);
}
inline bool is_imported(Account const& event) {
    return event.has(account_imported);
}
inline bool is_imported(Transfer const& event) {
    return event.has(transfer_imported);
}

template <class Event, class Status>
class Chain {
public:
    Chain(Books& books, RecordDraft& draft) : books_{books}, draft_{draft} {}

    // `create(event, timestamp, now)` answers Result of {status, timestamp}: the event gets
    // `timestamp`, its own place in the batch or what it was imported with, and happens at `now`,
    // which is always its place. `failed(event, status)` is told of every refusal once its chain,
    // if any, has been taken back.
    template <class Create, class Failed>
    Result<std::vector<EventResult<Status>>> run(
        std::vector<Event> const& events,
        std::uint64_t clock,
        Create const& create,
        Failed const& failed
    ) {
        std::size_t const count = events.size();
        std::vector<EventResult<Status>> results;
        results.reserve(count);
        bool const imports = count > 0 && is_imported(events[0]);
        for (std::size_t i = 0; i < count; ++i) {
            Event const& event = events[i];
            if constexpr (std::is_same_v<Event, Transfer>) {
                if (i + 2 * kPrefetchAhead < count) {
                    books_.prefetch_early(events[i + 2 * kPrefetchAhead]);
                }
                if (i + kPrefetchAhead < count) {
                    books_.prefetch(events[i + kPrefetchAhead]);
                }
            }
            std::uint64_t const own = clock - count + i + 1;
            bool const opens = is_linked(event) && !in_chain_;
            if (opens) {
                in_chain_ = true;
                start_ = i;
                broken_ = false;
                mark_ = draft_.mark();
                books_.open_scope();
            }
            EventResult<Status> result{Status::created, own};
            if (is_linked(event) && i + 1 == count) {
                // Tested before a broken chain: an open end is the caller's mistake either way.
                result.status = Status::linked_event_chain_open;
            } else if (in_chain_ && broken_) {
                result.status = Status::linked_event_failed;
            } else if (Status const early = before(event, imports, clock);
                       early != Status::created) {
                result.status = early;
            } else {
                auto outcome = create(event, imports ? event.timestamp : own, own);
                if (!outcome) {
                    return std::unexpected{std::move(outcome).error()};
                }
                result.status = outcome->status;
                if (result.status == Status::created || result.status == Status::exists) {
                    result.timestamp = outcome->timestamp;
                }
            }
            results.push_back(result);
            if (result.status != Status::created) {
                if (in_chain_ && !broken_) {
                    break_chain(results, i, clock - count + 1);
                }
                failed(event, result.status);
            }
            bool const closes = in_chain_ && (!is_linked(event) ||
                                              result.status == Status::linked_event_chain_open);
            if (closes) {
                if (!broken_) {
                    books_.keep_scope();
                }
                in_chain_ = false;
            }
        }
        return results;
    }

private:
    // Events between asking for memory and using it.
    static constexpr std::size_t kPrefetchAhead = 8;

    static Status before(Event const& event, bool imports, std::uint64_t clock) {
        if (is_imported(event) != imports) {
            return imports ? Status::imported_event_expected : Status::imported_event_not_expected;
        }
        if (!imports) {
            return event.timestamp == 0 ? Status::created : Status::timestamp_must_be_zero;
        }
        if (event.timestamp == 0 || event.timestamp > kTimestampMax) {
            return Status::imported_event_timestamp_out_of_range;
        }
        if (event.timestamp >= clock) {
            return Status::imported_event_timestamp_must_not_advance;
        }
        return Status::created;
    }

    // The breaker keeps its own status; every member before it failed because of it.
    void break_chain(
        std::vector<EventResult<Status>>& results, std::size_t breaker, std::uint64_t first
    ) {
        broken_ = true;
        books_.undo_scope();
        draft_.back_to(mark_);
        for (std::size_t i = start_; i < breaker; ++i) {
            results[i] = {Status::linked_event_failed, first + i};
        }
    }

    Books& books_;
    RecordDraft& draft_;
    bool in_chain_ = false;
    std::size_t start_ = 0;  // its first event
    bool broken_ = false;
    RecordDraft::Mark mark_{};
};

}  // namespace florin::ledger
