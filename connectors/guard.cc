#include "connectors/guard.h"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <list>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace florin::connectors {
namespace {

namespace asio = boost::asio;

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr std::size_t kErrorLettersMax = 200;

using Handler = asio::any_completion_handler<void(Reply)>;
using Operation = std::move_only_function<asio::awaitable<Reply>()>;

Reply ended(Outcome outcome, std::string detail) {
    return {
        .outcome = outcome,
        .approved = std::nullopt,
        .response_code = {},
        .authorization_code = {},
        .network_transaction_id = {},
        .detail = std::move(detail),
    };
}

// The MTI that answers this request, as a late answer would bear it. What is said to an inquiry is
// said about the operation.
template <class Request>
constexpr std::string_view answer_to(Request const& request) {
    if constexpr (std::is_same_v<Request, AuthoriseRequest>) {
        return "0110";
    } else if constexpr (std::is_same_v<Request, InquireRequest>) {
        return request.operation == InquiredOperation::authorise ? "0110" : "0210";
    } else if constexpr (std::is_same_v<Request, CaptureRequest>) {
        return "0230";
    } else if constexpr (std::is_same_v<Request, ReverseRequest>) {
        return "0430";
    } else {
        static_assert(std::is_same_v<Request, RefundRequest>);
        return "0210";
    }
}

// The connector is called on its home thread, not where the guard lets it go.
asio::awaitable<Reply> call(Operation operation) {
    auto running = operation();
    co_return co_await std::move(running);
}

// Of what the connector said after the deadline, only the counterpart's word is evidence.
bool is_evidence(Reply const& reply) {
    switch (reply.outcome) {
        case Outcome::approved:
        case Outcome::declined:
        case Outcome::pending: return true;
        case Outcome::unknown: return !reply.response_code.empty();
        case Outcome::not_sent: break;
    }
    return false;
}

}  // namespace

// Everything behind one mutex, which is held for a decision and never while somebody is called
// back.
class Guard::State : public std::enable_shared_from_this<State> {
public:
    // One operation, from its entry to the end of the connector's part.
    struct Call {
        enum class Stage { waiting, running, given_up };

        bool may_wait = false;
        Operation operation;
        std::optional<Handler>
            handler;                   // of who waits for the outcome; Boost 1.81 cannot assign one
        asio::any_io_executor caller;  // tracked work: keeps the caller's context running
        LateReply late;                // what a late answer would say of the request
        Stage stage = Stage::waiting;
        Breaker::Ticket ticket;
        std::uint64_t due_ns = 0;
        std::list<std::shared_ptr<Call>>::iterator place;  // in waiting_ or running_
    };
    using Calls = std::list<std::shared_ptr<Call>>;

    State(
        asio::any_io_executor home,
        std::unique_ptr<Connector> guarded,
        GuardOptions options,
        EvidenceSink& sink,
        Clock const& clock,
        OnChange on_change
    )
        : connector{std::move(guarded)},
          home_{std::move(home)},
          options_{std::move(options)},
          sink_{sink},
          clock_{clock},
          on_change_{std::move(on_change)},
          timer_{home_},
          breaker_{options_.breaker},
          since_s_{seconds()} {}

    void enter(std::shared_ptr<Call> call) {
        Work work;
        {
            std::lock_guard const lock{mutex_};
            std::uint64_t const now = clock_.steady_ns();
            refresh(now, work);
            decide(std::move(call), now, work);
        }
        carry_out(std::move(work));
    }

    void tick() {
        Work work;
        {
            std::lock_guard const lock{mutex_};
            std::uint64_t const now = clock_.steady_ns();
            refresh(now, work);
            give_up_due(now, work);
        }
        carry_out(std::move(work));
    }

    void stop_waiting() {
        Work work;
        {
            std::lock_guard const lock{mutex_};
            is_stopping_ = true;
            turn_away(waiting_, "the connector is being stopped", work);
        }
        carry_out(std::move(work));
    }

    void stop_timer() {
        auto const cancel = [self = shared_from_this()] { self->timer_.cancel(); };
        asio::post(home_, cancel);
    }

    Health health() {
        Health health = connector->health();
        Work work;
        GuardHealth guard;
        {
            std::lock_guard const lock{mutex_};
            std::uint64_t const now = clock_.steady_ns();
            refresh(now, work);
            auto const window = breaker_.counts(now);
            health.ready = health.ready && breaker_.would_admit(now);
            guard = {
                .breaker = breaker_.state(),
                .since_s = since_s_,
                .window_calls = window.calls,
                .window_failures = window.failures,
                .in_flight = in_flight_,
                .waiting = waiting_.size(),
                .failures = failures_,
                .rejected_open = rejected_open_,
                .rejected_full = rejected_full_,
                .last_error = last_error_,
            };
        }
        if (guard.breaker != BreakerState::closed) {
            health.detail += (health.detail.empty() ? "breaker " : "; breaker ") +
                             std::string{breaker_state_name(guard.breaker)};
        }
        health.guard = std::move(guard);
        carry_out(std::move(work));
        return health;
    }

    std::unique_ptr<Connector> const connector;

private:
    // What is decided under the mutex and done after it.
    struct Work {
        std::vector<std::pair<std::shared_ptr<Call>, Reply>> answers;
        std::vector<std::shared_ptr<Call>> starts;
        std::vector<BreakerChange> changes;
        std::optional<LateReply> evidence;
        bool starts_later = false;  // on the home thread, when it has nothing else to do
        bool arms_timer = false;
    };

    std::int64_t seconds() const {
        return static_cast<std::int64_t>(clock_.wall_ns() / kNsPerSecond);
    }

    // Time may have ended the open state; whatever changed the state is told.
    void refresh(std::uint64_t now, Work& work) {
        auto const window = breaker_.counts(now);
        note_change(breaker_.state(now), window, work);
    }

    void note_change(BreakerState state, Breaker::Counts window, Work& work) {
        if (state == told_) {
            return;
        }
        told_ = state;
        since_s_ = seconds();
        work.changes.push_back({
            .connector = connector->id(),
            .to = state,
            .window = window,
            .open_for_ms = state == BreakerState::open ? breaker_.open_for_ms() : 0,
            .last_error = last_error_,
        });
        if (state == BreakerState::open) {
            rejected_open_ += waiting_.size();
            turn_away(waiting_, "the circuit breaker is open", work);
        }
    }

    void answer(std::shared_ptr<Call> call, Reply reply, Work& work) {
        work.answers.emplace_back(std::move(call), std::move(reply));
    }

    void turn_away(Calls& calls, char const* why, Work& work) {
        for (auto& call : calls) {
            answer(std::move(call), ended(Outcome::not_sent, why), work);
        }
        calls.clear();
    }

    void decide(std::shared_ptr<Call> call, std::uint64_t now, Work& work) {
        if (is_stopping_) {
            answer(
                std::move(call), ended(Outcome::not_sent, "the connector is being stopped"), work
            );
            return;
        }
        if (!may_go(now)) {
            ++rejected_open_;
            std::string why = "the circuit breaker is ";
            why += breaker_state_name(breaker_.state());
            answer(std::move(call), ended(Outcome::not_sent, std::move(why)), work);
            return;
        }
        if (in_flight_ < options_.in_flight_max) {
            start(std::move(call), now, work);
            return;
        }
        // A probe that has to wait would not say how the counterpart is now.
        bool const may_wait = call->may_wait && breaker_.state() == BreakerState::closed &&
                              waiting_.size() < options_.waiting_max;
        if (!may_wait) {
            ++rejected_full_;
            answer(std::move(call), ended(Outcome::not_sent, "the bulkhead is full"), work);
            return;
        }
        push(waiting_, std::move(call), now, work);
    }

    // Asks the connector with the mutex held: it never calls the guard from health().
    bool may_go(std::uint64_t now) {
        return breaker_.would_admit(now) &&
               (breaker_.state() == BreakerState::closed || connector->health().ready);
    }

    // Where may_go() said so, under the same lock.
    void start(std::shared_ptr<Call> call, std::uint64_t now, Work& work) {
        call->ticket = *breaker_.admit(now);
        call->stage = Call::Stage::running;
        ++in_flight_;
        work.starts.push_back(call);
        push(running_, std::move(call), now, work);
    }

    // Every deadline is as far away as the others: each list is in their order.
    void push(Calls& calls, std::shared_ptr<Call> call, std::uint64_t now, Work& work) {
        call->due_ns = now + options_.deadline_ms * kNsPerMs;
        auto* const raw = call.get();
        raw->place = calls.insert(calls.end(), std::move(call));
        work.arms_timer = !std::exchange(is_armed_, true) || work.arms_timer;
    }

    void give_up_due(std::uint64_t now, Work& work) {
        std::string const limit = std::to_string(options_.deadline_ms) + " ms";
        while (!running_.empty() && running_.front()->due_ns <= now) {
            auto call = std::move(running_.front());
            running_.pop_front();
            call->stage = Call::Stage::given_up;
            Reply reply = ended(Outcome::unknown, "no outcome within " + limit);
            settle(*call, reply, now, work);
            answer(std::move(call), std::move(reply), work);
        }
        while (!waiting_.empty() && waiting_.front()->due_ns <= now) {
            auto call = std::move(waiting_.front());
            waiting_.pop_front();
            ++rejected_full_;
            answer(
                std::move(call), ended(Outcome::not_sent, "no free place within " + limit), work
            );
        }
    }

    Breaker::Result judge(Reply const& reply) const {
        if (std::ranges::find(options_.failure_codes, reply.response_code) !=
            options_.failure_codes.end()) {
            return Breaker::Result::failure;
        }
        switch (reply.outcome) {
            case Outcome::not_sent:
                return connector->health().ready ? Breaker::Result::neutral
                                                 : Breaker::Result::failure;
            case Outcome::unknown:
                return reply.response_code.empty() ? Breaker::Result::failure
                                                   : Breaker::Result::success;
            case Outcome::approved:
            case Outcome::declined:
            case Outcome::pending: break;
        }
        return Breaker::Result::success;
    }

    void settle(Call const& call, Reply const& reply, std::uint64_t now, Work& work) {
        auto const result = judge(reply);
        if (result == Breaker::Result::failure) {
            ++failures_;
            last_error_ = std::string{outcome_name(reply.outcome)} +
                          (reply.response_code.empty() ? "" : " " + reply.response_code) +
                          (reply.detail.empty() ? "" : ": " + reply.detail);
            last_error_.resize(std::min(last_error_.size(), kErrorLettersMax));
        }
        auto window = breaker_.counts(now);
        breaker_.settle(call.ticket, result, now);
        if (breaker_.state() == BreakerState::open) {
            window = breaker_.counts(now);
        }
        note_change(breaker_.state(), window, work);
    }

    // The connector has ended its part, or thrown: then nobody knows how far it came.
    void finish(std::shared_ptr<Call> call, std::exception_ptr const& thrown, Reply reply) {
        if (thrown) {
            reply = ended(Outcome::unknown, "the connector failed");
        }
        Work work;
        {
            std::lock_guard const lock{mutex_};
            std::uint64_t const now = clock_.steady_ns();
            refresh(now, work);
            --in_flight_;
            if (call->stage == Call::Stage::running) {
                running_.erase(call->place);
                settle(*call, reply, now, work);
                answer(std::move(call), std::move(reply), work);
            } else if (is_evidence(reply)) {
                call->late.reply = std::move(reply);
                work.evidence = std::move(call->late);
            }
            // Else calls that end at once would stand on top of each other, as many as wait.
            work.starts_later = true;
            while (!waiting_.empty() && in_flight_ < options_.in_flight_max) {
                auto next = std::move(waiting_.front());
                waiting_.pop_front();
                decide(std::move(next), now, work);
            }
        }
        carry_out(std::move(work));
    }

    void carry_out(Work work) {
        for (auto const& change : work.changes) {
            on_change_(change);
        }
        if (work.evidence) {
            sink_.late_reply(std::move(*work.evidence));
        }
        for (auto& [call, reply] : work.answers) {
            asio::post(call->caller, asio::append(std::move(*call->handler), std::move(reply)));
            call->handler.reset();
            call->caller = {};
        }
        for (auto& each : work.starts) {
            if (work.starts_later) {
                auto const later = [self = shared_from_this(), each] { self->spawn(each); };
                asio::post(home_, later);
            } else {
                spawn(std::move(each));
            }
        }
        if (work.arms_timer) {
            auto const arm = [self = shared_from_this()] { self->wait_for_next(); };
            asio::post(home_, arm);
        }
    }

    void spawn(std::shared_ptr<Call> call) {
        auto running = connectors::call(std::move(call->operation));
        auto const on_end = [self = shared_from_this(), call = std::move(call)](
                                std::exception_ptr const& thrown, Reply reply
                            ) { self->finish(call, thrown, std::move(reply)); };
        asio::co_spawn(home_, std::move(running), on_end);
    }

    // On the home thread. One wait at a time, for the oldest call; what ends in time costs none.
    void wait_for_next() {
        std::uint64_t due = 0;
        std::uint64_t now = 0;
        {
            std::lock_guard const lock{mutex_};
            if (is_stopping_ || (running_.empty() && waiting_.empty())) {
                is_armed_ = false;
                return;
            }
            due = std::min(
                running_.empty() ? UINT64_MAX : running_.front()->due_ns,
                waiting_.empty() ? UINT64_MAX : waiting_.front()->due_ns
            );
            now = clock_.steady_ns();
        }
        timer_.expires_after(std::chrono::nanoseconds{due > now ? due - now : 0});
        auto const on_time = [self = shared_from_this()](boost::system::error_code) {
            self->tick();
            self->wait_for_next();
        };
        timer_.async_wait(on_time);
    }

    asio::any_io_executor const home_;
    GuardOptions const options_;
    EvidenceSink& sink_;
    Clock const& clock_;
    OnChange const on_change_;
    asio::steady_timer timer_;  // the home thread's

    std::mutex mutex_;  // before the connector's own, in health(); guards what follows
    Breaker breaker_;
    BreakerState told_ = BreakerState::closed;
    std::int64_t since_s_;
    Calls running_, waiting_;
    std::size_t in_flight_ = 0;  // running_, and what was given up and has not ended
    bool is_armed_ = false;      // wait_for_next() is on its way or waiting
    bool is_stopping_ = false;
    std::uint64_t failures_ = 0, rejected_open_ = 0, rejected_full_ = 0;
    std::string last_error_;
};

Guard::Guard(
    asio::any_io_executor home,
    std::unique_ptr<Connector> connector,
    GuardOptions options,
    EvidenceSink& sink,
    Clock const& clock,
    OnChange on_change
)
    : state_{std::make_shared<State>(
          std::move(home),
          std::move(connector),
          std::move(options),
          sink,
          clock,
          std::move(on_change)
      )} {}

Guard::~Guard() = default;

ConnectorId const& Guard::id() const {
    return state_->connector->id();
}
std::string_view Guard::name() const {
    return state_->connector->name();
}
bool Guard::needs_link_identity() const {
    return state_->connector->needs_link_identity();
}

LinkChoice Guard::choose_link() const {
    return state_->connector->choose_link();
}

std::vector<LinkHealth> Guard::links() const {
    return state_->connector->links();
}
bool Guard::captures_at_once() const {
    return state_->connector->captures_at_once();
}
bool Guard::can_inquire() const {
    return state_->connector->can_inquire();
}
Health Guard::health() const {
    return state_->health();
}

void Guard::start() {
    state_->connector->start();
}

asio::awaitable<void> Guard::stop() {
    auto const state = state_;
    state->stop_waiting();
    auto stopping = state->connector->stop();
    co_await std::move(stopping);
    state->stop_timer();
}

void Guard::tick() {
    state_->tick();
}

template <class Request>
asio::awaitable<Reply> Guard::perform(
    asio::awaitable<Reply> (Connector::*operation)(Request), Request request
) {
    auto const wanted = std::make_shared<State::Call>();
    wanted->may_wait = !std::is_same_v<Request, AuthoriseRequest>;
    wanted->late = {
        .connector = id(),
        .mti = std::string{answer_to(request)},
        .stan = request.identity.stan,
        .transmission_time = request.identity.transmission_time,
        .rrn = request.identity.rrn,
        .terminal_id = request.terminal.terminal_id,
        .reply = {},
        .attempt = request.identity.attempt,
    };
    wanted->operation =
        [connector = state_->connector.get(), operation, request = std::move(request)]() mutable {
            return (connector->*operation)(std::move(request));
        };
    // The caller's cancellation does not cross: who goes away does not take back what may have been
    // sent.
    auto initiate = [state = state_, wanted](auto handler) {
        asio::any_io_executor const caller = asio::get_associated_executor(handler);
        wanted->caller = asio::prefer(caller, asio::execution::outstanding_work.tracked);
        wanted->handler.emplace(std::move(handler));
        state->enter(wanted);
    };
    co_return co_await asio::async_initiate<asio::use_awaitable_t<> const, void(Reply)>(
        std::move(initiate), asio::use_awaitable
    );
}

asio::awaitable<Reply> Guard::authorise(AuthoriseRequest request) {
    return perform(&Connector::authorise, std::move(request));
}

asio::awaitable<Reply> Guard::capture(CaptureRequest request) {
    return perform(&Connector::capture, std::move(request));
}

asio::awaitable<Reply> Guard::reverse(ReverseRequest request) {
    return perform(&Connector::reverse, std::move(request));
}

asio::awaitable<Reply> Guard::refund(RefundRequest request) {
    return perform(&Connector::refund, std::move(request));
}

asio::awaitable<Reply> Guard::inquire(InquireRequest request) {
    return perform(&Connector::inquire, std::move(request));
}

asio::awaitable<TotalsReply> Guard::compare_totals(TotalsRequest request) {
    return state_->connector->compare_totals(std::move(request));
}

}  // namespace florin::connectors
