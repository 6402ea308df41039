#include "connectors/iso8583/link.h"

#include "connectors/iso8583/session.h"
#include "ledger/base/check.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>
#include <vector>

namespace florin::connectors::iso8583 {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

using Token = asio::use_awaitable_t<> const;

// Runs the work on the home executor and resumes the caller on its own. The caller's cancellation
// does not cross: who goes away does not take back what may have been sent.
template <class Work>
auto hand_over(asio::any_io_executor home, Work& work) {
    return [home = std::move(home), &work](auto&& handler) {
        asio::co_spawn(
            home,
            std::move(work),
            asio::bind_cancellation_slot(
                asio::cancellation_slot{}, std::forward<decltype(handler)>(handler)
            )
        );
    };
}

}  // namespace

// Which connection a request goes over, and how all of them stop. Coroutines hold it by shared_ptr.
class Link::State : public std::enable_shared_from_this<State> {
public:
    State(asio::any_io_executor home, LinkOptions options, Clock const& clock, Unmatched unmatched)
        : core_{std::make_shared<LinkCore>(
              std::move(home), std::move(options), clock, std::move(unmatched)
          )} {
        FLORIN_CHECK(core_->options.connections >= 1, "a link has a connection");
        for (std::size_t number = 0; number < core_->options.connections; ++number) {
            sessions_.push_back(std::make_shared<Session>(core_, number));
        }
    }

    asio::any_io_executor const& home() const { return core_->home; }

    void start() {
        FLORIN_CHECK(!started_.exchange(true), "a link is started once");
        for (auto const& session : sessions_) {
            session->start();
        }
    }

    static asio::awaitable<void> stop(std::shared_ptr<State> self) {
        if (!self->started_) {
            co_return;
        }
        if (!self->is_stopping_) {
            self->is_stopping_ = true;
            bool is_any_signed_on = false;
            for (auto const& session : self->sessions_) {
                session->refuse();
                is_any_signed_on = is_any_signed_on || session->is_signed_on();
            }
            if (is_any_signed_on) {
                milliseconds const patience{self->core_->options.stop_drain_ms};
                auto draining = self->core_->requests.drain(patience);
                co_await std::move(draining);
            }
            for (auto const& session : self->sessions_) {
                session->leave();
            }
        }
        for (auto const& session : self->sessions_) {
            auto finishing = Session::finished(session);
            co_await std::move(finishing);
        }
    }

    static asio::awaitable<Exchange> exchange(
        std::shared_ptr<State> self, Message request, unsigned timeout_ms
    ) {
        auto const end = steady_clock::now() + milliseconds{timeout_ms};
        auto session = self->choose();
        if (!session->is_ready() &&
            session->keys().must_wait(self->core_->options.outstanding_max)) {
            auto waiting = session->keys().wait(end);
            co_await std::move(waiting);
            session = self->choose();
        }
        auto running = Session::exchange(session, std::move(request), end, timeout_ms);
        co_return co_await std::move(running);
    }

    LinkCounters counters() const { return core_->requests.figures.read(); }

    std::uint64_t outstanding() const { return core_->requests.figures.outstanding; }

    bool is_ready() const { return connections_ready() > 0; }

    LinkHealth health() const {
        std::uint64_t const ready = connections_ready();
        std::string detail;
        for (std::size_t i = 0; i < sessions_.size(); ++i) {
            if (!sessions_[i]->is_ready()) {
                detail += detail.empty() ? "" : "; ";
                detail += sessions_.size() == 1 ? "" : "connection " + std::to_string(i + 1) + ": ";
                detail += sessions_[i]->trouble();
            }
        }
        return LinkHealth{
            .ready = ready > 0,
            .detail = detail.empty() ? "signed on" : std::move(detail),
            .connections = sessions_.size(),
            .connections_ready = ready,
            .counters = counters(),
        };
    }

private:
    std::uint64_t connections_ready() const {
        return static_cast<std::uint64_t>(std::ranges::count_if(sessions_, [](auto const& session) {
            return session->is_ready();
        }));
    }

    // The ready connection that has the least to do; without one, that which will be ready next.
    std::shared_ptr<Session> const& choose() {
        auto const rank = [&](std::size_t number) {
            Session& session = *sessions_[number];
            bool const is_keying = session.keys().must_wait(core_->options.outstanding_max);
            return std::pair{
                session.is_ready() ? 0
                : is_keying        ? 1
                                   : 2,
                core_->requests.load(number)
            };
        };
        std::size_t best = 0;
        for (std::size_t number = 1; number < sessions_.size(); ++number) {
            best = rank(number) < rank(best) ? number : best;
        }
        return sessions_[best];
    }

    std::shared_ptr<LinkCore> const core_;
    std::vector<std::shared_ptr<Session>> sessions_;
    std::atomic<bool> started_ = false;
    bool is_stopping_ = false;  // the home thread's
};

Link::Link(
    boost::asio::any_io_executor home, LinkOptions options, Clock const& clock, Unmatched unmatched
)
    : state_{
          std::make_shared<State>(std::move(home), std::move(options), clock, std::move(unmatched))
      } {}

Link::~Link() = default;

void Link::start() {
    state_->start();
}

void Link::begin_stop() {
    asio::co_spawn(state_->home(), State::stop(state_), [](std::exception_ptr const& thrown) {
        FLORIN_CHECK(!thrown, "stopping a link let an exception out");
    });
}

boost::asio::awaitable<void> Link::stop() {
    auto stopping = State::stop(state_);
    auto const initiate = hand_over(state_->home(), stopping);
    co_await asio::async_initiate<Token, void(std::exception_ptr)>(initiate, asio::use_awaitable);
}

boost::asio::awaitable<Exchange> Link::exchange(Message request, unsigned timeout_ms) {
    auto running = State::exchange(state_, std::move(request), timeout_ms);
    auto const initiate = hand_over(state_->home(), running);
    co_return co_await asio::async_initiate<Token, void(std::exception_ptr, Exchange)>(
        initiate, asio::use_awaitable
    );
}

LinkCounters Link::counters() const {
    return state_->counters();
}

std::uint64_t Link::outstanding() const {
    return state_->outstanding();
}

bool Link::is_ready() const {
    return state_->is_ready();
}

LinkHealth Link::health() const {
    return state_->health();
}

}  // namespace florin::connectors::iso8583
