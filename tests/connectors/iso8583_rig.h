// A link with a home thread of its own, and the host at its other end played by the test: blocking
// sockets, so that a test reads as a conversation.
#pragma once

#include "connectors/iso8583/codec_framing.h"
#include "connectors/iso8583/connector.h"
#include "ledger/base/check.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

namespace florin::connectors::iso8583::test {

inline constexpr int kPatienceSeconds = 20;          // after that a test is wrong, not slow
inline constexpr std::int64_t kNow = 1'795'525'445;  // 2026-11-24T13:04:05Z

// One of conf/iso8583: "1993_ascii".
inline Packaging packaging_of(std::string const& name) {
    auto packaging =
        load_packaging(std::string{FLORIN_SOURCE_DIR "/conf/iso8583/"} + name + ".toml");
    FLORIN_CHECK(packaging, "a packaging of conf/iso8583 can be loaded");
    return std::move(*packaging);
}

inline KeyBytes key_of(std::string_view hex) {
    return KeyBytes{*from_hex(hex)};
}

// The request of an echo, as ISO 8583:1987 has it.
inline Message echo(std::uint32_t stan = 1) {
    Message message{"0800"};
    message.set(7, "1124130405");
    message.set_stan(stan);
    message.set(70, "301");
    return message;
}

// An io_context with its thread.
class Loop {
public:
    Loop() : guard_{context_.get_executor()}, thread_{[this] { context_.run(); }} {}
    ~Loop() {
        guard_.reset();
        context_.stop();
        thread_.join();
    }
    boost::asio::any_io_executor executor() { return context_.get_executor(); }
    boost::asio::io_context& context() { return context_; }
    // Runs a function on the loop's thread and waits for what it returns.
    template <class Function>
    auto call(Function function) {
        std::packaged_task<decltype(function())()> task{std::move(function)};
        auto result = task.get_future();
        boost::asio::post(context_, [&task] { task(); });
        return result.get();
    }
    template <class T>
    std::future<T> spawn(boost::asio::awaitable<T> work) {
        return boost::asio::co_spawn(context_, std::move(work), boost::asio::use_future);
    }

private:
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
    std::thread thread_;
};

// True as soon as the condition holds; polls.
inline bool eventually(std::function<bool()> const& condition) {
    auto const end = std::chrono::steady_clock::now() + std::chrono::seconds{kPatienceSeconds};
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
}

// The host's end, on a port of 127.0.0.1 that the system chooses.
class ScriptedHost {
public:
    explicit ScriptedHost(Packaging packaging = default_packaging())
        : packaging_{std::move(packaging)}, listener_{std::make_shared<Listener>()} {}
    // For another connection to the same port.
    explicit ScriptedHost(ScriptedHost const* other)
        : packaging_{other->packaging_}, listener_{other->listener_} {}

    std::string port() const { return std::to_string(acceptor().local_endpoint().port()); }
    void accept() {
        socket_.emplace(listener_->context);
        acceptor().accept(*socket_);
        timeval const patience{.tv_sec = kPatienceSeconds, .tv_usec = 0};
        ::setsockopt(socket_->native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        frames_.emplace(packaging_);
    }
    // Accepts and answers the sign-on.
    void sign_on() {
        accept();
        auto const request = receive();
        FLORIN_CHECK(
            request && (request->get(70) == "001" || request->get(24) == "801"),
            "the link did not sign on"
        );
        answer(*request, packaging_.version == "1993" ? "800" : "00");
    }
    // The next message; nullopt where the link closed.
    std::optional<Message> receive() {
        while (true) {
            auto const bytes = frames_->next();
            FLORIN_CHECK(bytes, "the link sent a broken frame");
            if (*bytes) {
                auto message = decode(**bytes, packaging_);
                FLORIN_CHECK(message, "the link sent a malformed message");
                if (keys) {
                    auto const now = std::chrono::steady_clock::now();
                    FLORIN_CHECK(
                        keys->check(**bytes, *message, packaging_, false, now) ==
                            MacKeys::Check::good,
                        "the link sent a wrong MAC, or none"
                    );
                }
                return std::move(*message);
            }
            char buffer[4096];
            auto const count = ::recv(socket_->native_handle(), buffer, sizeof buffer, 0);
            FLORIN_CHECK(count >= 0, "nothing came from the link");
            if (count == 0) {
                return std::nullopt;
            }
            frames_->feed(ByteView{buffer, static_cast<std::size_t>(count)});
        }
    }
    void send_bytes(ByteView bytes) {
        boost::asio::write(*socket_, boost::asio::buffer(bytes.data(), bytes.size()));
    }
    void send(Message const& message) {
        send_bytes(
            keys ? *frame(*keys->encode(message, packaging_), packaging_)
                 : bytes_of(message, packaging_)
        );
    }
    static std::string bytes_of(
        Message const& message, Packaging const& packaging = default_packaging()
    ) {
        return *frame(*encode(message, packaging), packaging);
    }
    // The request as its answer, with this field 39.
    static Message answer_to(Message const& request, std::string_view code) {
        auto answer = request;
        answer.set_mti(answer_mti(request.mti()));
        answer.set(39, code);
        for (int const field : {2, 14, 48, 64, 128}) {
            answer.erase(field);
        }
        return answer;
    }
    void answer(Message const& request, std::string_view code) { send(answer_to(request, code)); }
    // Ends the connection with a reset: what the link sends from now on is lost.
    void reset() {
        socket_->set_option(boost::asio::socket_base::linger{true, 0});
        socket_->close();
    }
    void close_listener() { acceptor().close(); }
    boost::asio::ip::tcp::acceptor& acceptor() const { return listener_->acceptor; }

    // What is sent bears a MAC under them, and what comes is checked.
    std::optional<MacKeys> keys;

private:
    struct Listener {
        boost::asio::io_context context;
        boost::asio::ip::tcp::acceptor acceptor{
            context, {boost::asio::ip::address_v4::loopback(), 0}
        };
    };

    Packaging const packaging_;
    std::shared_ptr<Listener> const listener_;
    std::optional<boost::asio::ip::tcp::socket> socket_;
    std::optional<FrameReader> frames_;
};

class CollectingSink final : public EvidenceSink {
public:
    void late_reply(LateReply reply) override {
        std::lock_guard const lock{mutex_};
        replies_.push_back(std::move(reply));
    }
    std::vector<LateReply> replies() const {
        std::lock_guard const lock{mutex_};
        return replies_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<LateReply> replies_;
};

inline Money eur(std::int64_t minor) {
    return Money{minor, *Currency::from_alphabetic("EUR")};
}

inline Identity identity(std::uint32_t stan, std::uint32_t link = 1) {
    return Identity{
        .attempt = AttemptId{"at_" + std::to_string(stan)},
        .stan = stan,
        .rrn = "6329" + std::to_string(13 + 24 * (link - 1)) +
               std::to_string(1'000'000 + stan).substr(1),
        .transmission_time = "1124130405",
        .link = link,
    };
}

inline Card card(std::string_view pan = "4242424242424242") {
    return Card{.pan = Pan{pan}, .exp_month = 12, .exp_year = 2029, .cvv = {}};
}

inline Terminal terminal() {
    return Terminal{
        .terminal_id = "TERM0001",
        .acceptor_id = "ACCEPTOR0000001",
        .name_location = "Florin Shop              Berlin       DE",
        .category_code = "5999",
    };
}

inline AuthoriseRequest authorise_request(std::uint32_t stan, Money amount = eur(4500)) {
    AuthoriseRequest request{
        .identity = identity(stan), .amount = amount, .card = card(), .terminal = terminal()
    };
    request.card.cvv = Cvv{std::string_view{"123"}};
    return request;
}

inline OriginalReference original(std::uint32_t stan, char const* mti, std::string code = {}) {
    return OriginalReference{
        .mti = mti,
        .stan = stan,
        .transmission_time = identity(stan).transmission_time,
        .rrn = identity(stan).rrn,
        .authorization_code = std::move(code),
    };
}

inline Iso8583Options options_for(ScriptedHost const& host) {
    Iso8583Options options{.id = ConnectorId{"bank"}};
    options.link.host = "127.0.0.1";
    options.link.port = host.port();
    options.link.reconnect_min_ms = 5;
    options.link.reconnect_max_ms = 20;
    options.acquirer_id = "123456";
    return options;
}

// Quick to stop where the host does not answer the sign-off.
inline Iso8583Options impatient(ScriptedHost const& host) {
    auto options = options_for(host);
    options.link.stop_drain_ms = 10;
    options.link.network_timeout_ms = 100;
    options.authorise_timeout_ms = 50;
    options.capture_timeout_ms = 50;
    return options;
}

// The connector's links have their own thread; operations are awaited on another one, as sessions
// do.
struct Rig {
    explicit Rig(Iso8583Options options)
        : connector{home.executor(), std::move(options), sink, clock} {
        connector.start();
    }
    ~Rig() {
        if (!stopped) {
            callers.spawn(connector.stop()).get();
        }
    }
    bool is_ready() {
        return eventually([&] { return connector.health().ready; });
    }
    std::future<Reply> authorise(
        std::uint32_t stan, Money amount = eur(4500), std::uint32_t link = 1
    ) {
        auto request = authorise_request(stan, amount);
        request.identity = identity(stan, link);
        return callers.spawn(connector.authorise(std::move(request)));
    }
    LinkCounters counters(std::size_t link = 1) const {
        return connector.links()[link - 1].counters;
    }

    SystemClock clock;
    CollectingSink sink;
    Loop callers;
    Loop home;
    Iso8583Connector connector;
    bool stopped = false;
};

}  // namespace florin::connectors::iso8583::test
