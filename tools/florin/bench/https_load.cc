#include "tools/florin/bench/https_load.h"

#include "crypto/tls.h"
#include "ledger/base/bytes.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <charconv>
#include <deque>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

namespace florin::tools {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Stream = asio::ssl::stream<tcp::socket>;

// Where an answer's head says that its body ends; nullopt: the head is not whole yet.
struct Head {
    int status = 0;
    std::size_t body_from = 0;
    std::size_t end = 0;
};
std::optional<Head> head_of(std::string_view text) {
    constexpr std::string_view kEnd = "\r\n\r\n";
    constexpr std::string_view kLength = "\r\nContent-Length: ";
    constexpr std::size_t kStatusAt = 9;  // "HTTP/1.1 200"
    auto const end = text.find(kEnd);
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    Head head;
    head.body_from = end + kEnd.size();
    std::from_chars(text.data() + kStatusAt, text.data() + kStatusAt + 3, head.status);
    auto const at = text.find(kLength);
    std::size_t length = 0;
    if (at < end) {
        std::from_chars(text.data() + at + kLength.size(), text.data() + end, length);
    }
    head.end = head.body_from + length;
    return head;
}

class Connection;

struct Run {
    HttpsLoad const& load;
    RequestDriver& driver;
    HttpsLoadResult result;
    Steady::time_point counted_from, until;
    std::optional<Error> failed;
    // Of an open loop: what is due and was not sent, and who has nothing to do.
    std::deque<Steady::time_point> due;
    std::vector<Connection*> idle;

    bool is_over() const {
        return failed || Steady::now() >= until ||
               (load.requests != 0 && result.requests >= load.requests);
    }
};

class Connection {
public:
    Connection(asio::io_context& context, asio::ssl::context& tls, Run& run)
        : stream_{context, tls}, run_{run} {}

    Result<void> open(tcp::endpoint const& where) {
        error_code error;
        stream_.next_layer().connect(where, error);
        if (!error) {
            stream_.next_layer().set_option(tcp::no_delay{true}, error);
        }
        if (!error) {
            stream_.handshake(asio::ssl::stream_base::client, error);
        }
        if (error) {
            return fail(Errc::io, "cannot connect: " + error.message());
        }
        return {};
    }

    // The next request, if there is one for this connection.
    void go_on() {
        if (run_.load.per_second == 0) {
            if (!run_.is_over()) {
                send(Steady::now());
            }
            return;
        }
        if (run_.failed) {
            return;
        }
        if (run_.due.empty()) {
            run_.idle.push_back(this);
            return;
        }
        auto const due = run_.due.front();
        run_.due.pop_front();
        send(due);
    }

private:
    // `from`: when its time begins to count.
    void send(Steady::time_point from) {
        request_ = run_.driver.next();
        answer_.clear();
        sent_ = from;
        asio::async_write(stream_, asio::buffer(request_), [this](error_code error, std::size_t) {
            error ? lost(error) : receive();
        });
    }

    void receive() {
        stream_.async_read_some(asio::buffer(piece_), [this](error_code error, std::size_t count) {
            if (error) {
                lost(error);
                return;
            }
            answer_.append(piece_.data(), count);
            auto const head = head_of(answer_);
            if (!head || answer_.size() < head->end) {
                receive();
                return;
            }
            take(*head);
            go_on();
        });
    }

    void take(Head const& head) {
        auto const now = Steady::now();
        std::string_view const body{answer_.data() + head.body_from, head.end - head.body_from};
        if (!run_.driver.take(head.status, body) && !run_.failed) {
            run_.failed = Error{Errc::refused, answer_.substr(0, 2'000)};
        }
        ++run_.result.answered;
        if (sent_ >= run_.counted_from) {
            ++run_.result.requests;
            run_.result.latencies.add(now - sent_);
        }
    }

    void lost(error_code const& error) {
        if (!run_.failed) {
            run_.failed = Error{Errc::io, "a connection was lost: " + error.message()};
        }
    }

    Stream stream_;
    Run& run_;
    std::string request_, answer_;
    std::array<char, 16 * 1024> piece_{};
    Steady::time_point sent_;
};

// Makes requests due at their time until the run is over.
class Schedule {
public:
    Schedule(asio::io_context& context, Run& run, Steady::time_point from)
        : timer_{context}, run_{run}, from_{from} {}

    void start() {
        while (time_of(made_) <= Steady::now() && time_of(made_) < run_.until) {
            run_.due.push_back(time_of(made_++));
        }
        while (!run_.due.empty() && !run_.idle.empty()) {
            Connection* const free = run_.idle.back();
            run_.idle.pop_back();
            free->go_on();
        }
        if (run_.is_over() || time_of(made_) >= run_.until) {
            return;
        }
        timer_.expires_at(time_of(made_));
        timer_.async_wait([this](error_code) { start(); });
    }

private:
    Steady::time_point time_of(std::uint64_t number) const {
        std::chrono::duration<double> const after{
            static_cast<double>(number) / run_.load.per_second
        };
        return from_ + std::chrono::duration_cast<Steady::duration>(after);
    }

    asio::steady_timer timer_;
    Run& run_;
    Steady::time_point from_;
    std::uint64_t made_ = 0;
};

Result<tcp::endpoint> endpoint_of(asio::io_context& context, HttpsTarget const& target) {
    error_code error;
    tcp::resolver resolver{context};
    auto const found = resolver.resolve(target.host, target.port, error);
    if (error || found.empty()) {
        return fail(Errc::io, target.host + ": " + error.message());
    }
    return found.begin()->endpoint();
}

}  // namespace

Result<HttpsLoadResult> run_https_load(
    HttpsTarget const& target, HttpsLoad const& load, RequestDriver& driver
) {
    FLORIN_TRY(auto const tls, crypto::make_client_context(target.ca_pem));
    asio::io_context context{1};
    FLORIN_TRY(auto const where, endpoint_of(context, target));
    Run run{
        .load = load,
        .driver = driver,
        .result = {},
        .counted_from = {},
        .until = {},
        .failed = {},
        .due = {},
        .idle = {},
    };
    std::vector<std::unique_ptr<Connection>> connections;
    for (std::size_t i = 0; i < load.connections; ++i) {
        connections.push_back(std::make_unique<Connection>(context, *tls, run));
        FLORIN_TRY_VOID(connections.back()->open(where));
    }
    auto const span = [](double seconds) {
        return std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>{seconds});
    };
    auto const begin = Steady::now();
    run.counted_from = begin + span(load.warm_seconds);
    run.until = run.counted_from + span(load.seconds);
    for (auto& connection : connections) {
        connection->go_on();
    }
    Schedule schedule{context, run, begin};
    if (load.per_second > 0) {
        schedule.start();
    }
    context.run();
    if (run.failed) {
        return std::unexpected{*run.failed};
    }
    double const took = seconds_between(run.counted_from, Steady::now());
    run.result.per_second = static_cast<double>(run.result.requests) / took;
    return std::move(run.result);
}

Result<HttpsTarget> https_target(std::string_view url, std::string const& ca_file) {
    constexpr std::string_view kScheme = "https://";
    auto const colon = url.rfind(':');
    if (!url.starts_with(kScheme) || colon < kScheme.size()) {
        return fail(Errc::malformed, "'" + std::string{url} + "' is not https://HOST:PORT");
    }
    std::ifstream in{ca_file, std::ios::binary};
    std::ostringstream pem;
    pem << in.rdbuf();
    if (!in) {
        return fail(Errc::not_found, "'" + ca_file + "': cannot read (--ca FILE)");
    }
    return HttpsTarget{
        .host = std::string{url.substr(kScheme.size(), colon - kScheme.size())},
        .port = std::string{url.substr(colon + 1)},
        .ca_pem = pem.str(),
    };
}

struct IdleConnections::Parts {
    asio::io_context context{1};
    std::shared_ptr<asio::ssl::context> tls;
    std::vector<std::unique_ptr<Stream>> streams;
};

IdleConnections::IdleConnections() : parts_{std::make_unique<Parts>()} {}
IdleConnections::~IdleConnections() = default;

Result<void> IdleConnections::open(HttpsTarget const& target, std::size_t count) {
    FLORIN_TRY(parts_->tls, crypto::make_client_context(target.ca_pem));
    FLORIN_TRY(auto const where, endpoint_of(parts_->context, target));
    for (std::size_t i = 0; i < count; ++i) {
        auto stream = std::make_unique<Stream>(parts_->context, *parts_->tls);
        error_code error;
        stream->next_layer().connect(where, error);
        if (!error) {
            stream->handshake(asio::ssl::stream_base::client, error);
        }
        if (error) {
            return fail(
                Errc::io, "idle connection " + std::to_string(i + 1) + ": " + error.message()
            );
        }
        parts_->streams.push_back(std::move(stream));
    }
    return {};
}

}  // namespace florin::tools
