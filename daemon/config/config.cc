#include "daemon/config/config.h"

#include "connectors/iso20022/iban.h"
#include "daemon/config/fields.h"
#include "ledger/base/bytes.h"
#include "ledger/base/currency.h"

#include <toml++/toml.h>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <fstream>
#include <functional>
#include <sstream>

namespace florin::config {
namespace {

// One setting of a section: where it goes and what it may be.
struct Setting {
    std::string name;
    std::function<std::string(toml::node const&)> set;  // "": fine; else what would be right
    bool is_required = false;
};

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
// What a server has in mode ledger: operators' pages, and the certificate for both ports.
std::vector<Setting> page_settings(Server& s) {
    auto list = settings(s);
    std::erase_if(list, [](Setting const& setting) {
        return setting.name == "listen" || setting.name == "io_threads";
    });
    return list;
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
std::vector<Setting> settings(Connector& s) {
    Setting rail = choice("rail", s.rail, {"sandbox", "iso8583"});
    rail.is_required = true;
    return {
        required(pattern("name", s.name, is_name, kNameForm)),
        rail,
        choice("mode", s.mode, {"test", "live"}),
        integer("priority", s.priority, 0, 1'000'000),
        text("host", s.host),
        integer("port", s.port, 1, kPortMax),
        integer("timeout_ms", s.timeout_ms, 10, 600'000),
        pattern("acquirer_id", s.acquirer_id, is_acquirer, "1 to 11 digits"),
        text("acquirer", s.acquirer),
    };
}
std::vector<Setting> settings(Settlement& s) {
    return {text("outbox", s.outbox)};
}
std::vector<Setting> settings(Webhooks& s) {
    return {
        boolean("allow_private", s.allow_private),
        integer("concurrency", s.concurrency, 1, 1'000),
        integer("endpoint_concurrency", s.endpoint_concurrency, 1, 100),
        integer("timeout_ms", s.timeout_ms, 10, 60'000),
        integer("retry_scale_ppm", s.retry_scale_ppm, 1, 1'000'000),
        text("extra_ca_file", s.extra_ca_file),
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

// Insertions, deletions and exchanges that turn one word into the other.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            std::size_t const above = row[j];
            row[j] =
                std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

std::string did_you_mean(std::string_view name, std::vector<std::string> const& known) {
    auto const nearest = std::ranges::min_element(known, {}, [&](std::string const& each) {
        return distance(name, each);
    });
    if (nearest != known.end() && distance(name, *nearest) <= 3) {
        return "did you mean " + *nearest + "?";
    }
    std::string list;
    for (std::string const& each : known) {
        list += (list.empty() ? "" : ", ") + each;
    }
    return "known are: " + list;
}

std::unexpected<Error> wrong(
    std::string const& file, toml::source_region const& where, std::string const& what
) {
    return fail(Errc::malformed, file + ":" + std::to_string(where.begin.line) + ": " + what);
}

Result<void> read_section(
    std::string const& file,
    std::string const& section,
    toml::table const& table,
    std::vector<Setting> const& known
) {
    std::vector<std::string> names;
    for (Setting const& setting : known) {
        names.push_back(setting.name);
    }
    for (auto const& [key, node] : table) {
        std::string const name{key.str()};
        auto const setting = std::ranges::find(known, name, &Setting::name);
        if (setting == known.end()) {
            return wrong(
                file,
                key.source(),
                "[" + section + "] " + name + ": unknown setting; " + did_you_mean(name, names)
            );
        }
        if (std::string const right = setting->set(node); !right.empty()) {
            return wrong(file, node.source(), "[" + section + "] " + name + ": " + right);
        }
    }
    for (Setting const& setting : known) {
        if (setting.is_required && !table.contains(setting.name)) {
            return wrong(
                file, table.source(), "[" + section + "] " + setting.name + ": is missing"
            );
        }
    }
    return {};
}

// By what an item of a list is known.
template <class Item>
std::string const& identity_of(Item const& item) {
    if constexpr (requires { item.id; }) {
        return item.id;
    } else {
        return item.name;
    }
}

template <class Item>
Result<void> read_list(
    std::string const& file,
    std::string const& section,
    toml::node const& node,
    std::vector<Item>& into
) {
    auto const* const array = node.as_array();
    if (array == nullptr) {
        return wrong(file, node.source(), section + ": expected [[" + section + "]]");
    }
    for (auto const& each : *array) {
        auto const* const table = each.as_table();
        if (table == nullptr) {
            return wrong(file, each.source(), section + ": expected [[" + section + "]]");
        }
        Item item;
        FLORIN_TRY_VOID(read_section(file, "[" + section + "]", *table, settings(item)));
        bool const is_known = std::ranges::any_of(into, [&](Item const& other) {
            return identity_of(other) == identity_of(item);
        });
        if (is_known) {
            return wrong(
                file,
                table->source(),
                "[[" + section + "]] " + identity_of(item) +
                    ": is there already; each needs its own"
            );
        }
        into.push_back(std::move(item));
    }
    return {};
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

Result<Mode> read_mode(toml::table const& root, std::string const& file) {
    auto const* const node = root.get("mode");
    if (node == nullptr) {
        return Mode::payment_switch;
    }
    auto const value = node->value_exact<std::string>();
    if (value == "switch") {
        return Mode::payment_switch;
    }
    if (value == "ledger") {
        return Mode::ledger;
    }
    return wrong(file, node->source(), "mode: expected one of \"switch\", \"ledger\"");
}

// A section of the other mode is not merely unknown: the two never share a directory.
std::string why_not(std::string const& name, Mode mode) {
    Mode const other = mode == Mode::ledger ? Mode::payment_switch : Mode::ledger;
    auto const others = sections_of(other);
    if (std::ranges::find(others, name) != others.end()) {
        return name + ": belongs to mode \"" + (other == Mode::ledger ? "ledger" : "switch") +
               "\", this is mode \"" + (mode == Mode::ledger ? "ledger" : "switch") + "\"";
    }
    return name + ": unknown section; " + did_you_mean(name, sections_of(mode));
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

Result<void> check_ledger_server(Config const& config, std::string const& file) {
    LedgerServer const& server = config.ledger_server;
    auto const lacks = [&](std::string const& what) {
        return fail(Errc::malformed, file + ": [ledger_server] " + what);
    };
    if (server.socket.empty() && !server.listen) {
        return lacks("socket or listen: is missing");
    }
    if (server.listen && server.token_sha256.empty() && server.token_file.empty()) {
        return lacks("listen: needs token_sha256 or token_file");
    }
    if (server.listen && !config.has_server) {
        return lacks("listen: needs the certificate of [server]");
    }
    return {};
}

Result<Config> read(toml::table const& root, std::string const& file) {
    Config config;
    FLORIN_TRY(config.mode, read_mode(root, file));
    config.has_server = root.contains("server");
    std::vector<std::string> const known = sections_of(config.mode);
    for (auto const& [key, node] : root) {
        std::string const name{key.str()};
        if (std::ranges::find(known, name) == known.end()) {
            return wrong(file, key.source(), why_not(name, config.mode));
        }
        if (name == "mode") {
            continue;
        }
        if (name == "data_dir") {
            config.data_dir = node.value_exact<std::string>().value_or("");
            if (config.data_dir.empty()) {
                return wrong(
                    file, node.source(), "data_dir: expected the path of the data directory"
                );
            }
            continue;
        }
        if (name == "connector") {
            FLORIN_TRY_VOID(read_list(file, name, node, config.connectors));
            continue;
        }
        if (name == "merchant") {
            FLORIN_TRY_VOID(read_list(file, name, node, config.merchants));
            continue;
        }
        if (name == "bank_account") {
            FLORIN_TRY_VOID(read_list(file, name, node, config.bank_accounts));
            continue;
        }
        auto const* const table = node.as_table();
        if (table == nullptr) {
            return wrong(file, node.source(), name + ": expected a section [" + name + "]");
        }
        FLORIN_TRY_VOID(read_section(file, name, *table, section_settings(config, name)));
    }
    if (config.data_dir.empty()) {
        return fail(
            Errc::malformed, file + ":1: data_dir: expected the path of the data directory"
        );
    }
    if (config.mode == Mode::ledger) {
        FLORIN_TRY_VOID(check_ledger_server(config, file));
        return config;
    }
    // A section that is not there at all has not been asked for what it needs.
    for (char const* const section : {"server", "vault"}) {
        if (!root.contains(section)) {
            std::vector<Setting> const list = std::string_view{section} == "server"
                                                  ? settings(config.server)
                                                  : settings(config.vault);
            auto const missing = std::ranges::find_if(list, &Setting::is_required);
            return fail(
                Errc::malformed, file + ":1: [" + section + "] " + missing->name + ": is missing"
            );
        }
    }
    if (config.flow.retry_most_ms < config.flow.retry_first_ms) {
        return wrong(
            file,
            root["flow"].node()->source(),
            "[flow] retry_most_ms: expected at least retry_first_ms"
        );
    }
    for (Connector const& connector : config.connectors) {
        if (connector.rail == "iso8583" && connector.port == 0) {
            return fail(
                Errc::malformed, file + ": [[connector]] " + connector.name + ": port: is missing"
            );
        }
        if (connector.rail == "sandbox" && connector.mode != "test") {
            return fail(
                Errc::malformed,
                file + ": [[connector]] " + connector.name +
                    ": the sandbox is for mode \"test\" only"
            );
        }
    }
    return config;
}

}  // namespace

Result<Listen> parse_listen(std::string_view text) {
    auto const colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) {
        return fail(Errc::malformed, "'" + std::string{text} + "' is not ADDRESS:PORT");
    }
    std::string_view address = text.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
    }
    std::string_view const digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
        return fail(Errc::malformed, "'" + std::string{text} + "': the port is not a number");
    }
    return Listen{std::string{address}, port};
}

Result<Config> parse(std::string_view text, std::string const& name) {
    try {
        return read(toml::parse(text, name), name);
    } catch (toml::parse_error const& error) {
        return wrong(name, error.source(), std::string{error.description()});
    }
}

Result<Config> load(std::filesystem::path const& file) {
    std::ifstream in{file};
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
        return fail(Errc::not_found, file.string() + ": cannot read the configuration");
    }
    return parse(text.str(), file.string());
}

std::vector<std::string> setting_names(Mode mode) {
    Config config;
    config.mode = mode;
    Connector connector;
    Merchant merchant;
    BankAccount bank_account;
    std::vector<std::string> names;
    for (std::string const& section : sections_of(mode)) {
        if (section == "mode" || section == "data_dir") {
            names.push_back(section);
            continue;
        }
        auto const list = section == "connector"      ? settings(connector)
                          : section == "merchant"     ? settings(merchant)
                          : section == "bank_account" ? settings(bank_account)
                                                      : section_settings(config, section);
        for (Setting const& setting : list) {
            names.push_back(section + "." + setting.name);
        }
    }
    return names;
}

}  // namespace florin::config
