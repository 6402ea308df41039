#include "daemon/config/config.h"

#include "daemon/config/settings.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace florin::config {
namespace {

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

// What is wrong with a connector as a whole; empty: nothing.
std::string lack_of(Connector const& connector) {
    bool const is_bank = connector.rail == "iso8583";
    if (is_bank && connector.link.port == 0 && connector.links.empty()) {
        return "port: is missing";
    }
    bool const says_where = connector.link.port != 0 || connector.link.connections != 1 ||
                            connector.link.host != config::Link{}.host;
    if (!connector.links.empty() && (says_where || !is_bank)) {
        return is_bank ? "links: stands in place of host, port and connections, not beside them"
                       : "links: belongs to rail \"iso8583\"";
    }
    if (connector.rail == "sandbox" && connector.mode != "test") {
        return "the sandbox is for mode \"test\" only";
    }
    if (connector.rail != "iso8583" && connector.totals != "none") {
        return "totals: belongs to rail \"iso8583\"";
    }
    if ((connector.mac == "none") != connector.mac_key_file.empty()) {
        return "mac_key_file: belongs to a mac other than \"none\", which cannot do without";
    }
    if (connector.breaker_open_ms_max < connector.breaker_open_ms) {
        return "breaker_open_ms_max: expected at least breaker_open_ms";
    }
    if (connector.deadline_ms != 0 && connector.deadline_ms < connector.timeout_ms) {
        return "deadline_ms: expected at least timeout_ms";
    }
    return {};
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
            std::vector<Setting> const list = section_settings(config, section);
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
        if (std::string const lack = lack_of(connector); !lack.empty()) {
            return fail(Errc::malformed, file + ": [[connector]] " + connector.name + ": " + lack);
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
