// A bank that answers when the test says so: every message waits for an answer to its operation.
#pragma once

#include "tests/flow/flow_rig.h"

namespace florin::flow::test {

class PatientBank final : public connectors::Connector {
public:
    explicit PatientBank(std::string id) : id_{std::move(id)} {}

    // For the next message of this operation that has none, sent already or not.
    void answer(std::string const& operation, Reply reply) {
        std::lock_guard const lock{mutex_};
        answers_[operation].push_back(std::move(reply));
    }
    // Nothing is waited for: takes back what no message came for; false: there was nothing.
    bool forget_answers() {
        std::lock_guard const lock{mutex_};
        bool const any =
            std::ranges::any_of(answers_, [](auto const& each) { return !each.second.empty(); });
        answers_.clear();
        return any;
    }
    bool has_answers_left() const {
        std::lock_guard const lock{mutex_};
        return std::ranges::any_of(answers_, [](auto const& each) { return !each.second.empty(); });
    }
    // From now on (or no more), what has no answer of its own is approved.
    void say_yes(bool yes) {
        std::lock_guard const lock{mutex_};
        says_yes_ = yes;
    }
    std::vector<Sent> sent(std::string const& operation) const {
        std::lock_guard const lock{mutex_};
        std::vector<Sent> found;
        std::ranges::copy_if(sent_, std::back_inserter(found), [&](Sent const& each) {
            return each.operation == operation;
        });
        return found;
    }
    void forget_sent() {
        std::lock_guard const lock{mutex_};
        sent_.clear();
    }
    // Messages that have no answer yet; of one operation, or of all.
    std::size_t waiting(std::string const& operation = {}) const {
        std::lock_guard const lock{mutex_};
        std::size_t all = 0;
        for (auto const& [each, count] : waiting_) {
            all += operation.empty() || operation == each ? count : 0;
        }
        return all;
    }

    ConnectorId const& id() const override { return id_; }
    std::string_view name() const override { return "patient"; }
    bool needs_link_identity() const override { return true; }
    connectors::Health health() const override { return {.ready = true, .detail = ""}; }
    void start() override {}
    asio::awaitable<void> stop() override { co_return; }
    asio::awaitable<Reply> authorise(connectors::AuthoriseRequest request) override {
        return wait({"authorise", request.identity, {}, request.amount.minor, false});
    }
    asio::awaitable<Reply> capture(connectors::CaptureRequest request) override {
        return wait(
            {"capture", request.identity, request.original, request.amount.minor, request.repeat}
        );
    }
    asio::awaitable<Reply> reverse(connectors::ReverseRequest request) override {
        return wait(
            {"void", request.identity, request.original, request.amount.minor, request.repeat}
        );
    }
    asio::awaitable<Reply> refund(connectors::RefundRequest request) override {
        return wait(
            {"refund", request.identity, request.original, request.amount.minor, request.repeat}
        );
    }

private:
    asio::awaitable<Reply> wait(Sent message) {
        std::string const operation = message.operation;
        {
            std::lock_guard const lock{mutex_};
            sent_.push_back(std::move(message));
            ++waiting_[operation];
        }
        asio::steady_timer timer{co_await asio::this_coro::executor};
        std::optional<Reply> reply = taken(operation);
        while (!reply) {
            timer.expires_after(std::chrono::milliseconds{1});
            co_await timer.async_wait(asio::use_awaitable);
            reply = taken(operation);
        }
        co_return std::move(*reply);
    }
    std::optional<Reply> taken(std::string const& operation) {
        std::lock_guard const lock{mutex_};
        auto& answers = answers_[operation];
        if (answers.empty() && !says_yes_) {
            return std::nullopt;
        }
        Reply reply = says(Outcome::approved, "00");
        if (!answers.empty()) {
            reply = std::move(answers.front());
            answers.pop_front();
        }
        --waiting_[operation];
        return reply;
    }

    ConnectorId const id_;
    mutable std::mutex mutex_;
    std::map<std::string, std::deque<Reply>> answers_;
    bool says_yes_ = false;
    std::vector<Sent> sent_;
    std::map<std::string, std::size_t> waiting_;
};

}  // namespace florin::flow::test
