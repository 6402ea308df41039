// The ledger thread: one bounded queue in front of the engine.
//
// Everybody may submit; one thread decides, appends, applies and answers, in that order, and the
// journal's completions come back through the same queue. Full means Errc::overloaded at once: a
// queue that grows without bound is a slower way of failing.
#pragma once

#include "ledger/engine.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace florin::ledger {

class LedgerThread {
public:
    // The engine belongs to the thread from here on, until stop() has returned.
    LedgerThread(
        std::unique_ptr<Engine> engine,
        Clock const& clock,
        std::size_t requests_max,
        std::size_t group_bytes_max
    );
    LedgerThread(LedgerThread const&) = delete;
    LedgerThread& operator=(LedgerThread const&) = delete;
    ~LedgerThread();  // stops

    // Any thread.
    void submit(std::unique_ptr<PendingRequest> request);
    void on_failure(std::function<void(Error)> callback);
    void stop();
    Position head() const;
    Engine::Figures figures() const;
    std::size_t queued() const;

private:
    struct Completion {
        AppendOutcome outcome;
        std::string why;
    };

    void run();
    bool can_feed() const {
        return engine_->decided_bytes() < group_bytes_max_ && !engine_->is_overfull();
    }
    // Whether the journal should get what has been decided before anything more is.
    bool should_send() const;
    void wait(std::unique_lock<std::mutex>& lock);
    void tell_failure();
    void publish_figures();

    std::unique_ptr<Engine> engine_;
    Clock const& clock_;
    std::size_t const requests_max_;
    std::size_t const group_bytes_max_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::unique_ptr<PendingRequest>> queue_;
    std::optional<Completion> completion_;
    std::atomic<bool> has_completion_ = false;  // the same, to be asked without the lock
    std::optional<Engine::RunOutcome> run_stored_;
    std::function<void(Error)> on_failure_;
    bool told_failure_ = false;
    bool stopping_ = false;
    Position head_;
    Engine::Figures figures_;

    std::thread thread_;
};

}  // namespace florin::ledger
