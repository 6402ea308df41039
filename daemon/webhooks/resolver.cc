#include "daemon/webhooks/resolver.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <pthread.h>
#include <resolv.h>
#include <set>
#include <thread>

namespace florin::webhooks {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Addresses = std::vector<asio::ip::address>;
using SteadyClock = std::chrono::steady_clock;
using TimePoint = SteadyClock::time_point;

// Names remembered as not found: merchants choose them, so there is a bound.
constexpr std::size_t kNotFoundMax = 1'000;

Addresses ask_the_system(asio::io_context& context, std::string const& host) {
    asio::ip::tcp::resolver resolver{context};
    error_code error;
    auto const results = resolver.resolve(host, "", error);
    Addresses found;
    if (!error) {
        for (auto const& each : results) {
            found.push_back(each.endpoint().address());
        }
    }
    return found;
}

// Who waits, and for what: in its coroutine's frame.
struct Waiter {
    std::string owner, host;
    std::chrono::milliseconds timeout;
    asio::steady_timer timer;
    TimePoint deadline = SteadyClock::now() + timeout;
    bool is_asked = false;
    bool is_over = false;
    Resolved answer;

    void begin() {
        is_asked = true;
        deadline = SteadyClock::now() + timeout;
        timer.cancel();
    }
    void end(Resolved with) {
        answer = std::move(with);
        is_over = true;
        timer.cancel();
    }
};

struct Owner {
    std::deque<Waiter*> waiting;  // for a thread
    bool is_busy = false;         // has one
    bool was_slow = false;
};

// A question that a thread is busy with.
struct Question {
    std::string owner;  // whose turn it was
    TimePoint begun;
    bool is_of_slow = false;
    std::set<Waiter*> waiters;
};

}  // namespace

// Everything but the threads' own work happens on the executor.
struct Resolver::State {
    asio::any_io_executor executor;
    ResolverOptions options;
    std::map<std::string, Owner> owners;
    std::map<std::string, Question> asked;       // by host
    std::map<std::string, TimePoint> not_found;  // until when
    std::string last_owner;                      // who had the last turn
    std::size_t slow = 0;                        // questions under way of slow owners
    asio::io_context context;                    // what the threads do
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    std::vector<std::thread> threads;

    State(asio::any_io_executor home, ResolverOptions wanted)
        : executor{std::move(home)}, options{std::move(wanted)} {
        if (!options.lookup) {
            options.lookup = [this](std::string const& host) {
                return ask_the_system(context, host);
            };
        }
        for (std::size_t i = 0; i < options.threads; ++i) {
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

    bool is_known_as_not_found(std::string const& host) {
        auto const known = not_found.find(host);
        return known != not_found.end() && SteadyClock::now() < known->second;
    }

    void add(Waiter& waiter) {
        if (auto const question = asked.find(waiter.host); question != asked.end()) {
            waiter.begin();
            question->second.waiters.insert(&waiter);
            return;
        }
        owners[waiter.owner].waiting.push_back(&waiter);
        ask_what_can_be();
    }

    void remove(Waiter& waiter) {
        if (auto const question = asked.find(waiter.host); question != asked.end()) {
            question->second.waiters.erase(&waiter);
        }
        if (auto const owner = owners.find(waiter.owner); owner != owners.end()) {
            std::erase(owner->second.waiting, &waiter);
            forget_if_idle(owner);
        }
    }

    // Who was slow stays known as that until a question is answered quickly.
    void forget_if_idle(std::map<std::string, Owner>::iterator owner) {
        if (owner->second.waiting.empty() && !owner->second.is_busy && !owner->second.was_slow) {
            owners.erase(owner);
        }
    }

    bool may_ask(Owner const& owner) const {
        return !owner.waiting.empty() && !owner.is_busy &&
               (!owner.was_slow || slow < options.threads / 2);
    }

    void ask_what_can_be() {
        auto const may = [this](auto const& each) { return may_ask(each.second); };
        while (asked.size() < options.threads) {
            auto const after_last = owners.upper_bound(last_owner);
            auto next = std::find_if(after_last, owners.end(), may);
            if (next == owners.end()) {
                next = std::find_if(owners.begin(), after_last, may);
                if (next == after_last) {
                    return;
                }
            }
            last_owner = next->first;
            ask_for(next->first, next->second);
        }
    }

    // For everybody who waits for the same host.
    void ask_for(std::string const& name, Owner& owner) {
        std::string const host = owner.waiting.front()->host;
        Question& question = asked[host];
        question.owner = name;
        question.begun = SteadyClock::now();
        question.is_of_slow = owner.was_slow;
        slow += question.is_of_slow ? 1U : 0U;
        owner.is_busy = true;
        for (auto& [each, other] : owners) {
            std::erase_if(other.waiting, [&](Waiter* const waiter) {
                bool const is_same = waiter->host == host;
                if (is_same) {
                    waiter->begin();
                    question.waiters.insert(waiter);
                }
                return is_same;
            });
        }
        auto ask = [this, host] {
            auto tell = [this, host, found = options.lookup(host)]() mutable {
                answer(host, std::move(found));
            };
            asio::post(executor, std::move(tell));
        };
        asio::post(context, std::move(ask));
    }

    void answer(std::string const& host, Addresses found) {
        auto const node = asked.extract(host);
        Question const& question = node.mapped();
        TimePoint const now = SteadyClock::now();
        slow -= question.is_of_slow ? 1U : 0U;
        if (found.empty()) {
            remember_not_found(host, now);
        }
        for (Waiter* const waiter : question.waiters) {
            waiter->end(
                {.status = found.empty() ? Resolved::Status::not_found : Resolved::Status::found,
                 .addresses = found,
                 .deadline = waiter->deadline}
            );
        }
        auto const owner = owners.find(question.owner);
        owner->second.is_busy = false;
        owner->second.was_slow = now - question.begun > options.slow_after;
        forget_if_idle(owner);
        ask_what_can_be();
    }

    void remember_not_found(std::string const& host, TimePoint now) {
        std::erase_if(not_found, [&](auto const& each) { return each.second <= now; });
        if (not_found.size() < kNotFoundMax) {
            not_found[host] = now + options.not_found_kept_for;
        }
    }
};

Resolver::Resolver(asio::any_io_executor executor, ResolverOptions options)
    : state_{std::make_unique<State>(std::move(executor), std::move(options))} {}
Resolver::~Resolver() = default;

void Resolver::close() {
    state_->close();
}

asio::awaitable<Resolved> Resolver::resolve(
    std::string owner, std::string host, std::chrono::milliseconds timeout
) {
    error_code error;
    auto const literal = asio::ip::make_address(host, error);
    if (!error) {
        co_return Resolved{
            .status = Resolved::Status::found,
            .addresses = {literal},
            .deadline = SteadyClock::now() + timeout
        };
    }
    if (state_->is_known_as_not_found(host)) {
        co_return Resolved{
            .status = Resolved::Status::not_found, .addresses = {}, .deadline = SteadyClock::now()
        };
    }
    Waiter waiter{
        .owner = std::move(owner),
        .host = std::move(host),
        .timeout = timeout,
        .timer = asio::steady_timer{state_->executor},
        .answer = {},
    };
    // Also when the frame goes without an end: the executor's context was destroyed.
    struct Presence {
        State& state;
        Waiter& waiter;
        ~Presence() { state.remove(waiter); }
    };
    Presence const presence{*state_, waiter};
    state_->add(waiter);
    auto token = asio::redirect_error(asio::use_awaitable, error);
    while (!waiter.is_over && SteadyClock::now() < waiter.deadline) {
        waiter.timer.expires_at(waiter.deadline);
        co_await waiter.timer.async_wait(token);
    }
    if (!waiter.is_over) {
        waiter.answer.status =
            waiter.is_asked ? Resolved::Status::not_found : Resolved::Status::busy;
    }
    co_return std::move(waiter.answer);
}

void Resolver::cancel_all() {
    auto const cancel = [](Waiter* const waiter) { waiter->end({}); };
    for (auto& [name, owner] : state_->owners) {
        std::ranges::for_each(owner.waiting, cancel);
    }
    for (auto& [host, question] : state_->asked) {
        std::ranges::for_each(question.waiters, cancel);
    }
}

}  // namespace florin::webhooks
