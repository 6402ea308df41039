#include "daemon/app.h"

#include "connectors/bins.h"
#include "connectors/sandbox/connector.h"
#include "crypto/api_key.h"
#include "daemon/admin/service.h"
#include "daemon/api/admission.h"
#include "daemon/api/keys.h"
#include "daemon/api/openapi.h"
#include "daemon/api/service.h"
#include "daemon/app_metrics.h"
#include "daemon/banks.h"
#include "daemon/dev.h"
#include "daemon/flow/unknowns.h"
#include "daemon/http/server.h"
#include "daemon/io_thread.h"
#include "daemon/ledger_options.h"
#include "daemon/log/log.h"
#include "daemon/metrics/metrics.h"
#include "daemon/modes.h"
#include "daemon/process.h"
#include "daemon/seed.h"
#include "daemon/totals_metrics.h"
#include "daemon/webhooks/dispatcher.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <future>
#include <map>
#include <thread>
#include <unistd.h>

namespace florin {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using model::Mode;
using nlohmann::ordered_json;

class RunningApp final : public App {
public:
    explicit RunningApp(std::function<void()> on_failure) : on_failure_{std::move(on_failure)} {}

    Result<void> open(Plan plan) override {
        plan_ = std::move(plan);
        ledger::LedgerOptions options = ledger_options(plan_.ledger);
        options.data_dir = plan_.data_dir;
        FLORIN_TRY(ledger_, ledger::Ledger::open(options, clock_));
        if (ledger_->kind() != ledger::LedgerKind::full) {
            return fail(
                Errc::refused,
                plan_.data_dir.string() +
                    ": holds a kernel's books only; mode \"ledger\" and `florin ledger exec` make "
                    "such directories"
            );
        }
        ledger_->on_failure([this](Error const& error) {
            log::error("ledger.failed", {{"what", error.context}});
            on_failure_();
        });
        client_ = std::make_unique<LedgerClient>(*ledger_);
        make_admission();
        renderer_ = std::make_unique<api::ObjectRenderer>(ledger_->documents());
        return {};
    }

    // After open: what needs files that may be made now.
    Result<void> connect(crypto::KeyRing keys) override {
        make_keys(keys.derive(crypto::kApiKeyPurpose));
        secrets_ = std::make_unique<webhooks::Secrets>(keys, random_);
        if (!plan_.cards.bin_table.empty()) {
            FLORIN_TRY(bins_, connectors::BinTable::load(plan_.cards.bin_table));
        }
        FLORIN_TRY(
            vault_, vault::Vault::open(plan_.data_dir / "vault", std::move(keys), random_, clock_)
        );
        background_ = std::make_unique<IoThread>("florin-work");
        FLORIN_TRY_VOID(make_connectors());
        payments_ = std::make_unique<flow::Payments>(flow::Payments::Parts{
            .ledger = *api_client_,
            .vault = *vault_,
            .routes = routes_,
            .connectors = connector_pointers(),
            .ids = ids_,
            .renderer = *renderer_,
            .background = background_->executor(),
            .options =
                {.retry_first_ms = static_cast<std::uint64_t>(plan_.flow.retry_first_ms),
                 .retry_most_ms = static_cast<std::uint64_t>(plan_.flow.retry_most_ms),
                 .authorisation_days = static_cast<std::uint64_t>(plan_.flow.authorisation_days),
                 .idempotency_keep_s = plan_.idempotency_keep_s},
        });
        sink_.payments = payments_.get();
        for (auto& connector : connectors_) {
            connector->start();
        }
        auto recovered =
            asio::co_spawn(background_->executor(), payments_->recover(), asio::use_future);
        FLORIN_TRY_VOID(recovered.get());
        resolutions_ = std::make_unique<flow::Resolutions>(*client_, *payments_, ids_);
        FLORIN_TRY(
            modes_,
            make_modes(
                plan_,
                {.ledger = *client_,
                 .payments = *payments_,
                 .ids = ids_,
                 .renderer = *renderer_,
                 .priorities = priorities_,
                 .background = background_->executor()}
            )
        );
        retention_ = std::make_unique<retention::Retention>(*ledger_, clock_, plan_.retention);
        retention_->start();
        unknowns_ = std::make_unique<flow::Unknowns>(
            ledger_->documents(),
            clock_,
            flow::UnknownOptions{
                .alarm_s = static_cast<std::uint64_t>(plan_.flow.unknown_alarm_minutes) * 60
            }
        );
        unknowns_->start();
        timers_ =
            asio::co_spawn(background_->executor(), payments_->run_timers(), asio::use_future);
        for (totals::Comparison* const each : totals_of_banks()) {
            totals_.push_back(asio::co_spawn(background_->executor(), each->run(), asio::use_future)
            );
        }
        return start_webhooks();
    }

    void use_tls(std::shared_ptr<asio::ssl::context> tls, fs::path const& ca) override {
        plan_.server.tls = std::move(tls);
        plan_.ca = ca;
    }
    void use_port(std::uint16_t port) override { plan_.server.port = port; }

    Result<void> serve() override {
        service_ = std::make_unique<api::Service>(api::Services{
            .ledger = *api_client_,
            .vault = *vault_,
            .payments = *payments_,
            .ids = ids_,
            .renderer = *renderer_,
            .keys = *keys_,
            .admission = *admission_,
            .default_api_version = model::kApiVersion,
            .webhooks =
                {.secrets = *secrets_,
                 .allow_private = plan_.webhooks.allow_private,
                 .changed = [this](
                                std::string owner, std::string endpoint
                            ) { dispatcher_->changed(std::move(owner), std::move(endpoint)); }},
            .bins = bins_,
        });
        std::map<std::string, admin::ModeParts, std::less<>> modes;
        for (auto& [mode, parts] : modes_) {
            modes.emplace(
                model::mode_name(mode),
                admin::ModeParts{mode, *parts.settlement, *parts.reconciliation, *parts.routing}
            );
        }
        key_desk_ = std::make_unique<admin::KeyDesk>(admin::KeyDesk::Parts{
            .ledger = *client_,
            .keys = *keys_,
            .ids = ids_,
            .merchant_resources = service_->resources(),
        });
        merchant_desk_ = std::make_unique<admin::MerchantDesk>(admin::MerchantDesk::Parts{
            .ledger = *client_, .merchants = payments_->merchants(), .ids = ids_
        });
        admin_ = std::make_unique<admin::Service>(admin::Services{
            .ledger = *client_,
            .vault = *vault_,
            .resolutions = *resolutions_,
            .ids = ids_,
            .keys = *keys_,
            .key_desk = *key_desk_,
            .merchant_desk = *merchant_desk_,
            .background = background_->executor(),
            .modes = std::move(modes),
            .data_dir = plan_.data_dir,
            .version = FLORIN_VERSION,
            .started_s = ids_.now_s(),
            .attempts_driving = [this] { return payments_->driving(); },
        });
        bool const shares_port = !plan_.admin_listen;
        handler_ = [this, shares_port](http::Request request) {
            return answer(std::move(request), true, shares_port);
        };
        FLORIN_TRY(server_, http::Server::start(plan_.server, handler_));
        auto const pointers = connector_pointers();
        add_app_metrics(
            metrics_,
            {.server = *server_,
             .admission = *admission_,
             .service = *service_,
             .ledger = *ledger_,
             .retention = *retention_,
             .payments = *payments_,
             .unknowns = *unknowns_,
             .dispatcher = *dispatcher_,
             .connectors = pointers}
        );
        for (totals::Comparison const* const each : totals_of_banks()) {
            add_totals_metrics(metrics_, *each);
        }
        if (plan_.admin_listen) {
            admin_handler_ = [this](http::Request request) {
                return answer(std::move(request), false, true);
            };
            http::ServerOptions options = plan_.server;
            options.address = plan_.admin_listen->address;
            options.port = plan_.admin_listen->port;
            options.threads = 1;
            FLORIN_TRY(admin_server_, http::Server::start(options, admin_handler_));
        }
        return write_run_file();
    }

    std::string url() const override {
        return "https://" + host(plan_.server.address) + ":" + std::to_string(server_->port());
    }
    std::uint16_t port() const override { return server_->port(); }

    // Accept, sessions, flow, ledger, io.
    void close() override {
        // Without the ledger's lock the file is somebody else's.
        if (ledger_) {
            std::error_code ignored;
            fs::remove(plan_.data_dir / "run.json", ignored);
        }
        // Both at once: what they wait for requests in flight must not add up.
        std::future<void> admin_stopped;
        if (admin_server_) {
            auto const stop_admin = [this] { admin_server_->stop_accepting(); };
            admin_stopped = std::async(std::launch::async, stop_admin);
        }
        if (server_) {
            server_->stop_accepting();
        }
        if (admin_stopped.valid()) {
            admin_stopped.wait();
        }
        if (dispatcher_) {
            dispatcher_->stop();
        }
        if (payments_) {
            payments_->stop();
        }
        for (totals::Comparison* const each : totals_of_banks()) {
            each->stop();
        }
        if (timers_.valid()) {
            timers_.wait();
        }
        for (auto& connector : connectors_) {
            asio::co_spawn(background_->executor(), connector->stop(), asio::use_future).wait();
        }
        for (auto& each : totals_) {
            each.wait();  // for what was outstanding when its connector stopped
        }
        if (retention_) {
            retention_->stop();
        }
        if (unknowns_) {
            unknowns_->stop();
        }
        if (ledger_) {
            ledger_->stop();
        }
        if (admin_) {
            admin_->wait();
        }
        if (payments_) {
            payments_->wait_idle();
        }
        if (server_) {
            server_->stop();
        }
        if (admin_server_) {
            admin_server_->stop();
        }
        if (background_) {
            background_->stop();
        }
        close_webhooks();
    }

    Result<void> seed_merchants() override {
        return florin::seed_merchants(*ledger_, ids_, plan_.merchants);
    }
    Result<std::string> new_key(
        std::string const& kind, std::string const& merchant, std::string const& name
    ) override {
        return new_test_key(*ledger_, ids_, keys_->pepper(), kind, merchant, name);
    }

    crypto::Random& random() override { return random_; }
    Clock const& clock() const override { return clock_; }

private:
    // Connectors are made before the flow that takes their late answers.
    struct Sink final : connectors::EvidenceSink {
        void late_reply(connectors::LateReply reply) override {
            if (payments != nullptr) {
                payments->late_reply(std::move(reply));
            }
        }
        flow::Payments* payments = nullptr;
    };

    static std::string host(std::string const& address) {
        return address.find(':') == std::string::npos ? address : "[" + address + "]";
    }

    void make_admission() {
        auto const count = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
        api::Admission::Options options;
        options.in_flight_max = count(plan_.limits.requests_in_flight_max);
        options.delay_ns_max = count(plan_.limits.queue_delay_ms_max) * 1'000'000;
        admission_ = std::make_unique<api::Admission>(options, clock_);
        // What merchants wait for is measured; settlement and imports have patience.
        auto const observe = [this](std::uint64_t delay_ns) { admission_->observe(delay_ns); };
        api_client_ = std::make_unique<LedgerClient>(*ledger_, clock_, observe);
    }

    void make_keys(KeyBytes const& pepper) {
        config::Limits const& limits = plan_.limits;
        keys_ = std::make_unique<api::Keys>(api::Keys::Parts{
            .documents = ledger_->documents(),
            .pepper = crypto::HmacSha256{pepper},
            .clock = clock_,
            .test =
                {.requests_per_second = limits.test_requests_per_second,
                 .burst_requests = limits.test_burst_requests,
                 .in_flight_max = limits.key_in_flight_max},
            .live =
                {.requests_per_second = limits.live_requests_per_second,
                 .burst_requests = limits.live_burst_requests,
                 .in_flight_max = limits.key_in_flight_max},
        });
    }

    Result<void> make_connectors() {
        auto wanted = plan_.connectors;
        std::ranges::stable_sort(wanted, {}, &config::Connector::priority);
        for (config::Connector const& each : wanted) {
            if (each.rail == "sandbox") {
                connectors_.push_back(connectors::sandbox::make_connector(ConnectorId{each.name}));
            } else {
                FLORIN_TRY(auto bank, make_bank(each, background_->executor(), sink_, clock_));
                connectors_.push_back(std::move(bank));
            }
            auto& routes = routes_[each.mode == "live" ? Mode::live : Mode::test];
            routes.by_name.push_back(connectors_.back().get());
            if (each.priority >= 0) {
                routes.by_priority.push_back(connectors_.back().get());
            }
            priorities_[each.mode == "live" ? Mode::live : Mode::test].emplace_back(
                connectors_.back().get(), each.priority
            );
        }
        return {};
    }

    // What is under way refers to dispatcher and sender, and goes with its thread's context; the
    // threads that resolve names post to that context.
    void close_webhooks() {
        if (sender_) {
            sender_->close();
        }
        if (hooks_) {
            hooks_->stop();
        }
        dispatcher_.reset();
        hooks_.reset();
        sender_.reset();
    }

    Result<void> start_webhooks() {
        config::Webhooks const& wanted = plan_.webhooks;
        hooks_ = std::make_unique<IoThread>("florin-hooks");
        std::string extra_ca;
        if (!wanted.extra_ca_file.empty()) {
            FLORIN_TRY(extra_ca, read_whole(wanted.extra_ca_file));
        }
        FLORIN_TRY(
            sender_,
            webhooks::make_sender(
                hooks_->executor(),
                {.timeout = std::chrono::milliseconds{wanted.timeout_ms},
                 .allow_private = wanted.allow_private,
                 .extra_ca_pem = extra_ca}
            )
        );
        webhooks::DispatcherOptions options;
        options.lane.pace.scale_ppm = static_cast<std::uint64_t>(wanted.retry_scale_ppm);
        options.lane.concurrency = static_cast<std::size_t>(wanted.endpoint_concurrency);
        options.concurrency = static_cast<std::size_t>(wanted.concurrency);
        options.owner_concurrency = wanted.merchant_concurrency > 0
                                        ? static_cast<std::size_t>(wanted.merchant_concurrency)
                                        : std::max<std::size_t>(options.concurrency / 4, 1);
        options.user_agent = std::string{"Florin/"} + FLORIN_VERSION;
        dispatcher_ = std::make_unique<webhooks::Dispatcher>(webhooks::Dispatcher::Parts{
            .ledger = *client_,
            .secrets = *secrets_,
            .renderer = *renderer_,
            .sender = *sender_,
            .clock = clock_,
            .executor = hooks_->executor(),
            .options = options,
        });
        dispatcher_->start();
        return {};
    }

    std::vector<connectors::Connector*> connector_pointers() const {
        std::vector<connectors::Connector*> pointers;
        for (auto const& connector : connectors_) {
            pointers.push_back(connector.get());
        }
        return pointers;
    }

    asio::awaitable<http::Response> answer(http::Request request, bool api, bool admin) {
        if (admin && request.method == http::Method::get && request.path == "/healthz") {
            http::Response response;
            response.body = health();
            co_return response;
        }
        if (admin && request.method == http::Method::get && request.path == "/metrics") {
            http::Response response;
            response.content_type = "text/plain; version=0.0.4; charset=utf-8";
            response.body = metrics_.text();
            co_return response;
        }
        bool const is_admin = request.path == "/admin/v1" || request.path.starts_with("/admin/v1/");
        if (admin && is_admin) {
            co_return co_await admin_->handle(std::move(request));
        }
        if (api && request.method == http::Method::get && request.path == "/v1/openapi.json") {
            http::Response response;
            response.body = api::openapi_text();
            co_return response;
        }
        if (api) {
            co_return co_await service_->handle(std::move(request));
        }
        http::Response response;
        response.status = 404;
        response.body =
            http::transport_error_json("invalid_request_error", "Unrecognized request URL.");
        co_return response;
    }

    std::vector<totals::Comparison*> totals_of_banks() const {
        std::vector<totals::Comparison*> pointers;
        for (auto const& [mode, objects] : modes_) {
            for (auto const& each : objects.totals) {
                pointers.push_back(each.get());
            }
        }
        return pointers;
    }

    std::string health() const {
        ordered_json rails = ordered_json::array();
        for (auto const& connector : connectors_) {
            auto const health = connector->health();
            rails.push_back(
                {{"name", connector->id().text()},
                 {"rail", connector->name()},
                 {"ready", health.ready},
                 {"detail", health.detail}}
            );
        }
        ordered_json const body = {
            {"status", "ok"},
            {"journal_head", ledger_->head().sequence},
            {"connectors", rails},
        };
        return body.dump(2);
    }

    Result<void> write_run_file() {
        std::string const admin = admin_server_ ? "https://" + host(plan_.admin_listen->address) +
                                                      ":" + std::to_string(admin_server_->port())
                                                : url();
        ordered_json const run = {
            {"pid", ::getpid()}, {"url", url()}, {"admin_url", admin}, {"ca", plan_.ca.string()}
        };
        return replace_file(plan_.data_dir / "run.json", run.dump(2) + "\n", 0644);
    }

    std::function<void()> on_failure_;
    SystemClock clock_;
    crypto::SystemRandom random_;
    model::IdMaker ids_{clock_, random_};
    Plan plan_;
    connectors::BinTable bins_ = connectors::BinTable::built_in();
    metrics::Metrics metrics_;
    std::unique_ptr<ledger::Ledger> ledger_;
    std::unique_ptr<LedgerClient> client_;
    std::unique_ptr<api::Admission> admission_;
    std::unique_ptr<LedgerClient> api_client_;
    std::unique_ptr<api::Keys> keys_;
    std::unique_ptr<api::ObjectRenderer> renderer_;
    std::unique_ptr<vault::Vault> vault_;
    Sink sink_;
    std::unique_ptr<IoThread> background_;
    std::vector<std::unique_ptr<connectors::Connector>> connectors_;
    std::map<Mode, flow::Payments::ModeRoutes> routes_;
    ConnectorPriorities priorities_;
    std::unique_ptr<flow::Payments> payments_;
    std::unique_ptr<flow::Unknowns> unknowns_;
    std::unique_ptr<retention::Retention> retention_;
    std::unique_ptr<flow::Resolutions> resolutions_;
    Modes modes_;
    std::unique_ptr<webhooks::Secrets> secrets_;
    std::unique_ptr<IoThread> hooks_;
    std::unique_ptr<webhooks::Sender> sender_;
    std::unique_ptr<webhooks::Dispatcher> dispatcher_;
    std::future<void> timers_;
    std::vector<std::future<void>> totals_;
    std::unique_ptr<admin::KeyDesk> key_desk_;
    std::unique_ptr<admin::MerchantDesk> merchant_desk_;
    std::unique_ptr<admin::Service> admin_;
    std::unique_ptr<api::Service> service_;
    http::Handler handler_;
    http::Handler admin_handler_;
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<http::Server> admin_server_;
};

}  // namespace

std::unique_ptr<App> App::make(std::function<void()> on_failure) {
    return std::make_unique<RunningApp>(std::move(on_failure));
}

}  // namespace florin
