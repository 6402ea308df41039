#include "daemon/start.h"

#include "crypto/tls.h"
#include "daemon/app.h"
#include "daemon/dev.h"
#include "daemon/log/log.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <signal.h>
#include <sstream>
#include <thread>
#include <unistd.h>

namespace florin {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr int kStopped = 0;
constexpr int kFailed = 1;
constexpr int kCouldNotStart = 2;

// Everything on standard output is one JSON object a line.
void print_event(ordered_json const& event) {
    std::string const line = event.dump() + "\n";
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);
}

int could_not_start(Error const& error) {
    log::error("start.failed", {{"what", error.context}});
    print_event({{"event", "error"}, {"message", error.context}});
    return kCouldNotStart;
}

// Waits for SIGTERM or SIGINT, or for somebody who says that something failed.
class StopSignal {
public:
    // Blocks the signals for every thread made after this.
    StopSignal() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGTERM);
        sigaddset(&signals_, SIGINT);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
        ::signal(SIGPIPE, SIG_IGN);
    }
    // True: something failed.
    bool wait() {
        int number = 0;
        sigwait(&signals_, &number);
        return failed_;
    }
    void fail() {
        failed_ = true;
        ::kill(::getpid(), SIGTERM);
    }

private:
    sigset_t signals_{};
    std::atomic<bool> failed_ = false;
};

Result<Plan> dev_plan(DevOptions const& options, DevState const& state) {
    Plan plan;
    plan.data_dir = options.data_dir;
    plan.server.address = options.listen.address;
    plan.server.port = options.listen.port != 0 ? options.listen.port : state.port;
    plan.server.threads = std::clamp(std::thread::hardware_concurrency(), 1U, 8U);
    plan.vault_key_file = plan.data_dir / "vault.key";
    plan.flow.retry_first_ms = 1'000;
    plan.flow.retry_most_ms = 30'000;
    std::string const bank = options.iso8583.empty() ? state.iso8583 : options.iso8583;
    config::Connector sandbox;
    sandbox.name = "sandbox";
    sandbox.rail = "sandbox";
    if (!bank.empty()) {
        FLORIN_TRY(auto const address, config::parse_listen(bank));
        config::Connector connector;
        connector.name = "bank";
        connector.rail = "iso8583";
        connector.host = address.address;
        connector.port = address.port;
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
        FLORIN_TRY(state.secret_key, app.new_key("secret", state.merchant));
        FLORIN_TRY(state.publishable_key, app.new_key("publishable", state.merchant));
        FLORIN_TRY(state.admin_key, app.new_key("admin", ""));
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

Result<std::string> read_pem(std::string const& file) {
    std::ifstream in{file};
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
        return fail(Errc::not_found, file + ": cannot read");
    }
    return text.str();
}

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
    plan.connectors = config.connectors;
    plan.merchants = config.merchants;
    plan.settlement = config.settlement;
    plan.bank_accounts = config.bank_accounts;
    FLORIN_TRY(auto certificate, read_pem(config.server.tls_certificate));
    FLORIN_TRY(auto key, read_pem(config.server.tls_key));
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

template <class Start>
int run(Start const& start) {
    StopSignal stop;
    auto const app = App::make([&stop] { stop.fail(); });
    if (auto const started = start(*app); !started) {
        app->close();
        return could_not_start(started.error());
    }
    bool const failed = stop.wait();
    app->close();
    print_event({{"event", "stopped"}});
    return failed ? kFailed : kStopped;
}

}  // namespace

int run_dev(DevOptions const& options) {
    return run([&](App& app) { return start_dev(app, options); });
}

int run_production(config::Config const& config) {
    if (config.log.level == "debug") {
        log::set_level(log::Level::debug);
    } else if (config.log.level == "warn") {
        log::set_level(log::Level::warn);
    } else if (config.log.level == "error") {
        log::set_level(log::Level::error);
    }
    return run([&](App& app) { return start_production(app, config); });
}

}  // namespace florin
