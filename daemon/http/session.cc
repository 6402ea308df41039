// TLS and HTTP/1.1 on one connection, with Beast.
//
// Every wait has a deadline (beast::tcp_stream), every length a bound. A message that breaks HTTP
// is answered with a JSON error that names what was wrong, then the connection is closed; a request
// whose bytes are whole is always decided and answered.
#include "daemon/http/session.h"

#include "daemon/log/log.h"
#include "ledger/base/bytes.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

namespace florin::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using Stream = beast::ssl_stream<beast::tcp_stream>;
using boost::system::error_code;

constexpr std::size_t kReadAtLeast = 4096;
constexpr std::size_t kReadAheadMax = 64 * 1024;

std::chrono::milliseconds ms(std::uint64_t count) {
    return std::chrono::milliseconds{static_cast<std::int64_t>(count)};
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
    if (error == beast::error::timeout) {
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

class Session {
public:
    Session(asio::ip::tcp::socket socket, Lane& lane)
        : lane_{lane},
          limits_{lane.options.limits},
          stream_{std::move(socket), *lane.options.tls} {}

    asio::awaitable<void> run() {
        error_code error;
        error_code ignored;
        stream_.next_layer().socket().set_option(asio::ip::tcp::no_delay{true}, ignored);
        auto const endpoint = stream_.next_layer().socket().remote_endpoint(ignored);
        peer_ = endpoint.address().to_string();
        stream_.next_layer().expires_after(ms(limits_.handshake_ms));
        auto token = asio::redirect_error(asio::use_awaitable, error);
        // Who has not finished the handshake has asked for nothing yet: stopping need not wait.
        auto* const socket = &stream_.next_layer().socket();
        lane_.idle.insert(socket);
        co_await stream_.async_handshake(asio::ssl::stream_base::server, token);
        lane_.idle.erase(socket);
        if (error) {
            ++lane_.counters.handshakes_failed;
            co_return;
        }
        while (co_await serve_one()) {
        }
        stream_.next_layer().expires_after(ms(1'000));
        co_await stream_.async_shutdown(token);
    }

private:
    // False: the connection is over.
    asio::awaitable<bool> serve_one() {
        bhttp::request_parser<bhttp::string_body> parser;
        parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
        parser.body_limit(limits_.body_bytes_max);
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);

        if (buffer_.size() == 0) {
            if (!co_await wait_for_request()) {
                co_return false;
            }
        }
        stream_.next_layer().expires_after(ms(limits_.request_ms));
        co_await bhttp::async_read_header(stream_, buffer_, parser, token);
        bool const is_smuggling =
            !error && parser.get().has_content_length() && parser.get().chunked();
        if (is_smuggling || (!error && parser.get().count(bhttp::field::content_length) > 0 &&
                             parser.get().count(bhttp::field::transfer_encoding) > 0)) {
            ++lane_.counters.malformed;
            Complaint const both{400, "Content-Length and Transfer-Encoding exclude each other."};
            co_await refuse(both);
            co_return false;
        }
        if (!error &&
            bhttp::token_list{parser.get()[bhttp::field::expect]}.exists("100-continue")) {
            co_await send_continue();
        }
        if (!error) {
            co_await bhttp::async_read(stream_, buffer_, parser, token);
        }
        if (error) {
            auto const complaint = complaint_about(error, limits_);
            if (complaint) {
                ++lane_.counters.malformed;
                co_await refuse(*complaint);
            }
            co_return false;
        }
        ++lane_.counters.requests;
        // Beast does not know what a HEAD or CONNECT does to the bytes after it, and neither is
        // offered: the answer has a body, so the connection ends with it.
        auto const verb = parser.get().method();
        bool const is_plain = verb != bhttp::verb::head && verb != bhttp::verb::connect;
        bool const keep_alive = parser.get().keep_alive() && is_plain;
        unsigned const version = parser.get().version();
        auto request = to_request(parser.release());
        if (!request) {
            ++lane_.counters.malformed;
            Complaint const bad_path{400, "The request's path has a bad percent-escape."};
            co_await refuse(bad_path);
            co_return false;
        }
        std::string const request_id = request->request_id;
        Response response = co_await handle(std::move(*request));
        bool const goes_on = keep_alive && !lane_.stopping;
        bool const written = co_await write(response, request_id, version, goes_on);
        co_return written&& goes_on;
    }

    // Idle connections hold no request buffer and are closed when the server stops.
    asio::awaitable<bool> wait_for_request() {
        if (lane_.stopping) {
            co_return false;
        }
        buffer_ = fresh_buffer();
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        stream_.next_layer().expires_after(ms(limits_.idle_ms));
        auto* const socket = &stream_.next_layer().socket();
        lane_.idle.insert(socket);
        auto const space = buffer_.prepare(kReadAtLeast);
        std::size_t const count = co_await stream_.async_read_some(space, token);
        lane_.idle.erase(socket);
        buffer_.commit(count);
        co_return !error;
    }

    asio::awaitable<void> send_continue() {
        bhttp::response<bhttp::empty_body> go_on{bhttp::status::continue_, 11};
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        co_await bhttp::async_write(stream_, go_on, token);
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
        Response response;
        response.status = complaint.status;
        response.body = transport_error_json("invalid_request_error", complaint.message);
        std::string const request_id = new_request_id();
        stream_.next_layer().expires_after(ms(limits_.write_ms));
        co_await write(response, request_id, 11, false);
        // What the client still sends is read and dropped for a moment, so that it gets to see the
        // answer instead of a reset.
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        stream_.next_layer().expires_after(ms(500));
        std::array<char, 4096> dropped{};
        for (int i = 0; i < 512 && !error; ++i) {
            auto const space = asio::buffer(dropped);
            co_await stream_.async_read_some(space, token);
        }
    }

    asio::awaitable<bool> write(
        Response const& response, std::string const& request_id, unsigned version, bool keep_alive
    ) {
        bhttp::response<bhttp::string_body> message{
            static_cast<bhttp::status>(response.status), version
        };
        message.set(bhttp::field::server, "Florin");
        message.set(bhttp::field::content_type, response.content_type);
        message.set("Request-Id", request_id);
        for (auto const& [name, value] : response.headers) {
            message.set(name, value);
        }
        message.keep_alive(keep_alive);
        message.body() = response.body;
        message.prepare_payload();
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        stream_.next_layer().expires_after(ms(limits_.write_ms));
        co_await bhttp::async_write(stream_, message, token);
        co_return !error;
    }

    // What is read ahead is bounded too: a chunk extension that never ends, or a pipeline.
    beast::flat_buffer fresh_buffer() const {
        return beast::flat_buffer{limits_.header_bytes_max + kReadAheadMax};
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
    Stream stream_;
    beast::flat_buffer buffer_;
    std::string peer_;
};

}  // namespace

asio::awaitable<void> run_session(asio::ip::tcp::socket socket, Lane& lane) {
    auto const session = std::make_unique<Session>(std::move(socket), lane);
    try {
        co_await session->run();
    } catch (std::exception const& error) {
        log::error("http.session_failed", {{"what", error.what()}});
    }
}

}  // namespace florin::http
