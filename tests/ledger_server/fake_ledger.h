// A ledger that decides nothing: it keeps requests until it is told to answer them, so that a test
// sees what a server hands over, and when.
#pragma once

#include "ledger/ledger.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace florin::ledger_server::test {

class FakeLedger final : public ledger::Ledger {
public:
    using Decide = std::function<Result<ledger::Answer>(ledger::Request const& request)>;

    // Without `decide`, every request waits for answer_one().
    explicit FakeLedger(Decide decide = {}) : decide_{std::move(decide)} {
        if (decide_) {
            thread_ = std::thread{[this] { run(); }};
        }
    }
    ~FakeLedger() override { stop(); }

    void submit(std::unique_ptr<ledger::PendingRequest> request) override {
        std::unique_lock lock{mutex_};
        if (stopped_) {
            lock.unlock();
            request->answer(fail(Errc::closed, "the ledger is stopping"));
            return;
        }
        ++submitted_;
        queue_.push_back(std::move(request));
        wake_.notify_all();
    }

    std::uint64_t submitted() const { return submitted_; }
    // Waits for at least this many since the start.
    void wait_submitted(std::uint64_t count) {
        std::unique_lock lock{mutex_};
        wake_.wait(lock, [&] { return submitted_ >= count; });
    }
    // The oldest that waits; there must be one.
    void answer_one(Result<ledger::Answer> answer) {
        std::unique_lock lock{mutex_};
        auto const request = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        request->answer(std::move(answer));
    }
    // The youngest first: what no ledger does, and what a server must not depend on.
    void answer_last(Result<ledger::Answer> answer) {
        std::unique_lock lock{mutex_};
        auto const request = std::move(queue_.back());
        queue_.pop_back();
        lock.unlock();
        request->answer(std::move(answer));
    }

    void stop() override {
        std::deque<std::unique_ptr<ledger::PendingRequest>> left;
        {
            std::lock_guard const lock{mutex_};
            stopped_ = true;
            if (!decide_) {
                left.swap(queue_);
            }
            wake_.notify_all();
        }
        for (auto const& request : left) {
            request->answer(fail(Errc::closed, "the ledger is stopping"));
        }
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    ledger::DocumentReader const& documents() const override { std::abort(); }
    Result<std::optional<ledger::Payload>> payload(ledger::Sequence, std::uint32_t) const override {
        return std::nullopt;
    }
    Result<void> read(ledger::Sequence, ledger::Journal::Visitor const&) const override {
        return {};
    }
    Result<void> drop_payloads(std::vector<ledger::PayloadPlace> const&) override { return {}; }
    ledger::Position head() const override {
        ledger::Position position;
        position.sequence = 7;
        position.hash.fill(0xab);
        return position;
    }
    std::array<unsigned char, 16> id() const override { return {1, 2, 3, 4}; }
    ledger::LedgerKind kind() const override { return ledger::LedgerKind::kernel_only; }
    void on_failure(std::function<void(Error)>) override {}
    Figures figures() const override { return {}; }

private:
    void run() {
        std::unique_lock lock{mutex_};
        for (;;) {
            wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
            if (queue_.empty()) {
                return;
            }
            auto const request = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            request->answer(decide_(request->request));
            lock.lock();
        }
    }

    Decide decide_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::unique_ptr<ledger::PendingRequest>> queue_;
    std::atomic<std::uint64_t> submitted_ = 0;
    bool stopped_ = false;
    std::thread thread_;
};

}  // namespace florin::ledger_server::test
