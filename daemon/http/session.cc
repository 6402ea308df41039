// TLS and HTTP/1.1 on one connection. Beast parses; bytes go from socket to parser without a stream
// in between.
//
// Every wait has a deadline (Lane::cut_late), every length a bound. A message that breaks HTTP
// is answered with a JSON error that names what was wrong, then the connection is closed; a request
// whose bytes are whole is always decided and answered.
#include "daemon/http/session.h"

#include "crypto/tls_connection.h"
#include "daemon/log/log.h"
#include "ledger/base/bytes.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>

#include <array>
#include <charconv>

namespace florin::http {
namespace {

namespace asio = boost::asio;
namespace bhttp = boost::beast::http;
using boost::system::error_code;
using crypto::TlsState;
using tcp = asio::ip::tcp;
using Parser = bhttp::request_parser<bhttp::string_body>;

constexpr std::size_t kReadAtOnce = 16 * 1024;
// What is read ahead is bounded too: a chunk extension that never ends, or a pipeline.
constexpr std::size_t kReadAheadMax = 64 * 1024;
// Larger buffers are given back when a connection falls idle.
constexpr std::size_t kKeptBytes = 4 * 1024;

Deadline in_ms(std::uint64_t count) {
    return std::chrono::steady_clock::now() +
           std::chrono::milliseconds{static_cast<std::int64_t>(count)};
}

// What to say of bytes that are not a request; nullopt: the other side is simply gone.
struct Complaint {
    int status;
    std::string message;
};
std::optional<Complaint> complaint_about(error_code const& error, ServerLimits const& limits) {
    if (error == bhttp::error::header_limit || error == bhttp::error::buffer_overflow) {
        return Complaint{
            431,
            "The request's headers are longer than " + std::to_string(limits.header_bytes_max) +
                " bytes."
        };
    }
    if (error == bhttp::error::body_limit) {
        return Complaint{
            413,
            "The request's body is longer than " + std::to_string(limits.body_bytes_max) + " bytes."
        };
    }
    if (error == asio::error::timed_out) {
        return Complaint{408, "The request did not arrive in time."};
    }
    bool const is_http =
        error.category() == bhttp::make_error_code(bhttp::error::bad_method).category();
    if (is_http && error != bhttp::error::end_of_stream && error != bhttp::error::partial_message) {
        return Complaint{400, "The request is not valid HTTP/1.1: " + error.message() + "."};
    }
    return std::nullopt;
}

Method method_of(bhttp::verb verb) {
    if (verb == bhttp::verb::get) {
        return Method::get;
    }
    if (verb == bhttp::verb::post) {
        return Method::post;
    }
    return verb == bhttp::verb::delete_ ? Method::delete_ : Method::other;
}

// %-decodes a path. nullopt: a bad escape or a zero byte.
std::optional<std::string> decode_path(std::string_view text) {
    std::string path;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            path.push_back(text[i]);
            continue;
        }
        auto const byte = from_hex(text.substr(i + 1, 2));
        if (!byte || byte->size() != 1 || (*byte)[0] == '\0') {
            return std::nullopt;
        }
        path += *byte;
        i += 2;
    }
    return path;
}

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
          tls_{*lane.options.tls, socket_.native_handle()} {
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
        TlsState state = tls_.handshake();
        while (state == TlsState::want_read || state == TlsState::want_write) {
            if (!co_await wait_for(state)) {
                co_return false;
            }
            state = tls_.handshake();
        }
        watched_.is_idle = false;
        co_return state == TlsState::done;
    }

    // More bytes of the other side, appended to unread_. An error where there will be none.
    asio::awaitable<error_code> read_more() {
        if (unread_.size() - parsed_ > limits_.header_bytes_max + kReadAheadMax) {
            co_return bhttp::make_error_code(bhttp::error::buffer_overflow);
        }
        std::array<char, kReadAtOnce> bytes;
        for (;;) {
            std::size_t count = 0;
            TlsState const state = tls_.read(bytes, count);
            if (state == TlsState::done) {
                unread_.append(bytes.data(), count);
                co_return error_code{};
            }
            if (state == TlsState::closed || state == TlsState::failed) {
                co_return bhttp::make_error_code(bhttp::error::end_of_stream);
            }
            if (!co_await wait_for(state)) {
                co_return watched_.is_late ? make_error_code(asio::error::timed_out)
                                           : make_error_code(asio::error::operation_aborted);
            }
        }
    }

    // Parses what is there and reads what is missing, until head or message are whole.
    asio::awaitable<error_code> read_until(Parser& parser, bool whole) {
        while (whole ? !parser.is_done() : !parser.is_header_done()) {
            error_code error;
            std::string_view const rest = std::string_view{unread_}.substr(parsed_);
            if (!rest.empty()) {
                parsed_ += parser.put(asio::buffer(rest), error);
            }
            if (error == bhttp::error::need_more || rest.empty()) {
                unread_.erase(0, std::exchange(parsed_, 0));
                error = co_await read_more();
            }
            if (error) {
                co_return error;
            }
        }
        co_return error_code{};
    }

    // False: the connection is over.
    asio::awaitable<bool> serve_one() {
        Parser parser;
        parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
        parser.body_limit(limits_.body_bytes_max);
        if (parsed_ == unread_.size() && !co_await wait_for_request()) {
            co_return false;
        }
        set_deadline(limits_.request_ms);
        error_code error = co_await read_until(parser, false);
        bool const is_smuggling = !error && parser.get().count(bhttp::field::content_length) > 0 &&
                                  parser.get().count(bhttp::field::transfer_encoding) > 0;
        if (is_smuggling) {
            Complaint const both{400, "Content-Length and Transfer-Encoding exclude each other."};
            co_await refuse(both);
            co_return false;
        }
        if (!error && parser.get().count(bhttp::field::expect) > 0 &&
            bhttp::token_list{parser.get()[bhttp::field::expect]}.exists("100-continue")) {
            co_await send("HTTP/1.1 100 Continue\r\n\r\n");
        }
        if (!error) {
            error = co_await read_until(parser, true);
        }
        if (error) {
            if (auto const complaint = complaint_about(error, limits_)) {
                co_await refuse(*complaint);
            }
            co_return false;
        }
        ++lane_.counters.requests;
        // A HEAD or CONNECT does something to the bytes after it, and neither is offered: the
        // answer has a body, so the connection ends with it. HTTP/1.0 has one request only.
        auto const verb = parser.get().method();
        bool const is_plain = verb != bhttp::verb::head && verb != bhttp::verb::connect &&
                              parser.get().version() == 11;
        bool const keep_alive = parser.get().keep_alive() && is_plain;
        auto request = to_request(parser.release());
        if (!request) {
            Complaint const bad_path{400, "The request's path has a bad percent-escape."};
            co_await refuse(bad_path);
            co_return false;
        }
        watched_.deadline = kNoDeadline;
        std::string const request_id = request->request_id;
        Response const response = co_await handle(std::move(*request));
        bool const goes_on = keep_alive && !lane_.stopping;
        bool const written = co_await write(response, request_id, goes_on);
        co_return written&& goes_on;
    }

    // Idle connections hold no request buffer and are closed when the server stops.
    asio::awaitable<bool> wait_for_request() {
        if (lane_.stopping) {
            co_return false;
        }
        unread_.clear();
        parsed_ = 0;
        if (unread_.capacity() > kKeptBytes) {
            unread_.shrink_to_fit();
        }
        set_deadline(limits_.idle_ms);
        watched_.is_idle = true;
        // Waited for first, because mostly there is nothing yet.
        bool const is_there = tls_.has_unread() || co_await wait_for(TlsState::want_read);
        error_code const error =
            is_there ? co_await read_more() : make_error_code(asio::error::operation_aborted);
        watched_.is_idle = false;
        co_return !error;
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
        error_code error;
        for (int i = 0; i < kReadsMax && !error; ++i) {
            unread_.clear();
            parsed_ = 0;
            error = co_await read_more();
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
        add_header(text, "Content-Length", std::to_string(response.body.size()));
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

    std::optional<Request> to_request(bhttp::request<bhttp::string_body> message) {
        Request request;
        request.method = method_of(message.method());
        std::string_view const target{message.target().data(), message.target().size()};
        auto const mark = target.find('?');
        auto path = decode_path(target.substr(0, mark));
        if (!path || !target.starts_with('/')) {
            return std::nullopt;
        }
        request.path = std::move(*path);
        request.query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
        for (auto const& field : message) {
            request.headers.emplace_back(field.name_string(), field.value());
        }
        request.body = std::move(message.body());
        request.request_id = new_request_id();
        request.peer = peer_;
        return request;
    }

    Lane& lane_;
    ServerLimits const& limits_;
    tcp::socket socket_;
    Watched watched_;
    crypto::TlsConnection tls_;
    std::string unread_;      // decrypted
    std::size_t parsed_ = 0;  // of it
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
