#include "daemon/start.h"

#include "connectors/links.h"
#include "crypto/tls.h"
#include "daemon/app.h"
#include "daemon/dev.h"
#include "daemon/ledger_app.h"
#include "daemon/process.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace florin {
namespace {

namespace fs = std::filesystem;

// As many as a machine of this size needs.
unsigned io_threads() {
    return std::clamp(std::thread::hardware_concurrency(), 1U, 8U);
}

// "127.0.0.1:8583,127.0.0.1:8584"
Result<std::vector<config::Link>> links_at(std::string_view addresses) {
    std::vector<config::Link> links;
    while (true) {
        auto const comma = addresses.find(',');
        FLORIN_TRY(auto const address, config::parse_listen(addresses.substr(0, comma)));
        links.push_back({.host = address.address, .port = address.port});
        if (comma == std::string_view::npos) {
            break;
        }
        addresses.remove_prefix(comma + 1);
    }
    if (links.size() > connectors::kLinksMax) {
        return fail(
            Errc::malformed,
            "--iso8583: a bank has " + std::to_string(connectors::kLinksMax) + " links at most"
        );
    }
    return links;
}

Result<Plan> dev_plan(DevOptions const& options, DevState const& state) {
    Plan plan;
    plan.data_dir = options.data_dir;
    plan.server.address = options.listen.address;
    plan.server.port = options.listen.port != 0 ? options.listen.port : state.port;
    plan.server.threads = io_threads();
    plan.vault_key_file = plan.data_dir / "vault.key";
    plan.flow.retry_first_ms = 1'000;
    plan.flow.retry_most_ms = 30'000;
    if (options.keep_s != 0) {
        constexpr std::uint64_t kOftenMs = 200;
        plan.idempotency_keep_s = options.keep_s;
        // Looked at once keys are over, as in production: a body is looked at once.
        plan.retention = {
            .replaced_s = options.keep_s + 1, .events_s = options.keep_s, .interval_ms = kOftenMs
        };
    }
    plan.webhooks.allow_private = true;
    // Whoever develops or measures is not slowed down by limits that protect others.
    plan.limits.test_requests_per_second = plan.limits.live_requests_per_second = 0;
    plan.limits.key_in_flight_max = 0;
    plan.limits.requests_in_flight_max = 16'384;
    plan.limits.queue_delay_ms_max = 1'000;
    std::string const bank = options.iso8583.empty() ? state.iso8583 : options.iso8583;
    config::Connector sandbox;
    sandbox.name = "sandbox";
    sandbox.rail = "sandbox";
    if (!bank.empty()) {
        config::Connector connector;
        connector.name = "bank";
        connector.rail = "iso8583";
        FLORIN_TRY(connector.links, links_at(bank));
        connector.timeout_ms = 3'000;
        connector.acquirer_id = "400001";
        connector.acquirer = "banksim";
        connector.priority = 10;
        plan.connectors.push_back(connector);
        sandbox.priority = -1;  // only where a payment names it
    }
    plan.connectors.push_back(sandbox);
    config::Merchant merchant;
    merchant.id = "acct_dev";
    merchant.name = "Dev shop";
    merchant.fee_basis_points = 150;
    merchant.fee_fixed_minor = 25;
    merchant.availability_days = 0;
    merchant.acceptor_id = "FLORINDEV000001";
    merchant.terminal_id = "FLORIN01";
    merchant.iban = "DE89370400440532013000";
    merchant.account_holder = "Dev shop";
    plan.merchants.push_back(merchant);
    // Where florin-banksim keeps the merchant side's money.
    plan.bank_accounts.push_back(
        {.name = "client-money",
         .mode = "test",
         .iban = "DE02120300000000202051",
         .holder = "Florin development"}
    );
    return plan;
}

Result<void> start_dev(App& app, DevOptions const& options) {
    FLORIN_TRY(auto known, load_dev_state(options.data_dir));
    DevState state = known.value_or(DevState{});
    FLORIN_TRY(Plan plan, dev_plan(options, state));
    fs::path const data_dir = plan.data_dir;
    std::uint16_t const wished = plan.server.port;
    // The ledger takes the directory's lock first: two daemons never write the files beside it.
    Plan const shared = plan;
    FLORIN_TRY_VOID(app.open(std::move(plan)));
    FLORIN_TRY(auto files, ensure_dev_tls(data_dir, app.clock()));
    FLORIN_TRY(auto keys, ensure_key_file(shared.vault_key_file, app.random()));
    FLORIN_TRY(auto tls, crypto::make_server_context(files.certificate_pem, files.key_pem));
    app.use_tls(std::move(tls), files.ca);
    FLORIN_TRY_VOID(app.connect(std::move(keys)));
    FLORIN_TRY_VOID(app.seed_merchants());
    state.merchant = "acct_dev";
    if (!known) {
        FLORIN_TRY(state.secret_key, app.new_key("secret", state.merchant, "dev"));
        FLORIN_TRY(state.publishable_key, app.new_key("publishable", state.merchant, "dev"));
        FLORIN_TRY(state.admin_key, app.new_key("admin", "", "dev"));
    }
    if (state.second_admin_key.empty()) {
        // What takes two persons can be tried too.
        FLORIN_TRY(state.second_admin_key, app.new_key("admin", "", "second"));
    }
    auto served = app.serve();
    if (!served && options.listen.port == 0 && wished != 0) {
        // The port of last time is taken by somebody else: any other one.
        app.use_port(0);
        served = app.serve();
    }
    FLORIN_TRY_VOID(served);
    state.port = app.port();
    state.iso8583 = options.iso8583.empty() ? state.iso8583 : options.iso8583;
    FLORIN_TRY_VOID(save_dev_state(data_dir, state));
    print_event(
        {{"event", "ready"},
         {"url", app.url()},
         {"ca", files.ca.string()},
         {"secret_key", state.secret_key},
         {"publishable_key", state.publishable_key},
         {"admin_key", state.admin_key}}
    );
    return {};
}

// The HTTP server without an application.
class BareApp {
public:
    static std::unique_ptr<BareApp> make(std::function<void()> const&) {
        return std::make_unique<BareApp>();
    }
    Result<void> start(DevOptions const& options) {
        FLORIN_TRY(auto const files, ensure_dev_tls(options.data_dir, clock_));
        http::ServerOptions server;
        server.address = options.listen.address;
        server.port = options.listen.port;
        server.threads = io_threads();
        FLORIN_TRY(server.tls, crypto::make_server_context(files.certificate_pem, files.key_pem));
        FLORIN_TRY(server_, http::Server::start(std::move(server), handler_));
        print_event(
            {{"event", "ready"},
             {"url", "https://127.0.0.1:" + std::to_string(server_->port())},
             {"ca", files.ca.string()}}
        );
        return {};
    }
    void close() {
        if (server_) {
            server_->stop();
        }
    }

private:
    static boost::asio::awaitable<http::Response> answer(http::Request) {
        constexpr std::size_t kBodyBytes = 2'048;
        http::Response response;
        response.body.assign(kBodyBytes, ' ');
        co_return response;
    }

    SystemClock clock_;
    http::Handler handler_ = answer;
    std::unique_ptr<http::Server> server_;
};

Result<void> start_production(App& app, config::Config const& config) {
    Plan plan;
    plan.data_dir = config.data_dir;
    plan.server.address = config.server.listen.address;
    plan.server.port = config.server.listen.port;
    plan.server.threads = static_cast<unsigned>(config.server.io_threads);
    auto& limits = plan.server.limits;
    limits.connections_max = static_cast<std::size_t>(config.server.connections_max);
    limits.header_bytes_max = static_cast<std::size_t>(config.server.header_bytes_max);
    limits.body_bytes_max = static_cast<std::size_t>(config.server.body_bytes_max);
    limits.handshake_ms = static_cast<std::uint64_t>(config.server.handshake_ms);
    limits.request_ms = static_cast<std::uint64_t>(config.server.request_ms);
    limits.idle_ms = static_cast<std::uint64_t>(config.server.idle_ms);
    plan.admin_listen = config.server.admin_listen;
    plan.ledger = config.ledger;
    plan.flow = config.flow;
    plan.limits = config.limits;
    plan.cards = config.cards;
    plan.connectors = config.connectors;
    plan.merchants = config.merchants;
    plan.retention.replaced_s = static_cast<std::uint64_t>(config.retention.replaced_hours) * 3600;
    plan.retention.events_s = static_cast<std::uint64_t>(config.retention.events_days) * 86'400;
    plan.settlement = config.settlement;
    plan.webhooks = config.webhooks;
    plan.bank_accounts = config.bank_accounts;
    FLORIN_TRY(auto certificate, read_whole(config.server.tls_certificate));
    FLORIN_TRY(auto key, read_whole(config.server.tls_key));
    FLORIN_TRY(auto keys, crypto::KeyRing::load(config.vault.key_file));
    FLORIN_TRY(auto tls, crypto::make_server_context(certificate, KeyBytes{std::move(key)}));
    FLORIN_TRY_VOID(app.open(std::move(plan)));
    app.use_tls(std::move(tls), {});
    FLORIN_TRY_VOID(app.connect(std::move(keys)));
    FLORIN_TRY_VOID(app.seed_merchants());
    FLORIN_TRY_VOID(app.serve());
    print_event({{"event", "ready"}, {"url", app.url()}});
    return {};
}

}  // namespace

int run_dev(DevOptions const& options) {
    return run_process<App>([&](App& app) { return start_dev(app, options); });
}

int run_bare(DevOptions const& options) {
    return run_process<BareApp>([&](BareApp& app) { return app.start(options); });
}

int run_production(config::Config const& config) {
    set_log_level(config);
    return run_process<App>([&](App& app) { return start_production(app, config); });
}

int run_ledger(config::Config const& config) {
    set_log_level(config);
    return run_process<LedgerApp>([&](LedgerApp& app) -> Result<void> {
        FLORIN_TRY_VOID(app.start(config));
        nlohmann::ordered_json ready = {{"event", "ready"}};
        auto const tell = [&ready](char const* name, std::string const& value) {
            if (!value.empty()) {
                ready[name] = value;
            }
        };
        tell("socket", config.ledger_server.socket);
        tell("address", app.address());
        tell("admin_url", app.admin_url());
        print_event(ready);
        return {};
    });
}

}  // namespace florin
