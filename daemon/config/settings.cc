#include "daemon/config/settings.h"

#include "connectors/iso20022/iban.h"
#include "connectors/links.h"
#include "daemon/config/fields.h"
#include "ledger/base/bytes.h"
#include "ledger/base/currency.h"

#include <algorithm>
#include <arpa/inet.h>

namespace florin::config {
namespace {

Setting integer(char const* name, std::int64_t& into, std::int64_t least, std::int64_t most) {
    auto const set = [&into, least, most](toml::node const& node) -> std::string {
        auto const value = node.value_exact<std::int64_t>();
        if (!value || *value < least || *value > most) {
            return "expected an integer from " + std::to_string(least) + " to " +
                   std::to_string(most);
        }
        into = *value;
        return {};
    };
    return {name, set};
}

Setting boolean(char const* name, bool& into) {
    auto const set = [&into](toml::node const& node) -> std::string {
        auto const value = node.value_exact<bool>();
        if (!value) {
            return "expected true or false";
        }
        into = *value;
        return {};
    };
    return {name, set};
}

Setting text(char const* name, std::string& into, bool required = false) {
    auto const set = [&into](toml::node const& node) -> std::string {
        auto const value = node.value_exact<std::string>();
        if (!value || value->empty()) {
            return "expected a text in quotes, not empty";
        }
        into = *value;
        return {};
    };
    return {name, set, required};
}

Setting choice(char const* name, std::string& into, std::vector<std::string> allowed) {
    auto const set = [&into, allowed](toml::node const& node) -> std::string {
        auto const value = node.value_exact<std::string>();
        if (!value || std::ranges::find(allowed, *value) == allowed.end()) {
            std::string list;
            for (std::string const& each : allowed) {
                list += (list.empty() ? "" : ", ") + ("\"" + each + "\"");
            }
            return "expected one of " + list;
        }
        into = *value;
        return {};
    };
    return {name, set};
}

// A text that must have a form; `right` says which.
Setting pattern(
    char const* name, std::string& into, bool (*is_right)(std::string_view), std::string right
) {
    auto const set = [&into, is_right, right](toml::node const& node) -> std::string {
        auto const value = node.value_exact<std::string>();
        if (!value || !is_right(*value)) {
            return "expected " + right;
        }
        into = *value;
        return {};
    };
    return {name, set};
}

bool is_ip_address(std::string const& text) {
    in_addr four{};
    in6_addr six{};
    return ::inet_pton(AF_INET, text.c_str(), &four) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), &six) == 1;
}
bool is_acquirer(std::string_view text) {
    return text.size() <= 11 && is_digits(text);
}
bool is_sha256(std::string_view text) {
    return text.size() == 64 && from_hex(text).has_value();
}
Setting required(Setting setting) {
    setting.is_required = true;
    return setting;
}

Setting listen(char const* name, Listen& into) {
    auto const set = [&into](toml::node const& node) -> std::string {
        auto const value = node.value_exact<std::string>();
        auto const parsed = parse_listen(value.value_or(""));
        if (!parsed || !is_ip_address(parsed->address)) {
            return "expected \"ADDRESS:PORT\", for example \"127.0.0.1:8443\"";
        }
        into = *parsed;
        return {};
    };
    return {name, set};
}

Setting listen(char const* name, std::optional<Listen>& into) {
    auto const set = [&into, name](toml::node const& node) -> std::string {
        Listen parsed;
        std::string wrong = listen(name, parsed).set(node);
        if (wrong.empty()) {
            into = parsed;
        }
        return wrong;
    };
    return {name, set};
}

Setting currency(char const* name, std::string& into) {
    auto const set = [&into](toml::node const& node) -> std::string {
        auto const value = Currency::from_alphabetic(node.value_exact<std::string>().value_or(""));
        if (!value) {
            return "expected an ISO 4217 code, for example \"EUR\"";
        }
        into = value->alphabetic();
        return {};
    };
    return {name, set};
}

constexpr std::int64_t kPortMax = 65'535;
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kTotalsDelayMinutesMax = 12 * 60;
constexpr std::int64_t kOutstandingMax = 65'536;
constexpr std::int64_t kConnectorCallsMax = kOutstandingMax * connectors::kLinksMax;
constexpr std::int64_t kConnectionsMax = 16;

std::vector<Setting> settings(Link& s) {
    return {
        text("host", s.host),
        required(integer("port", s.port, 1, kPortMax)),
        integer("connections", s.connections, 1, kConnectionsMax),
    };
}

// What is wrong with one of a list of links; empty: nothing.
std::string read_link(toml::node const& node, Link& into) {
    auto const* const table = node.as_table();
    if (table == nullptr) {
        return "expected a table, for example { host = \"10.0.0.5\", port = 8583 }";
    }
    std::vector<Setting> const known = settings(into);
    for (auto const& [key, value] : *table) {
        std::string const name{key.str()};
        auto const setting = std::ranges::find(known, name, &Setting::name);
        if (setting == known.end()) {
            return name + ": unknown setting; known are: host, port, connections";
        }
        if (std::string const right = setting->set(value); !right.empty()) {
            return name + ": " + right;
        }
    }
    return into.port == 0 ? "port: is missing" : "";
}

Setting links(char const* name, std::vector<Link>& into) {
    auto const set = [&into](toml::node const& node) -> std::string {
        auto const* const list = node.as_array();
        if (list == nullptr || list->empty() || list->size() > connectors::kLinksMax) {
            return "expected a list of 1 to " + std::to_string(connectors::kLinksMax) + " links";
        }
        into.clear();
        for (auto const& each : *list) {
            if (std::string const wrong = read_link(each, into.emplace_back()); !wrong.empty()) {
                return "link " + std::to_string(into.size()) + ": " + wrong;
            }
        }
        return {};
    };
    return {name, set};
}

std::vector<Setting> settings(Server& s) {
    return {
        listen("listen", s.listen),
        listen("admin_listen", s.admin_listen),
        text("tls_certificate", s.tls_certificate, true),
        text("tls_key", s.tls_key, true),
        integer("io_threads", s.io_threads, 1, 256),
        integer("connections_max", s.connections_max, 1, 1'000'000),
        integer("header_bytes_max", s.header_bytes_max, 1'024, 1'048'576),
        integer("body_bytes_max", s.body_bytes_max, 1'024, 16'777'216),
        integer("handshake_ms", s.handshake_ms, 100, kDayMs),
        integer("request_ms", s.request_ms, 100, kDayMs),
        integer("idle_ms", s.idle_ms, 100, kDayMs),
    };
}
std::vector<Setting> settings(Ledger& s) {
    return {
        integer("queue_requests_max", s.queue_requests_max, 1, 1'000'000),
        integer("cache_bytes", s.cache_bytes, 1'048'576, std::int64_t{1} << 40),
        integer("run_transfers", s.run_transfers, 1'000, 100'000'000),
        integer("accounts_max", s.accounts_max, 1'000, 1'000'000'000),
        integer("recent_transfers_max", s.recent_transfers_max, 8'192, 100'000'000),
        integer("id_filter_bytes_max", s.id_filter_bytes_max, 0, 1'073'741'824),
    };
}
std::vector<Setting> settings(LedgerServer& s) {
    return {
        text("socket", s.socket),
        listen("listen", s.listen),
        pattern("token_sha256", s.token_sha256, is_sha256, "64 hexadecimal digits"),
        text("token_file", s.token_file),
        integer("io_threads", s.io_threads, 1, 256),
        integer("connections_max", s.connections_max, 1, 10'000),
        integer("in_flight_max", s.in_flight_max, 1, 1'000),
        integer("handshake_ms", s.handshake_ms, 100, kDayMs),
        integer("request_ms", s.request_ms, 100, kDayMs),
        integer("idle_ms", s.idle_ms, 100, kDayMs),
    };
}
std::vector<Setting> settings(VaultSettings& s) {
    return {text("key_file", s.key_file, true)};
}
std::vector<Setting> settings(Cards& s) {
    return {text("bin_table", s.bin_table)};
}
std::vector<Setting> settings(Log& s) {
    return {choice("level", s.level, {"debug", "info", "warn", "error"})};
}
std::vector<Setting> settings(Flow& s) {
    return {
        integer("retry_first_ms", s.retry_first_ms, 10, kDayMs),
        integer("retry_most_ms", s.retry_most_ms, 10, kDayMs),
        integer("authorisation_days", s.authorisation_days, 1, 365),
        integer("unknown_alarm_minutes", s.unknown_alarm_minutes, 1, 365 * 24 * 60),
    };
}
std::vector<Setting> settings(Retention& s) {
    return {
        integer("replaced_hours", s.replaced_hours, 25, 24 * 365),
        integer("events_days", s.events_days, 4, 3'650),
    };
}
std::vector<Setting> settings(Limits& s) {
    constexpr std::int64_t kMost = 1'000'000;
    return {
        integer("test_requests_per_second", s.test_requests_per_second, 0, kMost),
        integer("test_burst_requests", s.test_burst_requests, 1, kMost),
        integer("live_requests_per_second", s.live_requests_per_second, 0, kMost),
        integer("live_burst_requests", s.live_burst_requests, 1, kMost),
        integer("key_in_flight_max", s.key_in_flight_max, 0, kMost),
        integer("requests_in_flight_max", s.requests_in_flight_max, 1, kMost),
        integer("queue_delay_ms_max", s.queue_delay_ms_max, 0, kDayMs),
    };
}
std::vector<Setting> settings(Settlement& s) {
    return {text("outbox", s.outbox)};
}
std::vector<Setting> settings(Webhooks& s) {
    return {
        boolean("allow_private", s.allow_private),
        integer("concurrency", s.concurrency, 1, 1'000),
        integer("merchant_concurrency", s.merchant_concurrency, 0, 1'000),
        integer("endpoint_concurrency", s.endpoint_concurrency, 1, 100),
        integer("timeout_ms", s.timeout_ms, 10, 60'000),
        integer("retry_scale_ppm", s.retry_scale_ppm, 1, 1'000'000),
        text("extra_ca_file", s.extra_ca_file),
    };
}
// What a server has in mode ledger: operators' pages, and the certificate for both ports.
std::vector<Setting> page_settings(Server& s) {
    auto list = settings(s);
    std::erase_if(list, [](Setting const& setting) {
        return setting.name == "listen" || setting.name == "io_threads";
    });
    return list;
}

}  // namespace

std::vector<Setting> settings(Connector& s) {
    Setting rail = choice("rail", s.rail, {"sandbox", "iso8583"});
    rail.is_required = true;
    return {
        required(pattern("name", s.name, is_name, kNameForm)),
        rail,
        choice("mode", s.mode, {"test", "live"}),
        integer("priority", s.priority, 0, 1'000'000),
        text("host", s.link.host),
        integer("port", s.link.port, 1, kPortMax),
        integer("connections", s.link.connections, 1, kConnectionsMax),
        links("links", s.links),
        integer("outstanding_max", s.outstanding_max, 1, kOutstandingMax),
        boolean("answers_on_any_connection", s.answers_on_any_connection),
        integer("timeout_ms", s.timeout_ms, 10, 600'000),
        pattern("acquirer_id", s.acquirer_id, is_acquirer, "1 to 11 digits"),
        text("acquirer", s.acquirer),
        integer("breaker_window_ms", s.breaker_window_ms, 100, kHourMs),
        integer("breaker_min_calls", s.breaker_min_calls, 1, 1'000'000),
        integer("breaker_failure_percent", s.breaker_failure_percent, 0, 100),
        integer("breaker_open_ms", s.breaker_open_ms, 10, kHourMs),
        integer("breaker_open_ms_max", s.breaker_open_ms_max, 10, kHourMs),
        integer("breaker_probes", s.breaker_probes, 1, 1'000),
        integer("in_flight_max", s.in_flight_max, 1, kConnectorCallsMax),
        integer("waiting_max", s.waiting_max, 0, 1'000'000),
        integer("deadline_ms", s.deadline_ms, 10, 660'000),
        text("packaging", s.packaging),
        choice("mac", s.mac, {"none", "aes-cmac", "tdes-cmac", "x9.19"}),
        text("mac_key_file", s.mac_key_file),
        boolean("mac_key_exchange", s.mac_key_exchange),
        integer("mac_key_grace_ms", s.mac_key_grace_ms, 0, 3'600'000),
        choice("totals", s.totals, {"none", "request", "advice"}),
        integer("totals_delay_minutes", s.totals_delay_minutes, 0, kTotalsDelayMinutesMax),
    };
}

std::vector<Setting> settings(BankAccount& s) {
    return {
        text("name", s.name, true),
        choice("mode", s.mode, {"test", "live"}),
        required(pattern("iban", s.iban, connectors::iso20022::is_iban, kIbanForm)),
        text("holder", s.holder, true),
    };
}

std::vector<Setting> settings(Merchant& s) {
    return {
        required(pattern("id", s.id, is_name, kNameForm)),
        text("name", s.name, true),
        pattern("country", s.country, is_country, kCountryForm),
        currency("default_currency", s.default_currency),
        integer("fee_basis_points", s.fee_basis_points, 0, kFeeBasisPointsMax),
        integer("fee_fixed_minor", s.fee_fixed_minor, 0, kFeeFixedMinorMax),
        integer("availability_days", s.availability_days, 0, kAvailabilityDaysMax),
        pattern("category_code", s.category_code, is_category, kCategoryForm),
        pattern("acceptor_id", s.acceptor_id, is_acceptor, kAcceptorForm),
        pattern("terminal_id", s.terminal_id, is_terminal, kTerminalForm),
        pattern("iban", s.iban, connectors::iso20022::is_iban, kIbanForm),
        text("account_holder", s.account_holder),
    };
}

std::vector<std::string> sections_of(Mode mode) {
    if (mode == Mode::ledger) {
        return {"mode", "data_dir", "server", "ledger", "ledger_server", "log"};
    }
    return {
        "mode",
        "data_dir",
        "server",
        "ledger",
        "vault",
        "cards",
        "log",
        "flow",
        "retention",
        "limits",
        "settlement",
        "webhooks",
        "connector",
        "merchant",
        "bank_account",
    };
}

std::vector<Setting> section_settings(Config& config, std::string const& name) {
    if (name == "server") {
        return config.mode == Mode::ledger ? page_settings(config.server) : settings(config.server);
    }
    return name == "ledger"          ? settings(config.ledger)
           : name == "ledger_server" ? settings(config.ledger_server)
           : name == "vault"         ? settings(config.vault)
           : name == "cards"         ? settings(config.cards)
           : name == "log"           ? settings(config.log)
           : name == "limits"        ? settings(config.limits)
           : name == "settlement"    ? settings(config.settlement)
           : name == "retention"     ? settings(config.retention)
           : name == "webhooks"      ? settings(config.webhooks)
                                     : settings(config.flow);
}

}  // namespace florin::config
