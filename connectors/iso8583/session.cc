#include "connectors/iso8583/session.h"

#include "connectors/iso8583/codec_framing.h"
#include "ledger/base/calendar.h"
#include "ledger/base/check.h"
#include "ledger/base/failpoint.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace florin::connectors::iso8583 {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kMacFirst = 64;
constexpr int kMacSecond = 128;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

}  // namespace

LinkCore::LinkCore(
    asio::any_io_executor home_thread, LinkOptions how, Clock const& time, Link::Unmatched evidence
)
    : home{std::move(home_thread)},
      options{std::move(how)},
      dialect{dialect_of(options.packaging)},
      clock{time},
      unmatched{std::move(evidence)},
      requests{home, options} {}

Message LinkCore::network_request(NetworkCode code) {
    network_stan = network_stan % 999'999 + 1;
    auto const now_s = seconds_of(clock.wall_ns());
    auto request = dialect.network_request(code, utc_transmission_time(now_s), now_s);
    request.set_stan(network_stan);
    return request;
}

struct Session::Connection {
    Connection(asio::any_io_executor const& home, Packaging const& packaging)
        : resolver{home},
          socket{home},
          deadline{home},
          wake{home},
          idle{home},
          ended{home},
          stalled{home},
          frames{packaging} {}

    // Ends connecting, at whichever step it is.
    void give_up() {
        is_given_up = true;
        resolver.cancel();
        deadline.cancel();
        boost::system::error_code ignored;
        ignored = socket.close(ignored);
    }

    void end_loop() {
        --loops;
        ended.cancel();
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
    asio::steady_timer stalled;   // cancelled when what is being written was taken
    FrameReader frames;
    steady_clock::time_point heard = steady_clock::now();
    bool is_given_up = false;
    bool open = false;  // connected, and not closed yet
    bool signed_on = false;
    int loops = 0;
};

Session::Session(std::shared_ptr<LinkCore> core, std::size_t number)
    : core_{std::move(core)},
      number_{number},
      keys_{
          core_->home,
          core_->options.mac,
          core_->options.packaging,
          core_->options.host + ":" + core_->options.port,
          core_->options.on_notice
      },
      pause_{core_->home},
      finished_{core_->home, steady_clock::time_point::max()} {}

void Session::start() {
    spawn(run(shared_from_this()));
}

void Session::refuse() {
    is_stopping_ = true;
    is_ready_ = false;
}

void Session::leave() {
    spawn(sign_off(shared_from_this()));
}

asio::awaitable<void> Session::finished(std::shared_ptr<Session> self) {
    while (!self->has_finished_) {
        co_await self->finished_.async_wait(kAwait);
    }
}

bool Session::is_signed_on() const {
    return connection_ && connection_->signed_on;
}

void Session::spawn(asio::awaitable<void> loop) {
    asio::co_spawn(core_->home, std::move(loop), [](std::exception_ptr const& thrown) {
        FLORIN_CHECK(!thrown, "a link's coroutine let an exception out");
    });
}

std::string Session::trouble() const {
    std::lock_guard const lock{trouble_mutex_};
    return trouble_;
}

void Session::set_trouble(std::string trouble) {
    std::lock_guard const lock{trouble_mutex_};
    trouble_ = std::move(trouble);
}

// ---- requests -----------------------------------------------------------------------------------

asio::awaitable<Exchange> Session::exchange(
    std::shared_ptr<Session> self, Message request, LinkKeys::Time end, unsigned timeout_ms
) {
    return run_exchange(std::move(self), std::move(request), end, timeout_ms, Kind::payment);
}

asio::awaitable<Exchange> Session::ask(std::shared_ptr<Session> self, NetworkCode code) {
    auto request = self->core_->network_request(code);
    unsigned const timeout_ms = self->core_->options.network_timeout_ms;
    auto const end = steady_clock::now() + milliseconds{timeout_ms};
    return run_exchange(std::move(self), std::move(request), end, timeout_ms, Kind::network);
}

asio::awaitable<Exchange> Session::run_exchange(
    std::shared_ptr<Session> self,
    Message request,
    LinkKeys::Time end,
    unsigned timeout_ms,
    Kind kind
) {
    auto const pending = std::make_shared<Pending>(self->core_->home, self->number_);
    auto refusal = self->enqueue(pending, request, kind);
    if (!refusal.empty()) {
        ++self->core_->requests.figures.not_sent;
        co_return Exchange{.end = Exchange::End::not_sent, .answer = {}, .detail = refusal};
    }
    self->core_->requests.add(pending);
    self->to_write_.push_back(pending);
    self->connection_->wake.cancel();
    pending->signal.expires_at(end);
    co_await pending->signal.async_wait(kAwait);
    if (!pending->done) {
        self->time_out(pending, timeout_ms);
    }
    co_return std::move(pending->result);
}

// Fills the pending request; says why not where it cannot go out.
std::string Session::enqueue(PendingPtr const& pending, Message const& request, Kind kind) {
    Requests const& requests = core_->requests;
    if (!connection_ || !connection_->open || !(kind == Kind::network || is_ready_)) {
        return "the link is not signed on";
    }
    if (kind == Kind::payment && requests.is_full()) {
        return "too many requests are outstanding on the link";
    }
    auto bytes = keys_.encode(request);
    if (!bytes) {
        return to_string(bytes.error());
    }
    Wire const message{std::move(*bytes)};
    auto framed = frame(message.reveal(), core_->options.packaging);
    if (!framed) {
        return to_string(framed.error());
    }
    pending->wire = Wire{std::move(*framed)};
    requests.describe(*pending, request);
    if (requests.is_outstanding(pending->key)) {
        return "a message with this identity is outstanding";
    }
    return {};
}

void Session::time_out(PendingPtr const& pending, unsigned timeout_ms) {
    Requests& requests = core_->requests;
    if (pending->stage == Pending::Stage::queued) {
        std::erase(to_write_, pending);
        requests.finish(*pending, Exchange::End::not_sent, "could not be written in time");
        return;
    }
    ++requests.figures.timed_out;
    requests.finish(
        *pending,
        Exchange::End::unanswered,
        "no answer within " + std::to_string(timeout_ms) + " ms"
    );
}

// ---- the connection's life ----------------------------------------------------------------------

asio::awaitable<void> Session::run(std::shared_ptr<Session> self) {
    LinkOptions const& options = self->core_->options;
    auto pause_ms = options.reconnect_min_ms;
    while (!self->is_stopping_) {
        auto session = run_once(self);
        bool const was_signed_on = co_await std::move(session);
        if (was_signed_on) {
            pause_ms = options.reconnect_min_ms;
        }
        if (self->is_stopping_) {
            break;
        }
        self->pause_.expires_after(milliseconds{pause_ms});
        co_await self->pause_.async_wait(kAwait);
        pause_ms = std::min(pause_ms * 2, options.reconnect_max_ms);
    }
    self->has_finished_ = true;
    self->finished_.cancel();
}

// From connect to close. True where it was signed on in between.
asio::awaitable<bool> Session::run_once(std::shared_ptr<Session> self) {
    auto const connection =
        std::make_shared<Connection>(self->core_->home, self->core_->options.packaging);
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
    auto signing_on = sign_on(self);
    std::string const refusal = co_await std::move(signing_on);
    if (refusal.empty()) {
        connection->signed_on = connection->open;
        ++self->core_->requests.figures.signed_on;
        self->is_ready_ = connection->open && !self->is_stopping_;
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

asio::awaitable<bool> Session::connect(
    std::shared_ptr<Session> self, std::shared_ptr<Connection> connection
) {
    LinkOptions const& options = self->core_->options;
    self->set_trouble("connecting");
    auto const on_deadline = [connection](boost::system::error_code error) {
        if (!error) {
            connection->give_up();
        }
    };
    connection->deadline.expires_after(milliseconds{options.connect_timeout_ms});
    connection->deadline.async_wait(on_deadline);
    auto [resolve_error, found] =
        co_await connection->resolver.async_resolve(options.host, options.port, kAwait);
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
    ++self->core_->requests.figures.connected;
    co_return true;
}

// With the first key where keys are exchanged. Empty: done; else why not.
asio::awaitable<std::string> Session::sign_on(std::shared_ptr<Session> self) {
    auto asking = ask(self, NetworkCode::sign_on);
    auto const exchange = co_await std::move(asking);
    if (exchange.end != Exchange::End::answered) {
        co_return "sign-on: " + exchange.detail;
    }
    if (exchange.answer.get(39) != self->core_->dialect.network_answer(true)) {
        co_return "the host refused the sign-on";
    }
    if (!self->keys_.wants_exchange()) {
        co_return std::string{};
    }
    self->set_trouble("waiting for a key");
    self->keys_.begin_exchange();
    auto keying = get_key(self);
    co_return co_await std::move(keying);
}

// Asks for the connection's first key. Empty: it is in force; else why not.
asio::awaitable<std::string> Session::get_key(std::shared_ptr<Session> self) {
    auto asking = ask(self, NetworkCode::key_exchange);
    auto const exchange = co_await std::move(asking);
    if (exchange.end != Exchange::End::answered) {
        co_return "key exchange: " + exchange.detail;
    }
    if (exchange.answer.get(39) != self->core_->dialect.network_answer(true)) {
        co_return "the host refused the key exchange";
    }
    std::string const wrong = self->keys_.take(exchange.answer);
    co_return wrong.empty() ? wrong : "key exchange: " + wrong;
}

asio::awaitable<void> Session::keep_alive(
    std::shared_ptr<Session> self, std::shared_ptr<Connection> connection
) {
    milliseconds const silence{self->core_->options.idle_echo_ms};
    while (connection->open) {
        if (!self->is_stopping_ && steady_clock::now() - connection->heard >= silence) {
            auto asking = ask(self, NetworkCode::echo);
            auto const exchange = co_await std::move(asking);
            if (exchange.end != Exchange::End::answered) {
                self->close(*connection, "echo: " + exchange.detail);
            }
            continue;
        }
        connection->idle.expires_at(
            self->is_stopping_ ? steady_clock::time_point::max() : connection->heard + silence
        );
        co_await connection->idle.async_wait(kAwait);
    }
}

asio::awaitable<void> Session::sign_off(std::shared_ptr<Session> self) {
    if (auto const connection = self->connection_; connection) {
        if (connection->open && connection->signed_on) {
            auto asking = ask(self, NetworkCode::sign_off);
            co_await std::move(asking);
        }
        connection->give_up();
        self->close(*connection, "the link was stopped");
    }
    self->pause_.cancel();
}

// What was written stays unanswered, what waits was not sent. The one message whose write is under
// way is decided by its writer, which learns how many bytes were taken.
void Session::close(Connection& connection, std::string const& why) {
    if (!connection.open) {
        return;
    }
    Requests& requests = core_->requests;
    connection.open = false;
    is_ready_ = false;
    ++requests.figures.disconnected;
    set_trouble(why);
    boost::system::error_code ignored;
    ignored = connection.socket.close(ignored);
    connection.wake.cancel();
    connection.idle.cancel();
    keys_.end_exchange();
    to_write_.clear();
    for (auto const& pending : requests.on_connection(number_)) {
        if (pending->stage == Pending::Stage::queued) {
            requests.finish(
                *pending, Exchange::End::not_sent, "the connection ended before the write"
            );
        } else if (pending->stage == Pending::Stage::written) {
            requests.cut_off(*pending);
        }
    }
}

// ---- what goes and comes ------------------------------------------------------------------------

asio::awaitable<void> Session::write_loop(
    std::shared_ptr<Session> self, std::shared_ptr<Connection> connection
) {
    Requests& requests = self->core_->requests;
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
        watch_write(self, connection);
        auto [error, taken] = co_await asio::async_write(connection->socket, buffer, kAwait);
        connection->stalled.cancel();
        FLORIN_FAILPOINT(pending->answer_mti(), "written");
        pending->wire = Wire{};
        pending->stage = Pending::Stage::written;
        if (!error) {
            ++requests.figures.sent;
        } else if (taken == 0) {
            // The proof: the operating system took nothing of it.
            requests.finish(*pending, Exchange::End::not_sent, "write: " + error.message());
            self->close(*connection, "write: " + error.message());
        } else {
            self->close(*connection, "write: " + error.message());
        }
        if (!connection->open) {
            requests.cut_off(*pending);
        }
    }
    connection->end_loop();
}

// Who takes nothing for as long as a silent host is waited for is as good as silent, whatever it
// says itself: what is written then would wait until it is given up.
void Session::watch_write(
    std::shared_ptr<Session> const& self, std::shared_ptr<Connection> const& connection
) {
    auto const& options = self->core_->options;
    connection->stalled.expires_after(
        milliseconds{options.idle_echo_ms} + milliseconds{options.network_timeout_ms}
    );
    auto give_up = [self, connection](boost::system::error_code error) {
        if (!error) {
            self->close(*connection, "the host reads nothing");
        }
    };
    connection->stalled.async_wait(std::move(give_up));
}

asio::awaitable<void> Session::read_loop(
    std::shared_ptr<Session> self, std::shared_ptr<Connection> connection
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
    connection->end_loop();
}

void Session::take_frames(Connection& connection) {
    LinkFigures& figures = core_->requests.figures;
    while (connection.open) {
        auto const bytes = connection.frames.next();
        if (!bytes) {
            ++figures.malformed;
            close(connection, bytes.error().context);
            return;
        }
        if (!*bytes) {
            return;
        }
        auto message = decode(**bytes, core_->options.packaging);
        if (!message) {
            ++figures.malformed;
            continue;
        }
        if (!keys_.accepts(**bytes, *message)) {
            ++figures.bad_mac;
            continue;
        }
        take(connection, std::move(*message), std::hash<ByteView>{}(**bytes));
    }
}

void Session::take(Connection& connection, Message message, std::size_t digest) {
    if (!core_->dialect.is_mine(message.mti())) {
        ++core_->requests.figures.foreign;
        return;
    }
    if (wants_answer(message.mti())) {
        answer_host(connection, message);
        return;
    }
    if (core_->requests.take(message, digest, number_) == Requests::Fit::late) {
        core_->unmatched(message);
    }
}

// Hosts ask for echoes too, and send keys. Nothing else is expected from them.
void Session::answer_host(Connection& connection, Message const& request) {
    LinkOptions const& options = core_->options;
    LinkFigures& figures = core_->requests.figures;
    if (request.mti()[1] != '8' || request.mti()[2] != '0' ||
        to_write_.size() >= options.outstanding_max) {
        ++figures.foreign;
        return;
    }
    auto const code = core_->dialect.network_code(request);
    std::optional<KeyBytes> key;
    auto answer = request;
    answer.set_mti(answer_mti(request.mti()));
    answer.erase(kMacFirst);
    answer.erase(kMacSecond);
    if (code == NetworkCode::key_exchange) {
        key = keys_.key_in(request);
        answer.erase(options.packaging.elements.key_block.field);
    }
    bool const is_accepted =
        code == NetworkCode::echo || code == NetworkCode::sign_on || key.has_value();
    answer.set(39, core_->dialect.network_answer(is_accepted));
    // Under the key that the request came under: the new one counts behind this answer.
    auto bytes = keys_.encode(answer);
    auto framed = bytes ? frame(*bytes, options.packaging) : bytes;
    if (!framed) {
        ++figures.foreign;
        return;
    }
    auto const pending = std::make_shared<Pending>(core_->home, number_);
    pending->done = true;  // nobody waits for its end
    pending->wire = Wire{std::move(*framed)};
    to_write_.push_back(pending);
    connection.wake.cancel();
    if (key) {
        keys_.install(std::move(*key));
    }
}

}  // namespace florin::connectors::iso8583
