#include "daemon/config/config.h"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <sstream>

using namespace florin;

namespace {

constexpr char const* kGood = R"(data_dir = "/d"

[server]
tls_certificate = "/c"
tls_key = "/k"

[vault]
key_file = "/v"
)";

std::string error_of(std::string const& text) {
    auto const parsed = config::parse(text, "f.toml");
    return parsed ? "" : parsed.error().context;
}

bool starts(std::string const& text, std::string const& with) {
    CAPTURE(text);
    return text.starts_with(with);
}

}  // namespace

TEST_CASE("the examples are configurations that work, and document every setting of their mode") {
    for (auto const mode : {config::Mode::payment_switch, config::Mode::ledger}) {
        bool const is_ledger = mode == config::Mode::ledger;
        std::ifstream file{
            is_ledger ? FLORIN_SOURCE_DIR "/conf/ledger.example.toml"
                      : FLORIN_SOURCE_DIR "/conf/florin.example.toml"
        };
        REQUIRE(file);
        std::ostringstream text;
        text << file.rdbuf();
        auto const parsed = config::parse(text.str(), "example");
        CAPTURE(error_of(text.str()));
        REQUIRE(parsed.has_value());
        CHECK(parsed->mode == mode);
        // Each name stands at the beginning of a line below its section.
        std::set<std::string> documented;
        std::istringstream lines{text.str()};
        std::string section;
        for (std::string line; std::getline(lines, line);) {
            auto const end = line.find(" = ");
            if (line.starts_with('[')) {
                section = line.substr(line.find_first_not_of('['));
                section = section.substr(0, section.find(']')) + ".";
            } else if (end != std::string::npos && line[0] != '#') {
                documented.insert(section + line.substr(0, end));
            }
        }
        for (std::string const& name : config::setting_names(mode)) {
            CAPTURE(name);
            CHECK(documented.contains(name));
        }
        CHECK(documented.size() == config::setting_names(mode).size());
    }
}

TEST_CASE("a ledger for other programs is configured apart from the switch") {
    std::string const ledger = "mode = \"ledger\"\ndata_dir = \"/d\"\n";
    std::string const socket = "[ledger_server]\nsocket = \"/s\"\n";
    std::string const server = "[server]\ntls_certificate = \"/c\"\ntls_key = \"/k\"\n";
    std::string const port = "[ledger_server]\nlisten = \"127.0.0.1:0\"\n";
    std::string const digest = "token_sha256 = \"" + std::string(64, 'a') + "\"\n";
    auto const parsed = config::parse(ledger + socket, "f.toml");
    CAPTURE(error_of(ledger + socket));
    REQUIRE(parsed.has_value());
    CHECK(parsed->ledger_server.socket == "/s");
    CHECK(!parsed->ledger_server.listen.has_value());
    CHECK(parsed->ledger_server.in_flight_max == 8);
    CHECK(!parsed->has_server);
    CHECK(error_of(ledger + port + digest + server).empty());
    CHECK(error_of(ledger + port + "token_file = \"/t\"\n" + server).empty());
    struct Row {
        std::string text, error;
    };
    Row const rows[] = {
        {"mode = \"both\"\n", "f.toml:1: mode: expected one of \"switch\", \"ledger\""},
        {"mode = 3\n", "f.toml:1: mode: expected one of"},
        {ledger, "f.toml: [ledger_server] socket or listen: is missing"},
        {ledger + "[ledger_server]\n", "f.toml: [ledger_server] socket or listen: is missing"},
        {ledger + port + server, "f.toml: [ledger_server] listen: needs token_sha256 or token_file"
        },
        {ledger + port + digest, "f.toml: [ledger_server] listen: needs the certificate"},
        {ledger + port + "token_sha256 = \"aa\"\n",
         "f.toml:5: [ledger_server] token_sha256: expected 64 hexadecimal digits"},
        {ledger + socket + "in_flight_max = 0\n",
         "f.toml:5: [ledger_server] in_flight_max: expected an integer from 1"},
        {ledger + socket + "sokcet = \"/s\"\n", "f.toml:5: [ledger_server] sokcet: unknown setting"
        },
        {ledger + socket + "[vault]\n",
         "f.toml:5: vault: belongs to mode \"switch\", this is mode \"ledger\""},
        {ledger + socket + "[[connector]]\n", "f.toml:5: connector: belongs to mode \"switch\""},
        {ledger + socket + server + "listen = \"127.0.0.1:1\"\n",
         "f.toml:8: [server] listen: unknown setting"},
        {std::string{kGood} + socket,
         "f.toml:9: ledger_server: belongs to mode \"ledger\", this is mode \"switch\""},
        {"mode = \"ledger\"\n" + socket, "f.toml:1: data_dir: expected the path"},
    };
    for (Row const& row : rows) {
        CAPTURE(row.text);
        CHECK(starts(error_of(row.text), row.error));
    }
}

TEST_CASE("what is absent has its default") {
    auto const parsed = config::parse(kGood, "f.toml");
    REQUIRE(parsed.has_value());
    CHECK(parsed->server.io_threads == 2);
    CHECK(parsed->server.header_bytes_max == 32'768);
    CHECK(parsed->flow.authorisation_days == 7);
    CHECK(parsed->merchants.empty());
    CHECK(parsed->limits.live_requests_per_second == 100);
    CHECK(parsed->limits.requests_in_flight_max == 4'096);
    std::string const bank = "[[connector]]\nname = \"b\"\nrail = \"iso8583\"\nport = 1\n";
    auto const connected = config::parse(kGood + bank, "f.toml");
    REQUIRE(connected.has_value());
    CHECK(connected->connectors[0].breaker_failure_percent == 50);
    CHECK(connected->connectors[0].in_flight_max == 1'000);
    CHECK(connected->connectors[0].deadline_ms == 0);
    CHECK(connected->connectors[0].totals == "none");
    CHECK(connected->connectors[0].totals_delay_minutes == 15);
    CHECK(connected->connectors[0].link.host == "127.0.0.1");
    CHECK(connected->connectors[0].link.connections == 1);
    CHECK(connected->connectors[0].links.empty());
    CHECK(connected->connectors[0].outstanding_max == 4'096);
    CHECK_FALSE(connected->connectors[0].answers_on_any_connection);
}

TEST_CASE("a bank has one link, or a list of them") {
    std::string const bank = "[[connector]]\nname = \"b\"\nrail = \"iso8583\"\n";
    auto const one =
        config::parse(kGood + bank + "host = \"10.0.0.5\"\nport = 7\nconnections = 3\n", "f.toml");
    REQUIRE(one.has_value());
    CHECK(one->connectors[0].link.host == "10.0.0.5");
    CHECK(one->connectors[0].link.port == 7);
    CHECK(one->connectors[0].link.connections == 3);
    auto const list = config::parse(
        kGood + bank +
            "links = [{ host = \"10.0.0.5\", port = 7, connections = 2 }, { port = 8 }]\n",
        "f.toml"
    );
    REQUIRE(list.has_value());
    auto const& links = list->connectors[0].links;
    REQUIRE(links.size() == 2);
    CHECK(links[0].host == "10.0.0.5");
    CHECK(links[0].port == 7);
    CHECK(links[0].connections == 2);
    CHECK(links[1].host == "127.0.0.1");
    CHECK(links[1].port == 8);
    CHECK(links[1].connections == 1);
}

TEST_CASE("what is wrong is named with file, line and what would be right") {
    std::string const good = kGood;
    struct Row {
        std::string text, error;
    };
    std::string const bank = "[[connector]]\nname = \"b\"\nrail = \"iso8583\"\nport = 1\n";
    std::string const merchant = "[[merchant]]\nid = \"acct_a\"\nname = \"A\"\n";
    Row const rows[] = {
        {good + "[server2]\n", "f.toml:9: server2: unknown section; did you mean server?"},
        {good + "[log]\nlevle = \"info\"\n",
         "f.toml:10: [log] levle: unknown setting; did you mean level?"},
        {good + "[log]\nlevel = \"loud\"\n", "f.toml:10: [log] level: expected one of \"debug\""},
        {good + "[flow]\nretry_first_ms = 9\n",
         "f.toml:10: [flow] retry_first_ms: expected an integer from 10"},
        {good + "[flow]\nretry_first_ms = 1.5\n",
         "f.toml:10: [flow] retry_first_ms: expected an integer"},
        {good + "[flow]\nretry_first_ms = \"10\"\n",
         "f.toml:10: [flow] retry_first_ms: expected an integer"},
        {good + "[flow]\nretry_first_ms = 500\nretry_most_ms = 400\n",
         "f.toml:9: [flow] retry_most_ms: expected at least"},
        {good + "[flow]\nretry_first_ms = 99999999999999999999\n", "f.toml:10: "},
        {good + "[limits]\nlive_requests_per_second = 100\ntest_burst_requests = 0\n",
         "f.toml:11: [limits] test_burst_requests: expected an integer from 1 to 1000000"},
        {good + "[limits]\nrequests_in_flight_max = 0\n",
         "f.toml:10: [limits] requests_in_flight_max: expected an integer from 1"},
        {good + "[limits]\nlive_requests_per_second = -1\n",
         "f.toml:10: [limits] live_requests_per_second: expected an integer from 0"},
        {good + "log = 3\n", "f.toml:9: [vault] log: unknown setting"},
        {"log = 3\n" + good, "f.toml:1: log: expected a section [log]"},
        {"data_dir = 3\n", "f.toml:1: data_dir: expected the path"},
        {"", "f.toml:1: data_dir: expected the path"},
        {"data_dir = \"/d\"\n[vault]\nkey_file = \"/v\"\n",
         "f.toml:1: [server] tls_certificate: is missing"},
        {"data_dir = \"/d\"\n[server]\ntls_certificate = \"/c\"\ntls_key = \"/k\"\n",
         "f.toml:1: [vault] key_file: is missing"},
        {"data_dir = \"/d\"\n[server]\ntls_key = \"/k\"\n",
         "f.toml:2: [server] tls_certificate: is missing"},
        {good + "[[connector]]\nname = \"a\"\n", "f.toml:9: [[connector]] rail: is missing"},
        {good + "[[connector]]\nname = \"a b\"\nrail = \"sandbox\"\n",
         "f.toml:10: [[connector]] name: expected letters"},
        {good + "[[connector]]\nname = \"a\"\nrail = \"iso8583\"\n",
         "f.toml: [[connector]] a: port: is missing"},
        {good + "[[connector]]\nname = \"a\"\nrail = \"sandbox\"\nmode = \"live\"\n",
         "f.toml: [[connector]] a: the sandbox is for mode"},
        {good + "[[connector]]\nname = \"a\"\nrail = \"sandbox\"\n[[connector]]\nname = "
                "\"a\"\nrail = \"sandbox\"\n",
         "f.toml:12: [[connector]] a: is there already"},
        {good + "[[connector]]\nname = \"a\"\nrail = \"iso8583\"\nport = 70000\n",
         "f.toml:12: [[connector]] port: expected an integer from 1 to 65535"},
        {good +
             "[[connector]]\nname = \"a\"\nrail = \"iso8583\"\nport = 1\nacquirer_id = \"12x\"\n",
         "f.toml:13: [[connector]] acquirer_id: expected 1 to 11 digits"},
        {good + bank + "breaker_failure_percent = 101\n",
         "f.toml:13: [[connector]] breaker_failure_percent: expected an integer from 0 to 100"},
        {good + bank + "breaker_probes = 0\n",
         "f.toml:13: [[connector]] breaker_probes: expected an integer from 1"},
        {good + bank + "breaker_window_ms = \"1s\"\n",
         "f.toml:13: [[connector]] breaker_window_ms: expected an integer from 100"},
        {good + bank + "breaker_min_calls = 0\n",
         "f.toml:13: [[connector]] breaker_min_calls: expected an integer from 1"},
        {good + bank + "totals = \"both\"\n",
         "f.toml:13: [[connector]] totals: expected one of \"none\", \"request\", \"advice\""},
        {good + bank + "totals_delay_minutes = 721\n",
         "f.toml:13: [[connector]] totals_delay_minutes: expected an integer from 0 to 720"},
        {good + "[[connector]]\nname = \"s\"\nrail = \"sandbox\"\ntotals = \"request\"\n",
         "f.toml: [[connector]] s: totals: belongs to rail \"iso8583\""},
        {good + bank + "connections = 17\n",
         "f.toml:13: [[connector]] connections: expected an integer from 1 to 16"},
        {good + bank + "outstanding_max = 0\n",
         "f.toml:13: [[connector]] outstanding_max: expected an integer from 1 to 65536"},
        {good + bank + "links = []\n",
         "f.toml:13: [[connector]] links: expected a list of 1 to 4 links"},
        {good + bank + "links = [1]\n", "f.toml:13: [[connector]] links: link 1: expected a table"},
        {good + bank + "links = [{ port = 1 }, { host = \"h\" }]\n",
         "f.toml:13: [[connector]] links: link 2: port: is missing"},
        {good + bank + "links = [{ port = 0 }]\n",
         "f.toml:13: [[connector]] links: link 1: port: expected an integer from 1 to 65535"},
        {good + bank + "links = [{ port = 1, prot = 2 }]\n",
         "f.toml:13: [[connector]] links: link 1: prot: unknown setting; known are: host"},
        {good + bank + "links = [{ port = 1 }]\n",
         "f.toml: [[connector]] b: links: stands in place of host, port and connections"},
        {good + "[[connector]]\nname = \"s\"\nrail = \"sandbox\"\nlinks = [{ port = 1 }]\n",
         "f.toml: [[connector]] s: links: belongs to rail \"iso8583\""},
        {good + bank + "in_flight_max = 300000\n",
         "f.toml:13: [[connector]] in_flight_max: expected an integer from 1 to 262144"},
        {good + bank + "waiting_max = -1\n",
         "f.toml:13: [[connector]] waiting_max: expected an integer from 0"},
        {good + bank + "breaker_open_ms = 70000\n",
         "f.toml: [[connector]] b: breaker_open_ms_max: expected at least breaker_open_ms"},
        {good + bank + "timeout_ms = 500\ndeadline_ms = 499\n",
         "f.toml: [[connector]] b: deadline_ms: expected at least timeout_ms"},
        {good + bank + "breaker_probe = 1\n",
         "f.toml:13: [[connector]] breaker_probe: unknown setting; did you mean breaker_probes"},
        {good + "[[connector]]\nname = \"a\"\nrail = \"iso8583\"\nport = 1\nmac = \"des\"\n",
         "f.toml:13: [[connector]] mac: expected one of \"none\", \"aes-cmac\", \"tdes-cmac\", "
         "\"x9.19\""},
        {good + "[[connector]]\nname = \"a\"\nrail = \"iso8583\"\nport = 1\nmac = \"x9.19\"\n",
         "f.toml: [[connector]] a: mac_key_file: belongs to"},
        {good + "[[connector]]\nname = \"a\"\nrail = \"iso8583\"\nport = 1\nmac_key_file = "
                "\"/k\"\n",
         "f.toml: [[connector]] a: mac_key_file: belongs to"},
        {good +
             "[[connector]]\nname = \"a\"\nrail = \"iso8583\"\nport = 1\nmac_key_grace_ms = -1\n",
         "f.toml:13: [[connector]] mac_key_grace_ms: expected an integer from 0 to 3600000"},
        {good + "[connector]\nname = \"a\"\n", "f.toml:9: connector: expected [[connector]]"},
        {good + merchant + "country = \"de\"\n",
         "f.toml:12: [[merchant]] country: expected two capital letters"},
        {good + merchant + "default_currency = \"EUX\"\n",
         "f.toml:12: [[merchant]] default_currency: expected an ISO 4217 code"},
        {good + merchant + "iban = \"DE89370400440532013001\"\n",
         "f.toml:12: [[merchant]] iban: expected an IBAN"},
        {good + merchant + "category_code = \"59\"\n",
         "f.toml:12: [[merchant]] category_code: expected four digits"},
        {good + merchant + "terminal_id = \"123456789\"\n",
         "f.toml:12: [[merchant]] terminal_id: expected 1 to 8"},
        {good + merchant + "fee_basis_points = 10001\n",
         "f.toml:12: [[merchant]] fee_basis_points: expected an integer from 0 to 10000"},
        {good + merchant + merchant, "f.toml:12: [[merchant]] acct_a: is there already"},
        {good + "[[merchant]]\nid = \"a/b\"\nname = \"A\"\n",
         "f.toml:10: [[merchant]] id: expected letters"},
        {good + "[server]\n", "f.toml:9: "},
        {"data_dir = \"/d\n", "f.toml:1: "},
        {good + "\xff\n", "f.toml:"},
    };
    for (Row const& row : rows) {
        CAPTURE(row.text);
        CHECK(starts(error_of(row.text), row.error));
    }
    for (char const* listen :
         {"",
          "8443",
          "localhost:1",
          "1.2.3.4",
          "1.2.3.4:",
          "1.2.3.4:70000",
          "1.2.3.4:x",
          ":1",
          "[::1]:-1"}) {
        std::string text = good;
        text.replace(text.find("tls_key"), 0, "listen = \"" + std::string{listen} + "\"\n");
        CHECK(starts(error_of(text), "f.toml:5: [server] listen: expected \"ADDRESS:PORT\""));
    }
    for (char const* listen : {"127.0.0.1:0", "[::1]:8443", "0.0.0.0:65535", "::1:8443"}) {
        std::string text = good;
        text.replace(text.find("tls_key"), 0, "listen = \"" + std::string{listen} + "\"\n");
        CHECK(error_of(text).empty());
    }
}

TEST_CASE("a file that cannot be read is named") {
    auto const loaded = config::load("/nowhere/f.toml");
    REQUIRE(!loaded.has_value());
    CHECK(loaded.error().context == "/nowhere/f.toml: cannot read the configuration");
    CHECK(!config::load("/").has_value());
}
