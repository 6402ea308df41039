#include "ledger/engine.h"

#include "ledger/base/check.h"
#include "ledger/queries.h"
#include "ledger/record.h"
#include "ledger/replay.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace florin::ledger {
namespace {

// What one request may add to a record; a record holds at least one whole request.
constexpr std::size_t kRequestBytesMax = 3U << 20U;
// Expiries decided at once: a burst of them must not hold up everything else.
constexpr std::size_t kExpiriesAtOnce = 8'192;
// A journal that cannot tell three times in a row is treated as failed.
constexpr unsigned kUnknownMax = 3;
// How many times its size a run may grow while the one before is being stored.
constexpr std::uint64_t kRunsAhead = 3;
// Records replayed between two writes of the live tables.
constexpr std::uint64_t kPublishEvery = 256;

std::size_t request_bytes(Request const& request) {
    // What a transfer may add beside itself: its resolution or its used-up id.
    constexpr std::size_t kTransferBytes = sizeof(Transfer) + 64;
    constexpr std::size_t kAccountBytes = sizeof(Account) + 8;
    constexpr std::size_t kSmall = 256;
    if (auto const* accounts = std::get_if<CreateAccounts>(&request)) {
        return accounts->events.size() * kAccountBytes + kSmall;
    }
    if (auto const* transfers = std::get_if<CreateTransfers>(&request)) {
        return transfers->events.size() * kTransferBytes + kSmall;
    }
    std::size_t bytes = kSmall;
    if (auto const* command = std::get_if<Command>(&request)) {
        bytes += command->transfers.size() * kTransferBytes;
        bytes += command->ensure_accounts.size() * kAccountBytes;
        for (DocumentPut const& put : command->puts) {
            bytes += put.body.size() + put.key.owner.size() + put.key.id.size() + kSmall;
        }
        for (NewEvent const& event : command->events) {
            bytes += event.body.size() + kSmall;
        }
        bytes +=
            (command->removes.size() + command->set_timers.size() + command->clear_timers.size() +
             command->take_counters.size() + command->release_counters.size()) *
            kSmall;
    }
    return bytes;
}

std::uint64_t events_of(Request const& request) {
    if (auto const* accounts = std::get_if<CreateAccounts>(&request)) {
        return accounts->events.size();
    }
    if (auto const* transfers = std::get_if<CreateTransfers>(&request)) {
        return transfers->events.size();
    }
    if (auto const* command = std::get_if<Command>(&request)) {
        return Decider::timestamps_of(*command);
    }
    return 0;
}

BooksOptions books_options(EngineOptions const& options) {
    BooksOptions books = options.books;
    books.run_transfers = options.run.transfers;
    return books;
}

bool is_read(Request const& request) {
    return !std::holds_alternative<CreateAccounts>(request) &&
           !std::holds_alternative<CreateTransfers>(request) &&
           !std::holds_alternative<Command>(request) &&
           !std::holds_alternative<AdvanceClock>(request);
}

}  // namespace

Engine::Engine(EngineOptions options, Journal& journal, StateStore& store, Clock const& clock)
    : options_{std::move(options)},
      journal_{journal},
      store_{store},
      wall_{clock},
      books_{journal, store, books_options(options_)},
      live_{store},
      decider_{books_, live_},
      views_{books_, store} {}

Result<std::unique_ptr<Engine>> Engine::open(
    EngineOptions options, Journal& journal, StateStore& store, Clock const& clock
) {
    std::unique_ptr<Engine> engine{new Engine{std::move(options), journal, store, clock}};
    FLORIN_TRY_VOID(engine->recover());
    return engine;
}

Result<void> Engine::recover() {
    FLORIN_TRY(Head const head, journal_.head());
    FLORIN_TRY_VOID(views_.load());
    for (Sequence const applied : {views_.run_applied(), views_.live_applied()}) {
        if (applied > head.last.sequence) {
            return fail(
                Errc::corrupt,
                "the views have applied record " + std::to_string(applied) +
                    ", but the journal ends at record " + std::to_string(head.last.sequence) +
                    ": the journal has lost its end"
            );
        }
    }
    FLORIN_TRY(lease_, journal_.acquire(head.epoch));
    lease_.leader_id = options_.leader_id;
    head_ = decided_ = head.last.sequence == 0 ? genesis_position(journal_.ledger_id()) : head.last;
    if (head.last.sequence == 0) {
        return write_genesis();
    }
    FLORIN_TRY(figures_.replayed, replay());
    return {};
}

Result<void> Engine::write_genesis() {
    kind_ = options_.kind;
    clock_ = options_.manual_clock ? 0 : wall_.wall_ns();
    RecordDraft& draft = draft_for(0);
    draft.add(Genesis{.kind = kind_});
    draft.set_time(clock_);
    std::optional<AppendOutcome> outcome;
    std::string why;
    std::mutex mutex;
    std::condition_variable done;
    auto const completion = [&](AppendOutcome result, std::string text) {
        std::lock_guard const lock{mutex};
        outcome = result;
        why = std::move(text);
        done.notify_one();
    };
    start_append(completion);
    {
        std::unique_lock lock{mutex};
        done.wait(lock, [&] { return outcome.has_value(); });
    }
    if (*outcome != AppendOutcome::committed) {
        return fail(Errc::io, "cannot write the first record: " + why);
    }
    complete(*outcome, why);
    if (failure_) {
        return std::unexpected{*failure_};
    }
    return {};
}

Result<std::uint64_t> Engine::replay() {
    FLORIN_TRY(kind_, ledger_kind(journal_));
    std::uint64_t replayed = 0;
    auto const apply = [&](ReplayedRecord const& record) -> Result<void> {
        FLORIN_TRY_VOID(views_.replay(record.for_views()));
        ++replayed;
        if (replayed % kPublishEvery == 0) {
            FLORIN_TRY_VOID(views_.publish(Views::Publish::position_too));
        }
        // What is full is stored beside the work, once there is some; only what would not fit into
        // memory is stored right here.
        if (views_.is_run_full(runs_ahead())) {
            FLORIN_TRY(StoredRun stored, views_.cut_run().store(store_));
            views_.run_is_stored(std::move(stored));
        }
        books_.trim();
        return {};
    };
    FLORIN_TRY(
        ReplayEnd const end,
        replay_journal(journal_, views_.applied() + 1, Journal::Payloads::with, apply)
    );
    if (end.last != head_) {
        return fail(
            Errc::corrupt,
            "the journal's head is record " + std::to_string(head_.sequence) +
                ", but reading it ends at record " + std::to_string(end.last.sequence)
        );
    }
    clock_ = end.time;
    FLORIN_TRY_VOID(views_.publish(Views::Publish::position_too));
    return replayed;
}

std::uint64_t Engine::next_clock(std::uint64_t events) const {
    std::uint64_t const least = clock_ + 1 + events;
    return options_.manual_clock ? least : std::max(wall_.wall_ns(), least);
}

RecordDraft& Engine::draft_for(std::size_t bytes) {
    if (drafts_.empty() || drafts_.back().record_bytes() + bytes > kRecordBytesMax - 4096) {
        Sequence const sequence =
            drafts_.empty() ? decided_.sequence + 1 : drafts_.back().sequence() + 1;
        drafts_.emplace_back(sequence);
        books_.begin_record(sequence);
    }
    return drafts_.back();
}

std::size_t Engine::decided_bytes() const {
    std::size_t bytes = 0;
    for (RecordDraft const& draft : drafts_) {
        bytes += draft.bytes();
    }
    return bytes;
}

Result<Answer> Engine::decide(Request& request) {
    std::size_t const bytes = request_bytes(request);
    if (bytes > kRequestBytesMax) {
        return fail(
            Errc::out_of_range,
            "a request of " + std::to_string(bytes) + " bytes; at most " +
                std::to_string(kRequestBytesMax) + " fit into one record"
        );
    }
    if (auto const* advance = std::get_if<AdvanceClock>(&request)) {
        return advance_clock(*advance);
    }
    std::uint64_t const clock = next_clock(events_of(request));
    if (clock > kTimestampMax) {
        return fail(Errc::out_of_range, "the clock has reached the last timestamp");
    }
    RecordDraft& draft = draft_for(bytes);
    auto answer = [&]() -> Result<Answer> {
        if (auto const* accounts = std::get_if<CreateAccounts>(&request)) {
            return decider_.decide(*accounts, clock, draft);
        }
        if (auto const* transfers = std::get_if<CreateTransfers>(&request)) {
            return decider_.decide(*transfers, clock, draft);
        }
        return decider_.decide(std::get<Command>(std::move(request)), clock, draft);
    }();
    if (!answer) {
        // A store that cannot be read leaves a decision half done.
        fail_all(answer.error());
        return answer;
    }
    clock_ = clock;
    draft.set_time(clock);
    if (draft.empty() && options_.manual_clock) {
        draft.add(ClockAdvanced{});  // the clock has moved, and stays moved
    }
    return answer;
}

Result<Answer> Engine::advance_clock(AdvanceClock const& request) {
    if (!options_.manual_clock) {
        return fail(Errc::unsupported, "advance_clock needs a manual clock");
    }
    if (request.ns > kTimestampMax - clock_) {
        return fail(Errc::out_of_range, "advance_clock: the clock would pass the last timestamp");
    }
    clock_ += request.ns;
    bool more = true;
    while (more) {
        RecordDraft& draft = draft_for(kExpiriesAtOnce * sizeof(PendingExpired));
        auto const expired = decider_.expire(clock_, kExpiriesAtOnce, false, draft);
        if (!expired) {
            fail_all(expired.error());
            return std::unexpected{expired.error()};
        }
        more = *expired == kExpiriesAtOnce;
        if (draft.empty()) {
            draft.add(ClockAdvanced{});
        }
        draft.set_time(clock_);
    }
    return AdvanceClockAnswer{clock_};
}

void Engine::pulse() {
    if (failure_ || options_.manual_clock || !books_.expiries().next()) {
        return;
    }
    std::uint64_t const now = wall_.wall_ns();
    if (*books_.expiries().next() > now) {
        return;
    }
    std::uint64_t const clock = next_clock(kExpiriesAtOnce);
    RecordDraft& draft = draft_for(kExpiriesAtOnce * sizeof(PendingExpired));
    auto const expired = decider_.expire(clock, kExpiriesAtOnce, true, draft);
    if (!expired) {
        fail_all(expired.error());
        return;
    }
    clock_ = clock;
    draft.set_time(clock);
}

std::optional<std::uint64_t> Engine::next_expiry() const {
    return options_.manual_clock ? std::nullopt : books_.expiries().next();
}

void Engine::submit(std::unique_ptr<PendingRequest> request) {
    if (failure_) {
        request->answer(fail(Errc::closed, failure_->context));
        return;
    }
    ++figures_.requests;
    if (is_read(request->request)) {
        if (drafts_.empty() && !in_flight_) {
            request->answer(read(request->request));
            return;
        }
        auto& waiting = drafts_.empty() ? in_flight_->waiting : waiting_;
        waiting.push_back({.request = std::move(request), .answer = std::nullopt});
        return;
    }
    Result<Answer> answer = decide(request->request);
    if (failure_) {
        request->answer(fail(Errc::closed, failure_->context));
        return;
    }
    bool const depends_on_nothing = drafts_.empty() && !in_flight_;
    if (!answer && depends_on_nothing) {
        request->answer(std::move(answer));
        return;
    }
    auto& waiting = drafts_.empty() ? in_flight_->waiting : waiting_;
    waiting.push_back({.request = std::move(request), .answer = std::move(answer)});
}

Engine::InFlight Engine::encode_group() {
    InFlight flight;
    flight.expected = decided_;
    for (RecordDraft& draft : drafts_) {
        FLORIN_CHECK(
            books_.transfers_in(draft.sequence()) == draft.transfers(),
            "a draft counts its transfers"
        );
        RecordHeader header;
        header.ledger_id = journal_.ledger_id();
        header.sequence = draft.sequence();
        header.epoch = lease_.epoch;
        header.leader_id = lease_.leader_id;
        header.prev_hash = decided_.hash;
        header.stable_sequence = head_.sequence;
        header.time = draft.time();
        header.count = draft.transfers();
        auto record = std::make_shared<EncodedRecord const>(encode_record(
            header,
            books_.take_transfers(draft.sequence()),
            draft.take_effects(),
            std::move(draft.payloads())
        ));
        books_.keep_encoded(record);
        decided_ = record->position;
        flight.group.push_back(std::move(record));
        flight.live.push_back(draft.take_live());
    }
    drafts_.clear();
    return flight;
}

bool Engine::start_append(AppendCompletion completion) {
    if (failure_) {
        return false;
    }
    if (in_flight_) {
        if (unknown_in_a_row_ == 0) {
            return false;
        }
        // Nobody could tell: the identical bytes again, never others.
        journal_.append(lease_, in_flight_->expected, in_flight_->group, std::move(completion));
        return true;
    }
    // A draft stays empty where everything in it was refused without a trace: it need not be
    // written, but its answers may rest on decisions that are.
    while (!drafts_.empty() && drafts_.back().empty()) {
        books_.drop_empty_record(drafts_.back().sequence());
        drafts_.pop_back();
    }
    if (drafts_.empty()) {
        for (Waiting& waiting : std::exchange(waiting_, {})) {
            waiting.request->answer(
                waiting.answer ? std::move(*waiting.answer) : read(waiting.request->request)
            );
        }
        return false;
    }
    in_flight_ = encode_group();
    in_flight_->waiting = std::exchange(waiting_, {});
    journal_.append(lease_, in_flight_->expected, in_flight_->group, std::move(completion));
    return true;
}

void Engine::complete(AppendOutcome outcome, std::string const& why, AppendCompletion next) {
    if (failure_) {
        return;  // everybody was told already; the restart will see what became of it
    }
    FLORIN_CHECK(in_flight_, "a completion belongs to a group in flight");
    switch (outcome) {
        case AppendOutcome::committed: break;
        case AppendOutcome::unknown:
            if (++unknown_in_a_row_ < kUnknownMax) {
                return;
            }
            fail_all({Errc::io, "the journal cannot tell whether a group was written: " + why});
            return;
        case AppendOutcome::conflict:
            fail_all({Errc::conflict, "another record stands at the journal's head: " + why});
            return;
        case AppendOutcome::fenced:
            fail_all({Errc::refused, "another process holds a newer lease: " + why});
            return;
        case AppendOutcome::not_sent:
            fail_all({Errc::io, "the journal took nothing: " + why});
            return;
    }
    unknown_in_a_row_ = 0;
    InFlight done = std::move(*in_flight_);
    in_flight_.reset();
    head_ = done.group.back()->position;
    bool const has_effects =
        std::ranges::any_of(drafts_, [](RecordDraft const& draft) { return !draft.empty(); });
    if (next && has_effects) {
        start_append(std::move(next));
    }
    if (auto const applied = apply_group(done); !applied) {
        // Durable, but not visible here: the restart will apply it.
        for (Waiting& waiting : done.waiting) {
            waiting.request->answer(fail(Errc::closed, applied.error().context));
        }
        fail_all(applied.error());
        return;
    }
    for (Waiting& waiting : done.waiting) {
        waiting.request->answer(
            waiting.answer ? std::move(*waiting.answer) : read(waiting.request->request)
        );
    }
    cut_run_if_full();
    books_.trim();
}

Result<void> Engine::apply_group(InFlight& done) {
    for (std::size_t i = 0; i < done.group.size(); ++i) {
        EncodedRecord const& record = *done.group[i];
        views_.apply(
            record.position.sequence,
            record.transfers.size() + record.effects.size(),
            std::move(done.live[i])
        );
        figures_.transfers += record.transfers.size() / sizeof(Transfer);
    }
    ++figures_.groups;
    figures_.records += done.group.size();
    FLORIN_TRY_VOID(views_.publish(Views::Publish::changes));
    live_.applied_up_to(head_.sequence);
    return {};
}

void Engine::cut_run_if_full() {
    if (!views_.is_run_full(options_.run) || storing_ || failure_) {
        return;
    }
    if (auto const published = views_.publish(Views::Publish::position_too); !published) {
        fail_all(published.error());
        return;
    }
    storing_ = true;
    auto const run = std::make_shared<RunToStore const>(views_.cut_run());
    auto const job = [this, run] {
        RunOutcome stored = run->store(store_);
        if (stored) {
            if (auto const flushed = store_.flush(); !flushed) {
                stored = std::unexpected{flushed.error()};
            }
        }
        if (run_ready_) {
            run_ready_(std::move(stored));
        } else {
            run_stored(std::move(stored));
        }
    };
    if (options_.background) {
        options_.background(job);
    } else {
        job();
    }
}

Views::RunLimits Engine::runs_ahead() const {
    return {
        .transfers = options_.run.transfers * kRunsAhead, .bytes = options_.run.bytes * kRunsAhead
    };
}

bool Engine::is_overfull() const {
    return storing_ && !failure_ && views_.is_run_full(runs_ahead());
}

void Engine::run_stored(RunOutcome stored) {
    storing_ = false;
    if (!stored) {
        fail_all(stored.error());
        return;
    }
    views_.run_is_stored(std::move(*stored));
}

Result<void> Engine::flush() {
    FLORIN_TRY_VOID(views_.publish(Views::Publish::position_too));
    return store_.flush();
}

Result<Answer> Engine::read(Request const& request) {
    Queries queries{books_};
    auto const run = [&](auto const& wanted) -> Result<Answer> {
        if constexpr (requires { queries.run(wanted); }) {
            return queries.run(wanted);
        } else {
            return fail(Errc::unsupported, "not a read");
        }
    };
    return std::visit(run, request);
}

void Engine::fail_all(Error error) {
    failure_ = error;
    std::vector<Waiting> everybody = std::exchange(waiting_, {});
    if (in_flight_) {
        std::ranges::move(in_flight_->waiting, std::back_inserter(everybody));
        in_flight_.reset();
    }
    for (Waiting& waiting : everybody) {
        if (waiting.request) {
            waiting.request->answer(fail(Errc::closed, error.context));
        }
    }
}

}  // namespace florin::ledger
