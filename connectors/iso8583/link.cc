#include "connectors/iso8583/link.h"

#include "connectors/iso8583/codec_framing.h"
#include "connectors/iso8583/dialect.h"
#include "connectors/iso8583/link_keys.h"
#include "ledger/base/calendar.h"
#include "ledger/base/check.h"
#include "ledger/base/failpoint.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace florin::connectors::iso8583 {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kMacFirst = 64;
constexpr int kMacSecond = 128;
constexpr std::size_t kAnsweredRemembered = 4'096;  // to tell duplicates from news
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
using Wire = Secret<struct WireTag>;

// What an answer and its request have in common. Field 37 and 41 may be filled with spaces.
std::string match_key(
    std::string_view answer_type, Message const& message, Dialect const& dialect
) {
    std::string key{answer_type};
    for (int const field : {dialect.matching_time_field(), 11, 37, 41}) {
        key += '|';
        key += message.trimmed(field);
    }
    return key;
}

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

// The link's life on its home thread. Coroutines hold it by shared_ptr.
class Link::State : public std::enable_shared_from_this<State> {
public:
    State(asio::any_io_executor home, LinkOptions options, Clock const& clock, Unmatched unmatched)
        : home_{std::move(home)},
          options_{std::move(options)},
          dialect_{dialect_of(options_.packaging)},
          keys_{
              home_,
              std::move(options_.mac),
              options_.packaging,
              options_.host + ":" + options_.port,
              std::move(options_.on_notice)
          },
          clock_{clock},
          unmatched_{std::move(unmatched)},
          pause_{home_},
          drained_{home_},
          finished_{home_, steady_clock::time_point::max()} {}

    asio::any_io_executor const& home() const { return home_; }

    void start() {
        FLORIN_CHECK(!started_.exchange(true), "a link is started once");
        spawn(run(shared_from_this()));
    }

    static asio::awaitable<void> stop(std::shared_ptr<State> self) {
        if (!self->started_) {
            co_return;
        }
        if (!self->stopping_) {
            self->stopping_ = true;
            self->ready_ = false;
            auto leaving = sign_off(self);
            co_await std::move(leaving);
        }
        while (!self->has_finished_) {
            co_await self->finished_.async_wait(kAwait);
        }
    }

    static asio::awaitable<Exchange> run_exchange(
        std::shared_ptr<State> self, Message request, unsigned timeout_ms, bool is_network
    ) {
        auto const end = steady_clock::now() + milliseconds{timeout_ms};
        if (!is_network && self->keys_.must_wait(self->options_.outstanding_max)) {
            auto waiting = self->keys_.wait(end);
            co_await std::move(waiting);
        }
        auto const pending = std::make_shared<Pending>(self->home_);
        auto refusal = self->enqueue(*pending, request, is_network);
        if (!refusal.empty()) {
            ++self->not_sent_;
            co_return Exchange{.end = Exchange::End::not_sent, .answer = {}, .detail = refusal};
        }
        self->outstanding_.emplace(pending->key, pending);
        self->outstanding_count_ = self->outstanding_.size();
        self->to_write_.push_back(pending);
        self->connection_->wake.cancel();
        pending->signal.expires_at(end);
        co_await pending->signal.async_wait(kAwait);
        if (!pending->done) {
            self->time_out(pending, timeout_ms);
        }
        co_return std::move(pending->result);
    }

    LinkCounters counters() const {
        return LinkCounters{
            .connected = connected_,
            .signed_on = signed_on_,
            .disconnected = disconnected_,
            .sent = sent_,
            .answered = answered_,
            .not_sent = not_sent_,
            .timed_out = timed_out_,
            .cut_off = cut_off_,
            .late = late_,
            .duplicate = duplicate_,
            .foreign = foreign_,
            .malformed = malformed_,
            .bad_mac = bad_mac_,
            .outstanding = outstanding_count_,
        };
    }

    Health health() const {
        if (ready_) {
            return Health{.ready = true, .detail = "signed on"};
        }
        std::lock_guard const lock{trouble_mutex_};
        return Health{.ready = false, .detail = trouble_};
    }

private:
    // A request from its entry to its end; on the home thread only.
    struct Pending {
        explicit Pending(asio::any_io_executor const& home) : signal{home} {}

        // How tests name the exchange: "0110".
        std::string_view answer_mti() const { return std::string_view{key}.substr(0, 4); }

        enum class Stage { queued, writing, written };
        std::string key;
        std::string acquirer;  // field 32
        Wire wire;
        Stage stage = Stage::queued;
        bool done = false;
        Exchange result;
        asio::steady_timer signal;  // the timeout; cancelled when done
    };

    struct Connection {
        Connection(asio::any_io_executor const& home, Packaging const& packaging)
            : resolver{home},
              socket{home},
              deadline{home},
              wake{home},
              idle{home},
              ended{home},
              frames{packaging} {}

        // Ends connecting, at whichever step it is.
        void give_up() {
            is_given_up = true;
            resolver.cancel();
            deadline.cancel();
            boost::system::error_code ignored;
            ignored = socket.close(ignored);
        }

        // For tests: the program is about to die inside a message.
        void write_half(ByteView message) {
            boost::system::error_code ignored;
            asio::write(socket, asio::buffer(message.data(), message.size() / 2), ignored);
        }

        tcp::resolver resolver;
        tcp::socket socket;
        asio::steady_timer deadline;  // of connecting
        asio::steady_timer wake;      // cancelled when there is something to write
        asio::steady_timer idle;      // cancelled when the connection closes
        asio::steady_timer ended;     // cancelled when a loop ends
        FrameReader frames;
        steady_clock::time_point heard = steady_clock::now();
        bool is_given_up = false;
        bool open = false;  // connected, and not closed yet
        bool signed_on = false;
        int loops = 0;
    };

    static asio::awaitable<void> sign_off(std::shared_ptr<State> self) {
        auto const& leaving = self->connection_;
        if (leaving && leaving->signed_on && !self->outstanding_.empty()) {
            self->drained_.expires_after(milliseconds{self->options_.stop_drain_ms});
            co_await self->drained_.async_wait(kAwait);
        }
        if (auto const connection = self->connection_; connection) {
            if (connection->open && connection->signed_on) {
                auto request = self->network_request(NetworkCode::sign_off);
                auto asking =
                    run_exchange(self, std::move(request), self->options_.network_timeout_ms, true);
                co_await std::move(asking);
            }
            connection->give_up();
            self->close(*connection, "the link was stopped");
        }
        self->pause_.cancel();
    }

    void spawn(asio::awaitable<void> loop) {
        asio::co_spawn(home_, std::move(loop), [](std::exception_ptr const& thrown) {
            FLORIN_CHECK(!thrown, "a link's coroutine let an exception out");
        });
    }

    void set_trouble(std::string trouble) {
        std::lock_guard const lock{trouble_mutex_};
        trouble_ = std::move(trouble);
    }

    // Asks for the connection's first key. Empty: it is in force; else why not.
    static asio::awaitable<std::string> get_key(std::shared_ptr<State> self) {
        auto request = self->network_request(NetworkCode::key_exchange);
        auto asking =
            run_exchange(self, std::move(request), self->options_.network_timeout_ms, true);
        auto const exchange = co_await std::move(asking);
        if (exchange.end != Exchange::End::answered) {
            co_return "key exchange: " + exchange.detail;
        }
        if (exchange.answer.get(39) != self->dialect_.network_answer(true)) {
            co_return "the host refused the key exchange";
        }
        std::string const wrong = self->keys_.take(exchange.answer);
        co_return wrong.empty() ? wrong : "key exchange: " + wrong;
    }

    // Fills the pending request; says why not where it cannot go out.
    std::string enqueue(Pending& pending, Message const& request, bool is_network) {
        if (!connection_ || !connection_->open || !(is_network || ready_)) {
            return "the link is not signed on";
        }
        if (outstanding_.size() >= options_.outstanding_max) {
            return "too many requests are outstanding on the link";
        }
        auto bytes = keys_.encode(request);
        if (!bytes) {
            return to_string(bytes.error());
        }
        Wire const message{std::move(*bytes)};
        auto framed = frame(message.reveal(), options_.packaging);
        if (!framed) {
            return to_string(framed.error());
        }
        pending.wire = Wire{std::move(*framed)};
        pending.key = match_key(answer_mti(request.mti()), request, dialect_);
        pending.acquirer = request.get(32);
        if (outstanding_.contains(pending.key)) {
            return "a message with this identity is outstanding";
        }
        return {};
    }

    void finish(Pending& pending, Exchange::End end, std::string detail) {
        if (pending.done) {
            return;
        }
        pending.done = true;
        pending.result.end = end;
        pending.result.detail = std::move(detail);
        pending.signal.cancel();
        if (auto const found = outstanding_.find(pending.key);
            found != outstanding_.end() && found->second.get() == &pending) {
            outstanding_.erase(found);
        }
        outstanding_count_ = outstanding_.size();
        if (outstanding_.empty()) {
            drained_.cancel();
        }
        switch (end) {
            case Exchange::End::not_sent: ++not_sent_; break;
            case Exchange::End::answered: ++answered_; break;
            case Exchange::End::unanswered: break;
        }
    }

    void time_out(std::shared_ptr<Pending> const& pending, unsigned timeout_ms) {
        if (pending->stage == Pending::Stage::queued) {
            std::erase(to_write_, pending);
            finish(*pending, Exchange::End::not_sent, "could not be written in time");
            return;
        }
        ++timed_out_;
        finish(
            *pending,
            Exchange::End::unanswered,
            "no answer within " + std::to_string(timeout_ms) + " ms"
        );
    }

    void cut_off(Pending& pending) {
        if (!pending.done) {
            ++cut_off_;
            finish(pending, Exchange::End::unanswered, "the connection ended before the answer");
        }
    }

    // What was written stays unanswered, what waits was not sent. The one message whose write is
    // under way is decided by its writer, which learns how many bytes were taken.
    void close(Connection& connection, std::string const& why) {
        if (!connection.open) {
            return;
        }
        connection.open = false;
        ready_ = false;
        ++disconnected_;
        set_trouble(why);
        boost::system::error_code ignored;
        ignored = connection.socket.close(ignored);
        connection.wake.cancel();
        connection.idle.cancel();
        keys_.end_exchange();
        to_write_.clear();
        auto const outstanding = outstanding_;
        for (auto const& [key, pending] : outstanding) {
            if (pending->stage == Pending::Stage::queued) {
                finish(*pending, Exchange::End::not_sent, "the connection ended before the write");
            } else if (pending->stage == Pending::Stage::written) {
                cut_off(*pending);
            }
        }
    }

    static asio::awaitable<void> run(std::shared_ptr<State> self) {
        auto pause_ms = self->options_.reconnect_min_ms;
        while (!self->stopping_) {
            auto session = run_session(self);
            bool const was_signed_on = co_await std::move(session);
            if (was_signed_on) {
                pause_ms = self->options_.reconnect_min_ms;
            }
            if (self->stopping_) {
                break;
            }
            self->pause_.expires_after(milliseconds{pause_ms});
            co_await self->pause_.async_wait(kAwait);
            pause_ms = std::min(pause_ms * 2, self->options_.reconnect_max_ms);
        }
        self->has_finished_ = true;
        self->finished_.cancel();
    }

    // From connect to close. True where it was signed on in between.
    static asio::awaitable<bool> run_session(std::shared_ptr<State> self) {
        auto const connection = std::make_shared<Connection>(self->home_, self->options_.packaging);
        self->connection_ = connection;
        auto connecting = connect(self, connection);
        bool const is_connected = co_await std::move(connecting);
        if (!is_connected) {
            self->connection_.reset();
            co_return false;
        }
        connection->open = true;
        self->keys_.start_connection();
        connection->loops = 2;
        self->spawn(read_loop(self, connection));
        self->spawn(write_loop(self, connection));
        auto request = self->network_request(NetworkCode::sign_on);
        auto sign_on =
            run_exchange(self, std::move(request), self->options_.network_timeout_ms, true);
        auto const exchange = co_await std::move(sign_on);
        std::string refusal;
        if (exchange.end != Exchange::End::answered) {
            refusal = "sign-on: " + exchange.detail;
        } else if (exchange.answer.get(39) != self->dialect_.network_answer(true)) {
            refusal = "the host refused the sign-on";
        } else if (self->keys_.wants_exchange()) {
            self->set_trouble("waiting for a key");
            self->keys_.begin_exchange();
            auto keying = get_key(self);
            refusal = co_await std::move(keying);
        }
        if (refusal.empty()) {
            connection->signed_on = connection->open;
            ++self->signed_on_;
            self->ready_ = connection->open && !self->stopping_;
            self->keys_.end_exchange();
            auto keeping = keep_alive(self, connection);
            co_await std::move(keeping);
        } else {
            self->close(*connection, refusal);
        }
        while (connection->loops > 0) {
            connection->ended.expires_after(std::chrono::hours{1});
            co_await connection->ended.async_wait(kAwait);
        }
        self->connection_.reset();
        co_return connection->signed_on;
    }

    static asio::awaitable<bool> connect(
        std::shared_ptr<State> self, std::shared_ptr<Connection> connection
    ) {
        self->set_trouble("connecting");
        auto const on_deadline = [connection](boost::system::error_code error) {
            if (!error) {
                connection->give_up();
            }
        };
        connection->deadline.expires_after(milliseconds{self->options_.connect_timeout_ms});
        connection->deadline.async_wait(on_deadline);
        auto [resolve_error, found] = co_await connection->resolver.async_resolve(
            self->options_.host, self->options_.port, kAwait
        );
        if (resolve_error || connection->is_given_up) {
            connection->deadline.cancel();
            self->set_trouble("resolve: " + resolve_error.message());
            co_return false;
        }
        auto [error, endpoint] = co_await asio::async_connect(connection->socket, found, kAwait);
        connection->deadline.cancel();
        if (error || connection->is_given_up) {
            self->set_trouble("connect: " + error.message());
            co_return false;
        }
        boost::system::error_code ignored;
        ignored = connection->socket.set_option(tcp::no_delay{true}, ignored);
        ++self->connected_;
        co_return true;
    }

    static asio::awaitable<void> keep_alive(
        std::shared_ptr<State> self, std::shared_ptr<Connection> connection
    ) {
        milliseconds const silence{self->options_.idle_echo_ms};
        while (connection->open) {
            if (!self->stopping_ && steady_clock::now() - connection->heard >= silence) {
                auto request = self->network_request(NetworkCode::echo);
                auto echo =
                    run_exchange(self, std::move(request), self->options_.network_timeout_ms, true);
                auto const exchange = co_await std::move(echo);
                if (exchange.end != Exchange::End::answered) {
                    self->close(*connection, "echo: " + exchange.detail);
                }
                continue;
            }
            connection->idle.expires_at(
                self->stopping_ ? steady_clock::time_point::max() : connection->heard + silence
            );
            co_await connection->idle.async_wait(kAwait);
        }
    }

    static asio::awaitable<void> write_loop(
        std::shared_ptr<State> self, std::shared_ptr<Connection> connection
    ) {
        while (connection->open) {
            if (self->to_write_.empty()) {
                connection->wake.expires_at(steady_clock::time_point::max());
                co_await connection->wake.async_wait(kAwait);
                continue;
            }
            auto const pending = self->to_write_.front();
            self->to_write_.pop_front();
            pending->stage = Pending::Stage::writing;
            auto const bytes = pending->wire.reveal();
            auto const buffer = asio::buffer(bytes.data(), bytes.size());
            FLORIN_FAILPOINT(pending->answer_mti(), "before_write");
            FLORIN_FAILPOINT_AFTER(
                pending->answer_mti(), "half_written", connection->write_half(bytes)
            );
            auto [error, taken] = co_await asio::async_write(connection->socket, buffer, kAwait);
            FLORIN_FAILPOINT(pending->answer_mti(), "written");
            pending->wire = Wire{};
            pending->stage = Pending::Stage::written;
            if (!error) {
                ++self->sent_;
            } else if (taken == 0) {
                // The proof: the operating system took nothing of it.
                self->finish(*pending, Exchange::End::not_sent, "write: " + error.message());
                self->close(*connection, "write: " + error.message());
            } else {
                self->close(*connection, "write: " + error.message());
            }
            if (!connection->open) {
                self->cut_off(*pending);
            }
        }
        leave(*connection);
    }

    static asio::awaitable<void> read_loop(
        std::shared_ptr<State> self, std::shared_ptr<Connection> connection
    ) {
        std::array<char, 8'192> buffer{};
        while (connection->open) {
            auto const space = asio::buffer(buffer);
            auto [error, count] = co_await connection->socket.async_read_some(space, kAwait);
            if (error) {
                self->close(
                    *connection,
                    connection->frames.is_inside_message()
                        ? "the host ended the connection inside a message"
                        : "the host ended the connection: " + error.message()
                );
                break;
            }
            connection->heard = steady_clock::now();
            connection->frames.feed(ByteView{buffer.data(), count});
            explicit_bzero(buffer.data(), count);
            self->take_frames(*connection);
        }
        leave(*connection);
    }

    static void leave(Connection& connection) {
        --connection.loops;
        connection.ended.cancel();
    }

    void take_frames(Connection& connection) {
        while (connection.open) {
            auto const bytes = connection.frames.next();
            if (!bytes) {
                ++malformed_;
                close(connection, bytes.error().context);
                return;
            }
            if (!*bytes) {
                return;
            }
            auto message = decode(**bytes, options_.packaging);
            if (!message) {
                ++malformed_;
                continue;
            }
            if (!keys_.accepts(**bytes, *message)) {
                ++bad_mac_;
                continue;
            }
            take(connection, std::move(*message), std::hash<ByteView>{}(**bytes));
        }
    }

    void take(Connection& connection, Message message, std::size_t digest) {
        if (!dialect_.is_mine(message.mti())) {
            ++foreign_;
            return;
        }
        if (wants_answer(message.mti())) {
            answer_host(connection, message);
            return;
        }
        auto const type = first_mti(message.mti());
        auto const key = match_key(type, message, dialect_);
        auto const found = outstanding_.find(key);
        auto const& acquirer = message.get(32);
        bool const is_awaited =
            found != outstanding_.end() && (acquirer.empty() || found->second->acquirer.empty() ||
                                            acquirer == found->second->acquirer);
        if (is_awaited) {
            auto const pending = found->second;
            FLORIN_FAILPOINT(pending->answer_mti(), "answered");
            remember(key, digest);
            pending->result.answer = std::move(message);
            finish(*pending, Exchange::End::answered, {});
            return;
        }
        if (type[1] == '8') {
            ++foreign_;
            return;
        }
        if (auto const known = answered_keys_.find(key);
            known != answered_keys_.end() && known->second == digest) {
            ++duplicate_;
            return;
        }
        ++late_;
        remember(key, digest);
        unmatched_(message);
    }

    void remember(std::string const& key, std::size_t digest) {
        if (answered_keys_.insert_or_assign(key, digest).second) {
            answered_order_.push_back(key);
        }
        if (answered_order_.size() > kAnsweredRemembered) {
            answered_keys_.erase(answered_order_.front());
            answered_order_.pop_front();
        }
    }

    // Hosts ask for echoes too, and send keys. Nothing else is expected from them.
    void answer_host(Connection& connection, Message const& request) {
        if (request.mti()[1] != '8' || request.mti()[2] != '0' ||
            to_write_.size() >= options_.outstanding_max) {
            ++foreign_;
            return;
        }
        auto const code = dialect_.network_code(request);
        std::optional<KeyBytes> key;
        auto answer = request;
        answer.set_mti(answer_mti(request.mti()));
        answer.erase(kMacFirst);
        answer.erase(kMacSecond);
        if (code == NetworkCode::key_exchange) {
            key = keys_.key_in(request);
            answer.erase(options_.packaging.elements.key_block.field);
        }
        bool const is_accepted =
            code == NetworkCode::echo || code == NetworkCode::sign_on || key.has_value();
        answer.set(39, dialect_.network_answer(is_accepted));
        // Under the key that the request came under: the new one counts behind this answer.
        auto bytes = keys_.encode(answer);
        auto framed = bytes ? frame(*bytes, options_.packaging) : bytes;
        if (!framed) {
            ++foreign_;
            return;
        }
        auto const pending = std::make_shared<Pending>(home_);
        pending->done = true;  // nobody waits for its end
        pending->wire = Wire{std::move(*framed)};
        to_write_.push_back(pending);
        connection.wake.cancel();
        if (key) {
            keys_.install(std::move(*key));
        }
    }

    // Its trace numbers live apart from those of payments: the MTI keeps them from mixing.
    Message network_request(NetworkCode code) {
        network_stan_ = network_stan_ % 999'999 + 1;
        auto const now_s = seconds_of(clock_.wall_ns());
        auto request = dialect_.network_request(code, utc_transmission_time(now_s), now_s);
        request.set_stan(network_stan_);
        return request;
    }

    asio::any_io_executor home_;
    LinkOptions options_;
    Dialect const& dialect_;
    LinkKeys keys_;  // the home thread's
    Clock const& clock_;
    Unmatched unmatched_;

    // The home thread's.
    std::shared_ptr<Connection> connection_;
    std::unordered_map<std::string, std::shared_ptr<Pending>> outstanding_;
    std::deque<std::shared_ptr<Pending>> to_write_;
    std::unordered_map<std::string, std::size_t> answered_keys_;  // to a digest of the answer
    std::deque<std::string> answered_order_;                      // oldest first
    std::uint32_t network_stan_ = 0;
    bool stopping_ = false;
    bool has_finished_ = false;
    asio::steady_timer pause_;     // between connections
    asio::steady_timer drained_;   // cancelled when nothing is outstanding
    asio::steady_timer finished_;  // cancelled when run() ends

    // Any thread's.
    std::atomic<bool> started_ = false;
    std::atomic<bool> ready_ = false;
    mutable std::mutex trouble_mutex_;
    std::string trouble_ = "not started";
    std::atomic<std::uint64_t> connected_ = 0, signed_on_ = 0, disconnected_ = 0, sent_ = 0,
                               answered_ = 0, not_sent_ = 0, timed_out_ = 0, cut_off_ = 0,
                               late_ = 0, duplicate_ = 0, foreign_ = 0, malformed_ = 0,
                               bad_mac_ = 0, outstanding_count_ = 0;
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

boost::asio::awaitable<void> Link::stop() {
    auto stopping = State::stop(state_);
    auto const initiate = hand_over(state_->home(), stopping);
    co_await asio::async_initiate<Token, void(std::exception_ptr)>(initiate, asio::use_awaitable);
}

boost::asio::awaitable<Exchange> Link::exchange(Message request, unsigned timeout_ms) {
    auto running = State::run_exchange(state_, std::move(request), timeout_ms, false);
    auto const initiate = hand_over(state_->home(), running);
    co_return co_await asio::async_initiate<Token, void(std::exception_ptr, Exchange)>(
        initiate, asio::use_awaitable
    );
}

LinkCounters Link::counters() const {
    return state_->counters();
}

Health Link::health() const {
    return state_->health();
}

}  // namespace florin::connectors::iso8583
