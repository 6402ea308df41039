// A connection with an event loop of its own, which turns only while a call waits. Reading never
// rests: while one request is being written, answers to those before it are taken in, so that
// neither side can block the other for good.
#include "tools/ledger_client/connection.h"

#include "crypto/tls.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <deque>
#include <fstream>
#include <sstream>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace florin::ledger_client {
namespace {

namespace asio = boost::asio;
namespace protocol = ledger::protocol;
using boost::system::error_code;
using protocol::ErrorCode;
using protocol::FrameHeader;
using protocol::HelloAnswer;
using protocol::Operation;
using LocalSocket = asio::local::stream_protocol::socket;
using TlsStream = asio::ssl::stream<asio::ip::tcp::socket>;

// As much as the system allows: fewer turns for a batch of a mebibyte.
constexpr int kSendBufferBytes = 4 << 20;

Errc errc_of(std::uint32_t error) {
    switch (static_cast<ErrorCode>(error)) {
        case ErrorCode::malformed:
        case ErrorCode::too_many_events: return Errc::malformed;
        case ErrorCode::unsupported_version:
        case ErrorCode::unknown_operation: return Errc::unsupported;
        case ErrorCode::unauthenticated: return Errc::refused;
        case ErrorCode::overloaded: return Errc::overloaded;
        case ErrorCode::closing: return Errc::closed;
        case ErrorCode::none:
        case ErrorCode::failed: break;
    }
    return Errc::io;
}

template <class Value>
std::span<char> bytes_in(std::vector<Value>& values) {
    return {reinterpret_cast<char*>(values.data()), values.size() * sizeof(Value)};
}

template <class Stream>
class Connection final : public Client {
public:
    static constexpr bool kIsTls = std::is_same_v<Stream, TlsStream>;

    Connection(std::uint64_t timeout_ms, std::shared_ptr<asio::ssl::context> tls)
        : timeout_ms_{timeout_ms}, tls_{std::move(tls)}, stream_{make_stream()} {}

    ~Connection() override {
        if (!failure_) {
            end({Errc::closed, "the client hangs up"});
        }
    }

    Result<void> open_local(std::string const& path) {
        error_code error;
        if (path.size() >= sizeof(sockaddr_un::sun_path)) {
            return fail(Errc::malformed, path + ": is too long for a socket's path");
        }
        socket().connect(asio::local::stream_protocol::endpoint{path}, error);
        if (error) {
            return fail(Errc::closed, path + ": " + error.message());
        }
        socket().set_option(asio::socket_base::send_buffer_size{kSendBufferBytes}, error);
        return {};
    }

    Result<void> open_tls(std::string const& host, std::string const& port) {
        error_code error;
        std::string const name = host + ":" + port;
        asio::ip::tcp::resolver resolver{context_};
        auto const found = resolver.resolve(host, port, error);
        if (error) {
            return fail(Errc::closed, name + ": " + error.message());
        }
        auto connected = [this, &error](error_code const& result, auto const&) {
            error = result;
            is_done_ = true;
        };
        is_done_ = false;
        asio::async_connect(socket(), found, std::move(connected));
        FLORIN_TRY_VOID(turn_until([this] { return is_done_; }));
        if (error) {
            return fail(Errc::closed, name + ": " + error.message());
        }
        socket().set_option(asio::ip::tcp::no_delay{true}, error);
        stream_.set_verify_callback(asio::ssl::host_name_verification{host}, error);
        auto shaken = [this, &error](error_code const& result) {
            error = result;
            is_done_ = true;
        };
        is_done_ = false;
        stream_.async_handshake(asio::ssl::stream_base::client, std::move(shaken));
        FLORIN_TRY_VOID(turn_until([this] { return is_done_; }));
        if (error) {
            return fail(Errc::refused, name + ": TLS: " + error.message());
        }
        return {};
    }

    Result<void> say_hello(Token const& token) {
        protocol::Hello hello;
        if (token.size() > hello.token.size()) {
            return fail(Errc::malformed, "a token of more than 128 bytes");
        }
        hello.token_length = static_cast<std::uint16_t>(token.size());
        token.reveal().copy(hello.token.data(), token.size());
        read_header();
        auto const sent = send(Operation::hello, 1, protocol::bytes_of(hello));
        explicit_bzero(&hello, sizeof hello);
        if (!sent) {
            return std::unexpected{sent.error()};
        }
        if (auto const answered = take(*sent); !answered) {
            return std::unexpected{answered.error()};
        }
        // From here on with what was agreed on.
        version_ = server_.version;
        in_flight_max_ = std::max<std::size_t>(1, server_.in_flight_max);
        return {};
    }

    HelloAnswer const& server() const override { return server_; }

protected:
    Result<std::uint64_t> send(Operation operation, std::size_t count, ByteView body) override {
        if (failure_) {
            return std::unexpected{*failure_};
        }
        if (count > ledger::kBatchEventsMax) {
            return fail(
                Errc::malformed,
                std::to_string(count) + " events in a batch; at most " +
                    std::to_string(ledger::kBatchEventsMax)
            );
        }
        FLORIN_TRY_VOID(turn_until([this] { return waiting_.size() < in_flight_max_; }));
        FrameHeader header;
        header.version = version_;
        header.operation = static_cast<std::uint16_t>(operation);
        header.count = static_cast<std::uint32_t>(count);
        header.request_id = ++last_id_;
        header = protocol::seal(header, body);
        waiting_.push_back(header);
        std::array<asio::const_buffer, 2> const pieces{
            asio::buffer(&header, sizeof header), asio::buffer(body.data(), body.size())
        };
        is_writing_ = true;
        asio::async_write(stream_, pieces, [this](error_code const& error, std::size_t) {
            is_writing_ = false;
            // Why nobody takes it is told by what can still be read.
            write_error_ = write_error_ ? write_error_ : error;
        });
        FLORIN_TRY_VOID(turn_until([this] { return !is_writing_; }));
        return header.request_id;
    }

    Result<Elements> take(std::uint64_t request_id) override {
        auto const is_there = [&] { return answers_.contains(request_id); };
        bool const is_coming =
            is_there() || std::ranges::any_of(waiting_, [&](FrameHeader const& header) {
                return header.request_id == request_id;
            });
        if (!is_coming && !failure_) {
            return fail(
                Errc::not_found, "request " + std::to_string(request_id) + " is not under way"
            );
        }
        if (!is_there()) {
            FLORIN_TRY_VOID(turn_until(is_there));
        }
        auto answer = std::move(answers_.at(request_id));
        answers_.erase(request_id);
        return answer;
    }

private:
    Stream make_stream() {
        if constexpr (kIsTls) {
            return Stream{context_, *tls_};
        } else {
            return Stream{context_};
        }
    }
    auto& socket() {
        if constexpr (kIsTls) {
            return stream_.next_layer();
        } else {
            return stream_;
        }
    }

    // Works until `is_reached`, or the connection is over.
    template <class Condition>
    Result<void> turn_until(Condition const& is_reached) {
        while (!is_reached()) {
            if (failure_) {
                settle();
                return std::unexpected{*failure_};
            }
            context_.restart();
            if (timeout_ms_ == 0) {
                context_.run_one();
                continue;
            }
            std::chrono::milliseconds const wait{static_cast<std::int64_t>(timeout_ms_)};
            if (context_.run_one_for(wait) == 0) {
                end({Errc::timeout, "no answer for " + std::to_string(timeout_ms_) + " ms"});
            }
        }
        return {};
    }

    // What is under way is given up.
    void end(Error error) {
        fail_with(std::move(error));
        settle();
    }
    // After the socket was closed: afterwards nothing of the caller's is referred to any more.
    void settle() {
        context_.restart();
        context_.run();
    }

    void read_header() {
        auto const space = asio::buffer(&incoming_, sizeof incoming_);
        asio::async_read(stream_, space, [this](error_code const& error, std::size_t) {
            if (error) {
                lost(error);
            } else if (auto const taken = take_header(); !taken) {
                fail_with(taken.error());
            }
        });
    }

    Result<void> take_header() {
        FLORIN_TRY(incoming_, protocol::read_header(protocol::bytes_of(incoming_)));
        // Said of the connection, not of a request.
        is_unasked_ = incoming_.request_id == 0 && incoming_.error != 0 &&
                      incoming_.body_length <= protocol::kErrorBytesMax;
        if (!is_unasked_) {
            if (waiting_.empty()) {
                return fail(Errc::malformed, "an answer that nobody asked for");
            }
            FLORIN_TRY_VOID(protocol::check_answer(waiting_.front(), incoming_));
        }
        auto const room = make_room();
        auto const space = asio::buffer(room.data(), room.size());
        asio::async_read(stream_, space, [this, room](error_code const& error, std::size_t) {
            if (error) {
                lost(error);
                return;
            }
            if (auto const taken = take_body({room.data(), room.size()}); !taken) {
                fail_with(taken.error());
                return;
            }
            read_header();
        });
        return {};
    }

    // Where the body of incoming_ goes.
    std::span<char> make_room() {
        std::size_t const count = incoming_.count;
        if (incoming_.error != 0) {
            text_.resize(incoming_.body_length);
            return text_;
        }
        switch (static_cast<Operation>(waiting_.front().operation)) {
            case Operation::hello: return {reinterpret_cast<char*>(&server_), sizeof server_};
            case Operation::head: return room_in(std::vector<Head>(count));
            case Operation::create_accounts:
            case Operation::create_transfers: return room_in(std::vector<EventResult>(count));
            case Operation::lookup_accounts:
            case Operation::query_accounts: return room_in(std::vector<Account>(count));
            case Operation::lookup_transfers:
            case Operation::get_account_transfers:
            case Operation::query_transfers: return room_in(std::vector<Transfer>(count));
            case Operation::get_account_balances:
                return room_in(std::vector<AccountBalance>(count));
        }
        return {};
    }
    template <class Value>
    std::span<char> room_in(std::vector<Value> values) {
        elements_ = std::move(values);
        return bytes_in(std::get<std::vector<Value>>(elements_));
    }

    Result<void> take_body(ByteView body) {
        FLORIN_TRY_VOID(protocol::check_body(incoming_, body));
        if (incoming_.error != 0) {
            std::string const name{protocol::error_name(static_cast<ErrorCode>(incoming_.error))};
            Error error{errc_of(incoming_.error), name + ": " + text_};
            if (is_unasked_) {
                return std::unexpected{std::move(error)};
            }
            answers_.emplace(incoming_.request_id, std::unexpected{std::move(error)});
        } else {
            answers_.emplace(incoming_.request_id, std::move(elements_));
        }
        waiting_.pop_front();
        return {};
    }

    void fail_with(Error error) {
        if (!failure_) {
            failure_ = std::move(error);
        }
        error_code ignored;
        socket().close(ignored);
    }
    void lost(error_code const& error) {
        auto const& why = write_error_ ? write_error_ : error;
        fail_with({Errc::closed, "the connection was lost: " + why.message()});
    }

    std::uint64_t timeout_ms_;
    std::shared_ptr<asio::ssl::context> tls_;
    asio::io_context context_{1};
    Stream stream_;
    std::optional<Error> failure_;  // the connection is over
    error_code write_error_;
    bool is_done_ = false;
    bool is_writing_ = false;
    bool is_unasked_ = false;
    std::uint16_t version_ = protocol::kHelloVersion;
    std::size_t in_flight_max_ = 1;
    std::uint64_t last_id_ = 0;
    HelloAnswer server_;
    FrameHeader incoming_;
    std::string text_;
    Elements elements_;
    std::deque<FrameHeader> waiting_;  // sent and not answered, oldest first
    std::unordered_map<std::uint64_t, Result<Elements>> answers_;
};

Result<std::string> read_file(std::string const& path) {
    std::ifstream in{path, std::ios::binary};
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
        return fail(Errc::not_found, path + ": cannot read");
    }
    return text.str();
}

}  // namespace

Result<std::unique_ptr<Client>> open_connection(ClientOptions const& options) {
    std::string_view const address = options.connect;
    if (address.starts_with("unix:")) {
        auto connection = std::make_unique<Connection<LocalSocket>>(options.timeout_ms, nullptr);
        FLORIN_TRY_VOID(connection->open_local(std::string{address.substr(5)}));
        FLORIN_TRY_VOID(connection->say_hello(options.token));
        return connection;
    }
    auto const colon = address.rfind(':');
    if (!address.starts_with("tls:") || colon < 5) {
        return fail(
            Errc::malformed, "'" + options.connect + "' is neither unix:PATH nor tls:HOST:PORT"
        );
    }
    std::string_view host = address.substr(4, colon - 4);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    FLORIN_TRY(auto const ca, read_file(options.ca_file));
    FLORIN_TRY(auto tls, crypto::make_client_context(ca));
    auto connection = std::make_unique<Connection<TlsStream>>(options.timeout_ms, std::move(tls));
    FLORIN_TRY_VOID(connection->open_tls(std::string{host}, std::string{address.substr(colon + 1)})
    );
    FLORIN_TRY_VOID(connection->say_hello(options.token));
    return connection;
}

}  // namespace florin::ledger_client
