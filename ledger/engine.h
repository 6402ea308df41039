// The machine: requests in, records to the journal, answers out when they are durable.
//
// No threads and no waiting of its own: LedgerThread (ledger_thread.cc) drives it, and so does the
// simulator. One group is in flight; what arrives meanwhile is decided at once on the decided front
// and accumulates in the next group. Reads are answered from the applied state: at once when
// nothing is under way, otherwise after everything decided before them is durable.
//
// Once the journal fails, nothing is decided or answered any more but Errc::closed: the process
// must stop, and the restart replays.
//
// Thread rule: one thread.
#pragma once

#include "ledger/base/clock.h"
#include "ledger/books.h"
#include "ledger/command.h"
#include "ledger/decide.h"
#include "ledger/views.h"

#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace florin::ledger {

struct EngineOptions {
    LedgerKind kind = LedgerKind::full;  // of a journal that is still empty
    bool manual_clock = false;
    std::size_t group_bytes_max = 4U << 20U;
    Views::RunLimits run;
    BooksOptions books;
    std::array<unsigned char, 16> leader_id{};
    // Runs a job beside the ledger thread and tells when it is done; by default, right here.
    std::function<void(std::function<void()> job)> background;
};

class Engine {
public:
    // Checks the journal against the views, replays what they have not seen, takes the lease, and
    // writes record 1 where there is none. Everything outlives the engine.
    static Result<std::unique_ptr<Engine>> open(
        EngineOptions options, Journal& journal, StateStore& store, Clock const& clock
    );

    // Decides now; the answer comes when it is durable.
    void submit(std::unique_ptr<PendingRequest> request);
    // Expires what is due by the clock (not with a manual clock). Nothing is answered.
    void pulse();
    // When pulse has something to do next; nullopt: nothing is due.
    std::optional<std::uint64_t> next_expiry() const;

    // Sends what has been decided, unless a group is in flight. `completion` is called once, by the
    // journal; it must bring its arguments back to complete() on this thread. False: nothing to do.
    bool start_append(AppendCompletion completion);
    // With `next`, what has been decided meanwhile is sent at once, before anything is applied;
    // that completion is not called inside append.
    void complete(AppendOutcome outcome, std::string const& why, AppendCompletion next = {});
    bool in_flight() const { return in_flight_.has_value(); }
    bool has_decided() const { return !drafts_.empty(); }
    // Bytes decided and not sent: the caller stops feeding above group_bytes_max.
    std::size_t decided_bytes() const;

    // The background job of a run is done, with the sums after it: call on this thread.
    using RunOutcome = Result<StoredRun>;
    void run_stored(RunOutcome stored);
    // True while a run is being stored.
    bool is_storing() const { return storing_; }
    // The store cannot keep up: the caller feeds nothing until the run is stored, or memory grows
    // without bound.
    bool is_overfull() const;
    // Makes the live tables durable, so that a restart has little to replay.
    Result<void> flush();

    // Set once the journal or a store failed.
    std::optional<Error> const& failure() const { return failure_; }
    // Called where the background job runs; it must bring its argument to run_stored. Without it,
    // the job does that itself.
    void on_run_ready(std::function<void(RunOutcome)> callback) {
        run_ready_ = std::move(callback);
    }

    Position head() const { return head_; }
    LedgerKind kind() const { return kind_; }
    std::uint64_t clock() const { return clock_; }
    Books& books() { return books_; }
    Views const& views() const { return views_; }
    struct Figures {
        std::uint64_t groups = 0;
        std::uint64_t records = 0;
        std::uint64_t transfers = 0;
        std::uint64_t requests = 0;
        std::uint64_t replayed = 0;
    };
    Figures const& figures() const { return figures_; }

private:
    struct Waiting {
        std::unique_ptr<PendingRequest> request;
        std::optional<Result<Answer>> answer;  // nullopt: a read, executed when its turn comes
    };
    struct InFlight {
        Group group;
        Position expected;
        std::vector<std::vector<Change>> live;  // of each record
        std::vector<Waiting> waiting;
    };

    Engine(EngineOptions options, Journal& journal, StateStore& store, Clock const& clock);

    Result<void> recover();
    Result<void> write_genesis();
    Result<std::uint64_t> replay();
    std::uint64_t next_clock(std::uint64_t events) const;
    RecordDraft& draft_for(std::size_t bytes);
    Result<Answer> decide(Request& request);
    Result<Answer> advance_clock(AdvanceClock const& request);
    Result<Answer> read(Request const& request);
    InFlight encode_group();
    Result<void> apply_group(InFlight& done);
    Views::RunLimits runs_ahead() const;
    void cut_run_if_full();
    void fail_all(Error error);

    EngineOptions options_;
    Journal& journal_;
    StateStore& store_;
    Clock const& wall_;
    Books books_;
    LiveFront live_;
    Decider decider_;
    Views views_;
    Lease lease_;
    LedgerKind kind_ = LedgerKind::full;
    Position head_;     // committed
    Position decided_;  // last encoded, committed or in flight
    std::uint64_t clock_ = 0;
    std::deque<RecordDraft> drafts_;
    std::vector<Waiting> waiting_;  // for drafts_, or for what is in flight where there are none
    std::optional<InFlight> in_flight_;
    bool storing_ = false;
    unsigned unknown_in_a_row_ = 0;
    std::optional<Error> failure_;
    std::function<void(RunOutcome)> run_ready_;
    Figures figures_;
};

}  // namespace florin::ledger
