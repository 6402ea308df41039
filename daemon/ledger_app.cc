#include "daemon/ledger_app.h"

#include "crypto/hash.h"
#include "crypto/tls.h"
#include "daemon/http/server.h"
#include "daemon/ledger_metrics.h"
#include "daemon/ledger_options.h"
#include "daemon/ledger_server/server.h"
#include "daemon/log/log.h"
#include "daemon/process.h"
#include "ledger/base/clock.h"
#include "ledger/protocol.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <sys/stat.h>
#include <unistd.h>

namespace florin {
namespace {

std::string in_url(config::Listen const& listen, std::uint16_t port) {
    bool const is_six = listen.address.find(':') != std::string::npos;
    return (is_six ? "[" + listen.address + "]" : listen.address) + ":" + std::to_string(port);
}

// The SHA-256 of the token in a file of one line.
Result<crypto::Digest> read_token(std::string const& file) {
    struct stat found{};
    if (::stat(file.c_str(), &found) == 0 && (found.st_mode & 077U) != 0) {
        return fail(Errc::refused, file + ": others than its owner may read it; chmod 0600");
    }
    FLORIN_TRY(auto text, read_whole(file));
    KeyBytes const token{std::move(text)};
    auto line = token.reveal();
    if (line.ends_with('\n')) {
        line.remove_suffix(1);
    }
    if (line.size() < ledger::protocol::kTokenBytesMin ||
        line.size() > ledger::protocol::kTokenBytesMax || line.find('\n') != line.npos) {
        return fail(Errc::malformed, file + ": expected one line of 16 to 128 bytes");
    }
    return crypto::sha256(line);
}

class RunningLedgerApp final : public LedgerApp {
public:
    explicit RunningLedgerApp(std::function<void()> on_failure)
        : on_failure_{std::move(on_failure)} {}

    Result<void> start(config::Config const& config) override {
        FLORIN_TRY(auto options, server_options(config));
        FLORIN_TRY_VOID(open(config));
        FLORIN_TRY(server_, ledger_server::Server::start(options, *ledger_));
        add_metrics();
        if (config.has_server) {
            FLORIN_TRY_VOID(serve_pages(config.server, options.tls));
        }
        if (config.ledger_server.listen) {
            address_ = in_url(*config.ledger_server.listen, server_->port());
        }
        return {};
    }

    // Accept, sessions, ledger, io.
    void close() override {
        if (server_) {
            server_->stop_accepting();
        }
        if (pages_) {
            pages_->stop_accepting();
        }
        if (ledger_) {
            ledger_->stop();
        }
        if (server_) {
            server_->stop();
        }
        if (pages_) {
            pages_->stop();
        }
    }

    std::string address() const override { return address_; }
    std::string admin_url() const override { return admin_url_; }

private:
    static Result<ledger_server::ServerOptions> server_options(config::Config const& config) {
        config::LedgerServer const& wanted = config.ledger_server;
        ledger_server::ServerOptions options;
        options.socket = wanted.socket;
        options.peer_uid = ::geteuid();
        options.threads = static_cast<unsigned>(wanted.io_threads);
        options.software = std::string{"florind "} + FLORIN_VERSION;
        options.limits.connections_max = static_cast<std::size_t>(wanted.connections_max);
        options.limits.in_flight_max = static_cast<std::size_t>(wanted.in_flight_max);
        options.limits.handshake_ms = static_cast<std::uint64_t>(wanted.handshake_ms);
        options.limits.request_ms = static_cast<std::uint64_t>(wanted.request_ms);
        options.limits.idle_ms = static_cast<std::uint64_t>(wanted.idle_ms);
        if (wanted.listen) {
            options.address = wanted.listen->address;
            options.port = wanted.listen->port;
        }
        if (!wanted.token_sha256.empty()) {
            FLORIN_TRY(auto const bytes, from_hex(wanted.token_sha256));
            std::ranges::copy(bytes, options.tokens_sha256.emplace_back().begin());
        }
        if (!wanted.token_file.empty()) {
            FLORIN_TRY(auto const digest, read_token(wanted.token_file));
            options.tokens_sha256.push_back(digest);
        }
        if (config.has_server) {
            FLORIN_TRY(auto const certificate, read_whole(config.server.tls_certificate));
            FLORIN_TRY(auto key, read_whole(config.server.tls_key));
            FLORIN_TRY(
                options.tls, crypto::make_server_context(certificate, KeyBytes{std::move(key)})
            );
        }
        return options;
    }

    Result<void> open(config::Config const& config) {
        ledger::LedgerOptions options = ledger_options(config.ledger);
        options.data_dir = config.data_dir;
        options.kind = ledger::LedgerKind::kernel_only;
        FLORIN_TRY(ledger_, ledger::Ledger::open(options, clock_));
        if (ledger_->kind() != ledger::LedgerKind::kernel_only) {
            return fail(
                Errc::refused,
                config.data_dir +
                    ": holds the books of a payment switch; mode \"ledger\" needs a directory of "
                    "its own"
            );
        }
        ledger_->on_failure([this](Error const& error) {
            log::error("ledger.failed", {{"what", error.context}});
            on_failure_();
        });
        return {};
    }

    Result<void> serve_pages(
        config::Server const& wanted, std::shared_ptr<boost::asio::ssl::context> tls
    ) {
        http::ServerOptions options;
        options.address = wanted.admin_listen.address;
        options.port = wanted.admin_listen.port;
        options.tls = std::move(tls);
        options.limits.connections_max = static_cast<std::size_t>(wanted.connections_max);
        options.limits.header_bytes_max = static_cast<std::size_t>(wanted.header_bytes_max);
        options.limits.body_bytes_max = static_cast<std::size_t>(wanted.body_bytes_max);
        options.limits.handshake_ms = static_cast<std::uint64_t>(wanted.handshake_ms);
        options.limits.request_ms = static_cast<std::uint64_t>(wanted.request_ms);
        options.limits.idle_ms = static_cast<std::uint64_t>(wanted.idle_ms);
        handler_ = [this](http::Request request) { return answer(std::move(request)); };
        FLORIN_TRY(pages_, http::Server::start(options, handler_));
        admin_url_ = "https://" + in_url(wanted.admin_listen, pages_->port());
        return {};
    }

    boost::asio::awaitable<http::Response> answer(http::Request request) {
        http::Response response;
        bool const is_get = request.method == http::Method::get;
        if (is_get && request.path == "/healthz") {
            nlohmann::ordered_json const body = {
                {"status", "ok"}, {"mode", "ledger"}, {"journal_head", ledger_->head().sequence}
            };
            response.body = body.dump(2);
        } else if (is_get && request.path == "/metrics") {
            response.content_type = "text/plain; version=0.0.4; charset=utf-8";
            response.body = metrics_.text();
        } else {
            response.status = 404;
            response.body =
                http::transport_error_json("invalid_request_error", "Unrecognized request URL.");
        }
        co_return response;
    }

    void add_metrics() {
        using Figures = ledger_server::Server::Figures;
        auto const figure = [this](std::uint64_t Figures::* which) {
            return [this, which] { return static_cast<double>(server_->figures().*which); };
        };
        add_ledger_metrics(metrics_, *ledger_);
        metrics_.add_gauge(
            "florin_ledger_connections", "Open connections.", figure(&Figures::connections)
        );
        metrics_.add_counter(
            "florin_ledger_refused_total",
            "Connections refused: too many, another user, no right token.",
            figure(&Figures::refused)
        );
        metrics_.add_counter(
            "florin_ledger_requests_total",
            "Requests that arrived whole.",
            figure(&Figures::requests)
        );
        metrics_.add_counter(
            "florin_ledger_events_total", "Elements in them.", figure(&Figures::events)
        );
        metrics_.add_counter(
            "florin_ledger_errors_total", "Answers that are errors.", figure(&Figures::errors)
        );
    }

    std::function<void()> on_failure_;
    SystemClock clock_;
    metrics::Metrics metrics_;
    std::unique_ptr<ledger::Ledger> ledger_;
    http::Handler handler_;
    std::unique_ptr<ledger_server::Server> server_;
    std::unique_ptr<http::Server> pages_;
    std::string address_;
    std::string admin_url_;
};

}  // namespace

std::unique_ptr<LedgerApp> LedgerApp::make(std::function<void()> on_failure) {
    return std::make_unique<RunningLedgerApp>(std::move(on_failure));
}

}  // namespace florin
