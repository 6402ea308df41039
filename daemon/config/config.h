// The configuration of florind: one struct, one TOML file, every wrong or unknown setting refused
// with its file and line and what would be right. conf/florin.example.toml documents each setting,
// conf/ledger.example.toml those of mode ledger.
// Thread rule: made at the start, then read only.
#pragma once

#include "ledger/base/result.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace florin::config {

struct Listen {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;
};
// "127.0.0.1:8443", "[::1]:0"
Result<Listen> parse_listen(std::string_view text);

struct Server {
    Listen listen{.address = "127.0.0.1", .port = 8443};
    Listen admin_listen{.address = "127.0.0.1", .port = 9443};
    std::string tls_certificate;  // file, PEM chain
    std::string tls_key;          // file, PEM
    std::int64_t io_threads = 2;
    std::int64_t connections_max = 12'000;
    std::int64_t header_bytes_max = 32'768;
    std::int64_t body_bytes_max = 1'048'576;
    std::int64_t handshake_ms = 10'000;
    std::int64_t request_ms = 30'000;
    std::int64_t idle_ms = 120'000;
};
struct Ledger {
    std::int64_t queue_requests_max = 16'384;
    std::int64_t cache_bytes = 67'108'864;
    std::int64_t run_transfers = 500'000;
    std::int64_t accounts_max = 1'000'000;
    std::int64_t recent_transfers_max = 262'144;
    std::int64_t id_filter_bytes_max = 134'217'728;
};
// Mode ledger: the binary batch protocol for ledger clients.
struct LedgerServer {
    std::string socket;            // path; empty: no Unix socket
    std::optional<Listen> listen;  // absent: no TLS port
    // Either token opens the port, so that one can be replaced by the other while clients run.
    std::string token_sha256;  // 64 hexadecimal digits
    std::string token_file;    // one line, mode 0600
    std::int64_t io_threads = 2;
    std::int64_t connections_max = 64;
    std::int64_t in_flight_max = 8;
    std::int64_t handshake_ms = 10'000;
    std::int64_t request_ms = 30'000;
    std::int64_t idle_ms = 600'000;
};
struct VaultSettings {
    std::string key_file;
};
struct Cards {
    std::string bin_table;  // file of card number ranges (connectors/bins.h); empty: the built-in
};
struct Log {
    std::string level = "info";
};
struct Flow {
    std::int64_t retry_first_ms = 1'000;
    std::int64_t retry_most_ms = 300'000;
    std::int64_t authorisation_days = 7;
    std::int64_t unknown_alarm_minutes = 15;
};
// For how long bodies are kept that are not needed any more (docs/data-directory.md).
struct Retention {
    std::int64_t replaced_hours = 26;
    std::int64_t events_days = 30;
};
// What one API key may ask for, and the daemon as a whole. 0: no limit.
struct Limits {
    std::int64_t test_requests_per_second = 50;
    std::int64_t test_burst_requests = 100;
    std::int64_t live_requests_per_second = 100;
    std::int64_t live_burst_requests = 200;
    std::int64_t key_in_flight_max = 500;
    std::int64_t requests_in_flight_max = 4'096;  // of all keys; at least 1
    std::int64_t queue_delay_ms_max = 100;
};
// A line to a bank with trace numbers of its own.
struct Link {
    std::string host = "127.0.0.1";
    std::int64_t port = 0;
    std::int64_t connections = 1;
};
struct Connector {
    std::string name;
    std::string rail;  // sandbox, iso8583
    std::string mode = "test";
    std::int64_t priority = 100;  // lower is tried first
    Link link;                    // the one of a connector that has no list of links
    std::vector<Link> links;      // where not empty: all of them, and `link` is as it was made
    std::int64_t outstanding_max = 4'096;  // of each link
    bool answers_on_any_connection = false;
    std::int64_t timeout_ms = 10'000;
    std::string acquirer_id;
    std::string acquirer;           // how its reports name it; empty: as the connector is named
    std::string packaging;          // a file as in conf/iso8583; empty: ISO 8583:1987 in ASCII
    std::string mac = "none";       // none, aes-cmac, tdes-cmac, x9.19
    std::string mac_key_file;       // hexadecimal, mode 0600
    bool mac_key_exchange = false;  // that key is one under which keys are exchanged
    std::int64_t mac_key_grace_ms = 60'000;
    // Of what stands before an iso8583 connector (connectors/guard.h).
    std::int64_t breaker_window_ms = 30'000;
    std::int64_t breaker_min_calls = 10;
    std::int64_t breaker_failure_percent = 50;  // 0: the breaker never opens
    std::int64_t breaker_open_ms = 5'000;
    std::int64_t breaker_open_ms_max = 60'000;
    std::int64_t breaker_probes = 2;
    std::int64_t in_flight_max = 1'000;
    std::int64_t waiting_max = 4'000;
    std::int64_t deadline_ms = 0;  // 0: a second more than timeout_ms
    // Comparing totals after the cut-over of the business date (daemon/totals).
    std::string totals = "none";  // none, request (0500), advice (0520)
    std::int64_t totals_delay_minutes = 15;
};
struct Merchant {
    std::string id, name, country = "DE", default_currency = "EUR";
    std::int64_t fee_basis_points = 0, fee_fixed_minor = 0, availability_days = 2;
    std::string category_code = "5999", acceptor_id, terminal_id = "TERM0001", iban, account_holder;
};
// Client money at a bank: payouts go out from it, acquirers pay into it.
struct BankAccount {
    std::string name, mode = "live", iban, holder;
};
struct Settlement {
    std::string outbox;  // folder for payout files; empty: "outbox" in the data directory
};

struct Webhooks {
    bool allow_private = false;                // endpoints on loopback and private addresses
    std::int64_t concurrency = 64;             // deliveries under way, all together
    std::int64_t merchant_concurrency = 0;     // of one merchant and mode; 0: a quarter of all
    std::int64_t endpoint_concurrency = 4;     // of one endpoint
    std::int64_t timeout_ms = 10'000;          // of one delivery
    std::int64_t retry_scale_ppm = 1'000'000;  // pauses between tries: millionths of the real ones
    std::string extra_ca_file;                 // PEM; trusted beside the system's certificates
};

// The payment switch, or a ledger for other programs: never both in one directory.
enum class Mode { payment_switch, ledger };

struct Config {
    Mode mode = Mode::payment_switch;
    std::string data_dir;
    Server server;
    bool has_server = false;  // in mode ledger the section may be absent
    Ledger ledger;
    LedgerServer ledger_server;
    VaultSettings vault;
    Cards cards;
    Log log;
    Flow flow;
    Retention retention;
    Limits limits;
    std::vector<Connector> connectors;
    std::vector<Merchant> merchants;
    Settlement settlement;
    Webhooks webhooks;
    std::vector<BankAccount> bank_accounts;
};

// Errc::malformed: "florin.toml:12: [server] io_treads: unknown setting; did you mean io_threads?"
Result<Config> load(std::filesystem::path const& file);
Result<Config> parse(std::string_view text, std::string const& name);

// "section.name" of everything that can be set in a mode; what its example must document.
std::vector<std::string> setting_names(Mode mode);

}  // namespace florin::config
