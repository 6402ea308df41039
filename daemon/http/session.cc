// TLS and HTTP/1.1 on one connection. http/request_reader makes requests of the bytes, which go
// from the socket to it without a stream in between.
//
// Every wait has a deadline (Lane::cut_late), every length a bound. A message that breaks HTTP
// is answered with a JSON error that names what was wrong, then the connection is closed; a request
// whose bytes are whole is always decided and answered.
#include "daemon/http/session.h"

#include "crypto/tls_connection.h"
#include "daemon/http/request_reader.h"
#include "daemon/log/log.h"
#include "ledger/base/failpoint.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/status.hpp>

#include <array>
#include <charconv>

namespace florin::http {
namespace {

namespace asio = boost::asio;
namespace bhttp = boost::beast::http;
using boost::system::error_code;
using crypto::TlsState;
using tcp = asio::ip::tcp;

constexpr std::size_t kReadAtOnce = 16 * 1024;

Deadline in_ms(std::uint64_t count) {
    return std::chrono::steady_clock::now() +
           std::chrono::milliseconds{static_cast<std::int64_t>(count)};
}

constexpr int kNoContent = 204;

void add_header(std::string& head, std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
}

class Session {
public:
    Session(tcp::socket socket, Lane& lane)
        : lane_{lane},
          limits_{lane.options.limits},
          socket_{std::move(socket)},
          watched_{socket_},
          tls_{*lane.options.tls, socket_.native_handle()},
          reader_{limits_} {
        lane_.connections.insert(&watched_);
    }
    Session(Session const&) = delete;
    Session& operator=(Session const&) = delete;
    ~Session() { lane_.connections.erase(&watched_); }

    asio::awaitable<void> run() {
        error_code ignored;
        socket_.non_blocking(true, ignored);
        socket_.set_option(tcp::no_delay{true}, ignored);
        auto const endpoint = socket_.remote_endpoint(ignored);
        peer_ = endpoint.address().to_string();
        if (!co_await handshake()) {
            ++lane_.counters.handshakes_failed;
            co_return;
        }
        while (co_await serve_one()) {
        }
        tls_.shutdown();
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
    }

private:
    // False: the deadline has passed or the socket is gone.
    asio::awaitable<bool> wait_for(TlsState wanted) {
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        auto const direction =
            wanted == TlsState::want_write ? tcp::socket::wait_write : tcp::socket::wait_read;
        co_await socket_.async_wait(direction, token);
        co_return !error && !watched_.is_late;
    }

    void set_deadline(std::uint64_t ms) {
        watched_.deadline = in_ms(ms);
        watched_.is_late = false;
    }

    asio::awaitable<bool> handshake() {
        set_deadline(limits_.handshake_ms);
        // Who has not finished the handshake has asked for nothing yet: stopping need not wait.
        watched_.is_idle = true;
        // Waited for first: whoever says nothing costs no buffers.
        TlsState state = TlsState::want_read;
        while (state == TlsState::want_read || state == TlsState::want_write) {
            if (!co_await wait_for(state)) {
                co_return false;
            }
            state = tls_.handshake();
        }
        watched_.is_idle = false;
        co_return state == TlsState::done;
    }

    enum class Arrived { some, late, none };

    // More bytes of the other side, given to the reader, unless there will be none.
    asio::awaitable<Arrived> read_more() {
        std::array<char, kReadAtOnce> bytes;
        for (;;) {
            std::size_t count = 0;
            TlsState const state = tls_.read(bytes, count);
            if (state == TlsState::done) {
                reader_.add({bytes.data(), count});
                co_return Arrived::some;
            }
            if (state == TlsState::closed || state == TlsState::failed) {
                co_return Arrived::none;
            }
            if (!co_await wait_for(state)) {
                co_return watched_.is_late ? Arrived::late : Arrived::none;
            }
        }
    }

    // Reads until a request is whole. False: there will be none, and what is to be said was said.
    asio::awaitable<bool> read_request() {
        set_deadline(limits_.request_ms);
        Reading reading = reader_.read();
        for (; reading != Reading::whole; reading = reader_.read()) {
            if (reading == Reading::broken) {
                co_await refuse(reader_.complaint());
                co_return false;
            }
            if (reading == Reading::wants_continue) {
                co_await send("HTTP/1.1 100 Continue\r\n\r\n");
                continue;
            }
            Arrived const arrived = co_await read_more();
            if (arrived == Arrived::late) {
                Complaint const late{408, "The request did not arrive in time."};
                co_await refuse(late);
            }
            if (arrived != Arrived::some) {
                co_return false;
            }
        }
        co_return true;
    }

    // False: the connection is over.
    asio::awaitable<bool> serve_one() {
        if (reader_.is_idle() && !co_await wait_for_request()) {
            co_return false;
        }
        if (!co_await read_request()) {
            co_return false;
        }
        ++lane_.counters.requests;
        Request request = reader_.take();
        request.request_id = new_request_id();
        request.peer = peer_;
        watched_.deadline = kNoDeadline;
        std::string const request_id = request.request_id;
        bool const keep_alive = reader_.keeps_alive();
        FLORIN_FAILPOINT("http", "request_read");
        Response const response = co_await handle(std::move(request));
        bool const goes_on = keep_alive && !lane_.stopping;
        FLORIN_FAILPOINT("http", "before_answer");
        bool const written = co_await write(response, request_id, goes_on);
        FLORIN_FAILPOINT("http", "answered");
        co_return written&& goes_on;
    }

    // Idle connections hold no request buffer and are closed when the server stops.
    asio::awaitable<bool> wait_for_request() {
        if (lane_.stopping) {
            co_return false;
        }
        reader_.clear();
        set_deadline(limits_.idle_ms);
        watched_.is_idle = true;
        // Waited for first, because mostly there is nothing yet.
        bool const is_there = tls_.has_unread() || co_await wait_for(TlsState::want_read);
        Arrived const arrived = is_there ? co_await read_more() : Arrived::none;
        watched_.is_idle = false;
        co_return arrived == Arrived::some;
    }

    asio::awaitable<Response> handle(Request request) {
        std::string const request_id = request.request_id;
        try {
            co_return co_await lane_.handler(std::move(request));
        } catch (std::exception const& error) {
            log::error("http.handler_failed", {{"request", request_id}, {"what", error.what()}});
        }
        Response failed;
        failed.status = 500;
        failed.body = transport_error_json("api_error", "An internal error has been logged.");
        co_return failed;
    }

    asio::awaitable<void> refuse(Complaint complaint) {
        ++lane_.counters.malformed;
        Response response;
        response.status = complaint.status;
        response.body = transport_error_json("invalid_request_error", complaint.message);
        std::string const request_id = new_request_id();
        co_await write(response, request_id, false);
        // What the client still sends is read and dropped for a moment, so that it gets to see the
        // answer instead of a reset.
        constexpr std::uint64_t kMomentMs = 500;
        constexpr int kReadsMax = 512;
        set_deadline(kMomentMs);
        Arrived arrived = Arrived::some;
        for (int i = 0; i < kReadsMax && arrived == Arrived::some; ++i) {
            reader_.clear();
            arrived = co_await read_more();
        }
    }

    asio::awaitable<bool> write(
        Response const& response, std::string const& request_id, bool keep_alive
    ) {
        constexpr std::size_t kHeadUsual = 384;
        std::string text;
        text.reserve(kHeadUsual + response.body.size());
        char status[8];
        auto const end = std::to_chars(status, status + sizeof status, response.status).ptr;
        auto const reason = bhttp::obsolete_reason(static_cast<bhttp::status>(response.status));
        text.append("HTTP/1.1 ").append(status, end).append(" ");
        text.append(reason.data(), reason.size()).append("\r\n");
        add_header(text, "Server", "Florin");
        add_header(text, "Content-Type", response.content_type);
        add_header(text, "Request-Id", request_id);
        for (auto const& [name, value] : response.headers) {
            add_header(text, name, value);
        }
        if (!keep_alive) {
            add_header(text, "Connection", "close");
        }
        // RFC 9110 section 8.6: an answer without content has no length either.
        if (response.status != kNoContent) {
            add_header(text, "Content-Length", std::to_string(response.body.size()));
        }
        text.append("\r\n").append(response.body);
        set_deadline(limits_.write_ms);
        co_return co_await send(text);
    }

    // `text` outlives the call.
    asio::awaitable<bool> send(std::string_view text) {
        while (!text.empty()) {
            std::size_t count = 0;
            TlsState const state = tls_.write(text, count);
            if (state == TlsState::done) {
                text.remove_prefix(count);
            } else if (state == TlsState::closed || state == TlsState::failed ||
                       !co_await wait_for(state)) {
                co_return false;
            }
        }
        co_return true;
    }

    std::string new_request_id() { return "req_" + crypto::random_alphanumeric(lane_.random, 14); }

    Lane& lane_;
    ServerLimits const& limits_;
    tcp::socket socket_;
    Watched watched_;
    crypto::TlsConnection tls_;
    RequestReader reader_;
    std::string peer_;
};

}  // namespace

void Lane::cut_late(Deadline now) {
    for (Watched* const each : connections) {
        if (each->deadline <= now) {
            each->is_late = true;
            each->deadline = kNoDeadline;
            error_code ignored;
            each->socket.cancel(ignored);
        }
    }
}

void Lane::stop() {
    stopping = true;
    for (Watched* const each : connections) {
        if (each->is_idle) {
            // A shut-down socket ends the read that waits on it.
            error_code ignored;
            each->socket.shutdown(tcp::socket::shutdown_receive, ignored);
        }
    }
}

asio::awaitable<void> run_session(tcp::socket socket, Lane& lane) {
    auto const session = std::make_unique<Session>(std::move(socket), lane);
    try {
        co_await session->run();
    } catch (std::exception const& error) {
        log::error("http.session_failed", {{"what", error.what()}});
    }
}

}  // namespace florin::http
