#include "ledger/ledger_thread.h"

#include <chrono>
#include <pthread.h>
#include <utility>

namespace florin::ledger {

LedgerThread::LedgerThread(
    std::unique_ptr<Engine> engine,
    Clock const& clock,
    std::size_t requests_max,
    std::size_t group_bytes_max
)
    : engine_{std::move(engine)},
      clock_{clock},
      requests_max_{requests_max},
      group_bytes_max_{group_bytes_max},
      head_{engine_->head()},
      figures_{engine_->figures()} {
    engine_->on_run_ready([this](Engine::RunOutcome stored) {
        std::lock_guard const lock{mutex_};
        run_stored_ = std::move(stored);
        wake_.notify_one();
    });
    thread_ = std::thread{[this] { run(); }};
    pthread_setname_np(thread_.native_handle(), "florin-ledger");
}

LedgerThread::~LedgerThread() {
    stop();
}

void LedgerThread::submit(std::unique_ptr<PendingRequest> request) {
    Errc refusal = Errc::closed;
    {
        std::lock_guard const lock{mutex_};
        if (!stopping_ && queue_.size() < requests_max_) {
            queue_.push_back(std::move(request));
            wake_.notify_one();
            return;
        }
        refusal = stopping_ ? Errc::closed : Errc::overloaded;
    }
    request->answer(fail(
        refusal,
        refusal == Errc::closed
            ? "the ledger is stopping"
            : "the ledger's queue of " + std::to_string(requests_max_) + " requests is full"
    ));
}

void LedgerThread::on_failure(std::function<void(Error)> callback) {
    std::lock_guard const lock{mutex_};
    on_failure_ = std::move(callback);
}

void LedgerThread::stop() {
    {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
        wake_.notify_one();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

Position LedgerThread::head() const {
    std::lock_guard const lock{mutex_};
    return head_;
}

Engine::Figures LedgerThread::figures() const {
    std::lock_guard const lock{mutex_};
    return figures_;
}

std::size_t LedgerThread::queued() const {
    std::lock_guard const lock{mutex_};
    return queue_.size();
}

void LedgerThread::wait(std::unique_lock<std::mutex>& lock) {
    auto const something = [this] {
        bool const idle = !engine_->in_flight() && !engine_->is_storing();
        bool const can_take = engine_->failure() || can_feed();
        return completion_ || run_stored_ || (stopping_ && idle) || (!queue_.empty() && can_take);
    };
    // The next expiry wakes the thread too; sleeping at most a second makes a stepping wall clock
    // harmless.
    auto const expiry = engine_->next_expiry();
    if (!expiry) {
        wake_.wait(lock, something);
        return;
    }
    std::uint64_t const now = clock_.wall_ns();
    std::uint64_t const left = *expiry > now ? *expiry - now : 0;
    wake_.wait_for(
        lock, std::chrono::nanoseconds{std::min(left, kNanosecondsPerSecond)}, something
    );
}

bool LedgerThread::should_send() const {
    // An idle disk is wasted time, and so is one that has finished; small requests gather a little.
    constexpr std::size_t kWorthSending = 512U << 10U;
    return has_completion_ || (!engine_->in_flight() && engine_->decided_bytes() >= kWorthSending);
}

void LedgerThread::tell_failure() {
    if (!engine_->failure() || told_failure_) {
        return;
    }
    told_failure_ = true;
    std::function<void(Error)> callback;
    {
        std::lock_guard const lock{mutex_};
        callback = on_failure_;
    }
    if (callback) {
        callback(*engine_->failure());
    }
}

void LedgerThread::publish_figures() {
    std::lock_guard const lock{mutex_};
    head_ = engine_->head();
    figures_ = engine_->figures();
}

void LedgerThread::run() {
    auto const completed = [this](AppendOutcome outcome, std::string why) {
        std::lock_guard const lock{mutex_};
        completion_ = Completion{outcome, std::move(why)};
        has_completion_ = true;
        wake_.notify_one();
    };
    for (;;) {
        std::deque<std::unique_ptr<PendingRequest>> batch;
        std::optional<Completion> completion;
        std::optional<Engine::RunOutcome> run_stored;
        bool stopping = false;
        {
            std::unique_lock lock{mutex_};
            wait(lock);
            completion = std::exchange(completion_, std::nullopt);
            has_completion_ = false;
            run_stored = std::exchange(run_stored_, std::nullopt);
            stopping = stopping_;
            batch.swap(queue_);
        }
        if (run_stored) {
            engine_->run_stored(std::move(*run_stored));
        }
        if (completion) {
            engine_->complete(completion->outcome, completion->why, completed);
            publish_figures();
        }
        engine_->pulse();
        while (!batch.empty() && (engine_->failure() || can_feed())) {
            engine_->submit(std::move(batch.front()));
            batch.pop_front();
            if (should_send()) {
                break;
            }
        }
        if (!batch.empty()) {
            std::lock_guard const lock{mutex_};
            while (!batch.empty()) {
                queue_.push_front(std::move(batch.back()));
                batch.pop_back();
            }
        }
        engine_->start_append(completed);
        tell_failure();
        if (stopping && !engine_->in_flight() && !engine_->has_decided() &&
            !engine_->is_storing()) {
            std::lock_guard const lock{mutex_};
            if (queue_.empty()) {
                break;
            }
        }
        if (stopping && engine_->failure() && !engine_->is_storing()) {
            std::lock_guard const lock{mutex_};
            for (auto& request : queue_) {
                request->answer(fail(Errc::closed, engine_->failure()->context));
            }
            queue_.clear();
            break;
        }
    }
    if (!engine_->failure()) {
        // What could not be flushed is replayed: nothing is lost by a failure here.
        static_cast<void>(engine_->flush());
    }
    publish_figures();
}

}  // namespace florin::ledger
