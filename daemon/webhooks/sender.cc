// The one file with Beast and TLS of webhooks.
#include "daemon/webhooks/sender.h"

#include "crypto/tls.h"
#include "daemon/webhooks/resolver.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <set>

namespace florin::webhooks {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using TimePoint = std::chrono::steady_clock::time_point;

constexpr std::size_t kAnswerHeadMax = 16 * 1024;
constexpr std::size_t kAddressesMax = 4;  // tried one after the other
constexpr int kInterimMax = 8;            // 1xx answers before the one that counts

std::string problem_of(char const* step, error_code const& error) {
    if (error == beast::error::timeout) {
        return std::string{step} + ": timed out";
    }
    return std::string{step} + ": " + error.message();
}

class HttpSender final : public Sender {
public:
    HttpSender(
        asio::any_io_executor executor,
        SenderOptions options,
        std::shared_ptr<asio::ssl::context> tls
    )
        : executor_{executor},
          options_{std::move(options)},
          tls_{std::move(tls)},
          resolver_{std::move(executor)} {}

    asio::awaitable<SendOutcome> send(Message message) override {
        auto const resolved = co_await resolver_.resolve(
            std::string{message.owner}, std::string{message.target.host}, options_.timeout
        );
        if (resolved.status == Resolved::Status::busy) {
            co_return SendOutcome{
                .status = 0, .problem = "other hosts' names were being resolved", .is_put_off = true
            };
        }
        if (resolved.status == Resolved::Status::not_found) {
            co_return SendOutcome{.status = 0, .problem = "the host's name was not resolved"};
        }
        auto const& found = resolved.addresses;
        TimePoint const deadline = resolved.deadline;
        // The answer of the resolver is checked as a whole: a name that points inside as well is
        // not one to send anything to.
        for (asio::ip::address const& address : found) {
            if (!options_.allow_private && !is_public(address)) {
                co_return SendOutcome{
                    .status = 0, .problem = "the host's address is private or reserved"
                };
            }
        }
        SendOutcome last;
        for (std::size_t i = 0; i < std::min(found.size(), kAddressesMax); ++i) {
            tcp::endpoint const peer{found[i], message.target.port};
            bool connected = false;
            if (message.target.is_tls) {
                last = co_await send_tls(message, peer, deadline, connected);
            } else {
                last = co_await send_plain(message, peer, deadline, connected);
            }
            if (connected || std::chrono::steady_clock::now() >= deadline) {
                break;
            }
        }
        co_return last;
    }

    void cancel_all() override {
        resolver_.cancel_all();
        for (beast::tcp_stream* const stream : live_) {
            stream->close();
        }
    }

    void close() override { resolver_.close(); }

private:
    // A stream that cancel_all() can close.
    class Live {
    public:
        Live(std::set<beast::tcp_stream*>& live, beast::tcp_stream& stream)
            : live_{live}, stream_{stream} {
            live_.insert(&stream_);
        }
        Live(Live const&) = delete;
        Live& operator=(Live const&) = delete;
        ~Live() { live_.erase(&stream_); }

    private:
        std::set<beast::tcp_stream*>& live_;
        beast::tcp_stream& stream_;
    };

    asio::awaitable<SendOutcome> send_plain(
        Message const& message, tcp::endpoint peer, TimePoint deadline, bool& connected
    ) {
        beast::tcp_stream stream{executor_};
        Live const live{live_, stream};
        stream.expires_at(deadline);
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        co_await stream.async_connect(peer, token);
        if (error) {
            co_return SendOutcome{.status = 0, .problem = problem_of("connect", error)};
        }
        connected = true;
        SendOutcome outcome = co_await exchange(stream, message);
        stream.close();
        co_return outcome;
    }

    asio::awaitable<SendOutcome> send_tls(
        Message const& message, tcp::endpoint peer, TimePoint deadline, bool& connected
    ) {
        auto const held = std::make_unique<TlsStream>(executor_, *tls_);
        TlsStream& stream = *held;
        beast::tcp_stream& socket = stream.next_layer();
        Live const live{live_, socket};
        socket.expires_at(deadline);
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        co_await socket.async_connect(peer, token);
        if (error) {
            co_return SendOutcome{.status = 0, .problem = problem_of("connect", error)};
        }
        connected = true;
        std::string const& host = message.target.host;
        asio::ip::make_address(host, error);
        bool const is_name = static_cast<bool>(error);
        if (is_name) {
            crypto::ask_for_host(stream.native_handle(), host);
        }
        stream.set_verify_callback(asio::ssl::host_name_verification{host}, error);
        co_await stream.async_handshake(asio::ssl::stream_base::client, token);
        if (error) {
            co_return SendOutcome{.status = 0, .problem = problem_of("TLS", error)};
        }
        SendOutcome outcome = co_await exchange(stream, message);
        // The status is known: a peer that does not say goodbye changes nothing.
        socket.close();
        co_return outcome;
    }

    template <class Stream>
    asio::awaitable<SendOutcome> exchange(Stream& stream, Message const& message) {
        bhttp::request<bhttp::string_body> request{bhttp::verb::post, message.target.path, 11};
        request.set(bhttp::field::host, message.target.host_header);
        request.set(bhttp::field::connection, "close");
        for (auto const& [name, value] : message.headers) {
            request.set(name, value);
        }
        request.body() = message.body;
        request.prepare_payload();
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        co_await bhttp::async_write(stream, request, token);
        error_code const write_error = error;
        // Who answers before the whole body has arrived has answered.
        beast::flat_buffer buffer{kAnswerHeadMax};
        for (int i = 0; i < kInterimMax; ++i) {
            bhttp::response_parser<bhttp::empty_body> parser;
            parser.header_limit(kAnswerHeadMax);
            parser.body_limit(boost::none);  // of the body nothing is read
            co_await bhttp::async_read_header(stream, buffer, parser, token);
            if (error) {
                co_return SendOutcome{
                    .status = 0,
                    .problem =
                        write_error ? problem_of("send", write_error) : problem_of("answer", error)
                };
            }
            int const status = static_cast<int>(parser.get().result_int());
            if (status >= 200) {
                co_return SendOutcome{.status = status, .problem = {}};
            }
        }
        co_return SendOutcome{.status = 0, .problem = "answer: only interim ones"};
    }

    asio::any_io_executor executor_;
    SenderOptions options_;
    std::shared_ptr<asio::ssl::context> tls_;
    Resolver resolver_;
    std::set<beast::tcp_stream*> live_;
};

}  // namespace

Result<std::unique_ptr<Sender>> make_sender(asio::any_io_executor executor, SenderOptions options) {
    FLORIN_TRY(auto tls, crypto::make_public_client_context(options.extra_ca_pem));
    return std::make_unique<HttpSender>(std::move(executor), std::move(options), std::move(tls));
}

}  // namespace florin::webhooks
