// The parts of florind put together: opened in order, taken down in the reverse order.
//
//   open         the data directory, its lock, the ledger
//   connect      vault, connectors, the flow; what a crash left open is taken up; then settlement
//   and
//                reconciliation for each mode
//   serve        the listeners
//   close        accept, sessions, flow, ledger, threads
//
// start.cc decides with what. Thread rule: one thread, the main one.
#pragma once

#include "crypto/aead.h"
#include "crypto/random.h"
#include "daemon/config/config.h"
#include "daemon/http/server.h"
#include "daemon/model/ids.h"
#include "daemon/retention/retention.h"
#include "ledger/base/clock.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace florin {

// With what it runs, whichever way it was started.
struct Plan {
    std::filesystem::path data_dir;
    http::ServerOptions server;
    config::Ledger ledger;
    config::Flow flow;
    std::uint64_t idempotency_keep_s = 24ULL * 3600;
    retention::Options retention;
    config::Limits limits;
    std::vector<config::Connector> connectors;
    std::vector<config::Merchant> merchants;
    config::Settlement settlement;
    config::Webhooks webhooks;
    std::vector<config::BankAccount> bank_accounts;
    std::filesystem::path vault_key_file;
    config::Cards cards;
    std::optional<config::Listen> admin_listen;  // absent: on the API's port
    std::filesystem::path ca;
};

class App {
public:
    // `on_failure` is called, on any thread, when the ledger failed and the process must end.
    static std::unique_ptr<App> make(std::function<void()> on_failure);

    App() = default;
    App(App const&) = delete;
    App& operator=(App const&) = delete;
    virtual ~App() = default;

    virtual Result<void> open(Plan plan) = 0;
    // After open: with what is in files that may be made only now.
    virtual Result<void> connect(crypto::KeyRing keys) = 0;
    virtual void use_tls(
        std::shared_ptr<boost::asio::ssl::context> tls, std::filesystem::path const& ca
    ) = 0;
    virtual void use_port(std::uint16_t port) = 0;
    virtual Result<void> serve() = 0;
    // Idempotent; also after a start that failed.
    virtual void close() = 0;

    // The merchants of the plan, in both modes; those that are there already stay as they are.
    virtual Result<void> seed_merchants() = 0;
    // A new key of test mode, stored as its hash; the text is not to be had again.
    virtual Result<std::string> new_key(
        std::string const& kind, std::string const& merchant, std::string const& name
    ) = 0;

    virtual std::string url() const = 0;
    virtual std::uint16_t port() const = 0;
    virtual crypto::Random& random() = 0;
    virtual Clock const& clock() const = 0;
};

}  // namespace florin
