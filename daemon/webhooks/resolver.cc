#include "daemon/webhooks/resolver.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <pthread.h>
#include <resolv.h>
#include <set>
#include <thread>

namespace florin::webhooks {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kThreads = 4;
// Questions that wait for a thread: one name server that is silent must not gather any number.
constexpr std::size_t kWaitingMax = 256;

// Who waits, and for what. Shared with the thread that asks, which may come back after nobody waits
// any more.
struct Question {
    explicit Question(asio::any_io_executor executor) : timer{std::move(executor)} {}
    asio::steady_timer timer;  // touched on the executor only
    std::vector<asio::ip::address> found;
    bool is_answered = false;
};

}  // namespace

struct Resolver::State {
    asio::any_io_executor executor;
    asio::io_context context{kThreads};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    std::vector<std::thread> threads;
    std::set<Question*> waiting;

    explicit State(asio::any_io_executor home) : executor{std::move(home)} {
        for (int i = 0; i < kThreads; ++i) {
            threads.emplace_back([this] {
                // The system waits half a minute for a silent server, longer than a delivery may
                // take and than the daemon may take to stop. The setting is this thread's own.
                if (::res_init() == 0) {
                    _res.retrans = 2;
                    _res.retry = 1;
                }
                context.run();
            });
            pthread_setname_np(threads.back().native_handle(), "florin-dns");
        }
    }
    ~State() { close(); }
    void close() {
        work.reset();
        context.stop();
        for (std::thread& thread : threads) {
            if (thread.joinable()) {
                thread.join();
            }
        }
    }
    State(State const&) = delete;
    State& operator=(State const&) = delete;

    // On a thread of ours.
    void ask(std::shared_ptr<Question> question, std::string const& host) {
        asio::ip::tcp::resolver resolver{context};
        error_code error;
        auto const results = resolver.resolve(host, "", error);
        std::vector<asio::ip::address> found;
        if (!error) {
            for (auto const& each : results) {
                found.push_back(each.endpoint().address());
            }
        }
        auto tell = [question = std::move(question), found = std::move(found)]() mutable {
            question->found = std::move(found);
            question->is_answered = true;
            question->timer.cancel();
        };
        asio::post(executor, std::move(tell));
    }
};

Resolver::Resolver(asio::any_io_executor executor)
    : state_{std::make_unique<State>(std::move(executor))} {}
Resolver::~Resolver() = default;

void Resolver::close() {
    state_->close();
}

asio::awaitable<std::vector<asio::ip::address>> Resolver::resolve(
    std::string host, std::chrono::steady_clock::time_point deadline
) {
    error_code error;
    auto const literal = asio::ip::make_address(host, error);
    if (!error) {
        co_return std::vector{literal};
    }
    if (state_->waiting.size() >= kWaitingMax) {
        co_return std::vector<asio::ip::address>{};
    }
    auto question = std::make_shared<Question>(state_->executor);
    question->timer.expires_at(deadline);
    state_->waiting.insert(question.get());
    auto const ask = [state = state_.get(), question, host = std::move(host)] {
        state->ask(question, host);
    };
    asio::post(state_->context, ask);
    auto token = asio::redirect_error(asio::use_awaitable, error);
    co_await question->timer.async_wait(token);
    state_->waiting.erase(question.get());
    co_return question->is_answered ? std::move(question->found) : std::vector<asio::ip::address>{};
}

void Resolver::cancel_all() {
    for (Question* const question : state_->waiting) {
        question->timer.cancel();
    }
}

}  // namespace florin::webhooks
