#include "tools/florin/keys.h"

#include "tools/florin/first_key.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>

namespace florin::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// "payment_intents=read" and "ledger=write"
Result<std::map<std::string, std::string>> rights_of(std::vector<std::string> const& texts) {
    std::map<std::string, std::string> rights;
    for (std::string const& text : texts) {
        auto const sign = text.find('=');
        std::string const access = sign == std::string::npos ? "" : text.substr(sign + 1);
        if (sign == 0 || (access != "read" && access != "write")) {
            return fail(
                Errc::malformed, "--right " + text + ": expected RESOURCE=read or RESOURCE=write"
            );
        }
        if (!rights.emplace(text.substr(0, sign), access).second) {
            return fail(Errc::malformed, "--right " + text.substr(0, sign) + ": is given twice");
        }
    }
    return rights;
}

std::string rights_text(ordered_json const& key) {
    auto const rights = key.value("rights", ordered_json::object());
    std::string text;
    for (auto const& [resource, access] : rights.items()) {
        text += (text.empty() ? "" : " ") + resource + "=" + access.get<std::string>();
    }
    bool const has_all = text.empty() && text_of(key, "kind") == "admin";
    return has_all ? "*=write" : text;
}

// What is answered once: for machines as it is, for people with a warning beside it.
int print_new_key(Result<ordered_json> const& key, Format format) {
    if (!key) {
        return report_error(key.error());
    }
    if (format == Format::json) {
        fmt::print("{}\n", key->dump(2));
        return kDone;
    }
    Table table{{"id", "kind", "mode", "merchant", "name", "rights", "key"}};
    table.add(
        {text_of(*key, "id"),
         text_of(*key, "kind"),
         text_of(*key, "mode"),
         text_of(*key, "merchant"),
         text_of(*key, "name"),
         rights_text(*key),
         text_of(*key, "key")}
    );
    if (format == Format::csv) {
        table.print(format);
        return kDone;
    }
    fmt::print(
        "{} key {}, mode {}{}{}\n",
        text_of(*key, "kind"),
        text_of(*key, "id"),
        text_of(*key, "mode"),
        text_of(*key, "merchant").empty() ? "" : ", merchant " + text_of(*key, "merchant"),
        text_of(*key, "name").empty() ? "" : ", of " + text_of(*key, "name")
    );
    if (!rights_text(*key).empty()) {
        fmt::print("rights {}\n", rights_text(*key));
    }
    fmt::print("\n  {}\n\n", text_of(*key, "key"));
    fmt::print("It is shown this once and stored only as a hash: put it where it is needed now.\n");
    return kDone;
}

int print_keys(ordered_json const& keys, bool all, Format format) {
    if (format == Format::json) {
        ordered_json shown = ordered_json::array();
        for (auto const& key : keys) {
            if (all || text_of(key, "state") == "active") {
                shown.push_back(key);
            }
        }
        fmt::print("{}\n", shown.dump(2));
        return kDone;
    }
    Table table{
        {"id",
         "kind",
         "mode",
         "merchant",
         "name",
         "state",
         "rights",
         ">created",
         "created_by",
         ">expires",
         ">per_second",
         ">burst",
         ">in_flight"}
    };
    auto const number = [](ordered_json const& key, char const* name) {
        std::string const text = text_of(key, name);
        return text == "0" ? std::string{} : text;
    };
    for (auto const& key : keys) {
        if (!all && text_of(key, "state") != "active") {
            continue;
        }
        table.add(
            {text_of(key, "id"),
             text_of(key, "kind"),
             text_of(key, "mode"),
             text_of(key, "merchant"),
             text_of(key, "name"),
             text_of(key, "state"),
             rights_text(key),
             text_of(key, "created"),
             text_of(key, "created_by"),
             number(key, "expires"),
             number(key, "requests_per_second"),
             number(key, "burst_requests"),
             number(key, "in_flight_max")}
        );
    }
    table.print(format);
    return kDone;
}

void add_number(ordered_json& body, char const* name, std::int64_t value) {
    if (value >= 0) {
        body[name] = value;
    }
}

ordered_json request_of(KeyOptions const& options) {
    ordered_json body = {
        {"kind",
         options.is_admin          ? "admin"
         : !options.kind.empty()   ? options.kind
         : !options.rights.empty() ? "restricted"
                                   : "secret"}
    };
    auto const add_text = [&](char const* name, std::string const& value) {
        if (!value.empty()) {
            body[name] = value;
        }
    };
    add_text("merchant", options.merchant);
    add_text("name", options.name);
    add_text("mode", options.mode);
    if (!options.is_admin && options.mode.empty()) {
        body["mode"] = "test";
    }
    add_number(body, "expires_in_s", options.expires_in_s);
    add_number(body, "requests_per_second", options.requests_per_second);
    add_number(body, "burst_requests", options.burst_requests);
    add_number(body, "in_flight_max", options.in_flight_max);
    return body;
}

// Whether to do without a daemon: asked for, or none runs on a directory that has its own key file.
std::string offline_key_file(DaemonOptions const& daemon, KeyOptions const& options) {
    if (!options.vault_key_file.empty() || daemon.data_dir.empty() || !daemon.url.empty()) {
        return options.vault_key_file;
    }
    std::error_code ignored;
    fs::path const folder{daemon.data_dir};
    fs::path const own = folder / "vault.key";
    bool const is_running = fs::exists(folder / "run.json", ignored);
    return options.is_admin && !is_running && fs::exists(own, ignored) ? own.string() : "";
}

int create_offline(
    DaemonOptions const& daemon,
    KeyOptions const& options,
    std::string const& key_file,
    Format format
) {
    auto const wrong = [](std::string text) {
        return report_error({Errc::malformed, std::move(text)});
    };
    auto const rights = rights_of(options.rights);
    if (!rights) {
        return report_error(rights.error());
    }
    if (!options.is_admin) {
        return wrong("--vault-key makes admin keys only: give --admin, or leave it out");
    }
    if (daemon.data_dir.empty()) {
        return wrong("--vault-key needs --data-dir: the directory that the key is for");
    }
    if (!options.mode.empty()) {
        return wrong("--mode: an admin key has none");
    }
    if (options.expires_in_s >= 0) {
        return wrong("--expires-in-s: is for keys that a daemon makes");
    }
    if (std::max({options.requests_per_second, options.burst_requests, options.in_flight_max}) >=
        0) {
        return wrong("a key's own limits: are for keys that a daemon makes");
    }
    FirstKey const wanted{
        .data_dir = daemon.data_dir,
        .vault_key_file = key_file,
        .name = options.name,
        .rights = *rights,
    };
    return print_new_key(make_first_key(wanted), format);
}

}  // namespace

int keys_create(DaemonOptions const& daemon, KeyOptions const& options, Format format) {
    if (auto const file = offline_key_file(daemon, options); !file.empty()) {
        return create_offline(daemon, options, file, format);
    }
    auto const rights = rights_of(options.rights);
    if (!rights) {
        return report_error(rights.error());
    }
    ordered_json body = request_of(options);
    if (!rights->empty()) {
        body["rights"] = *rights;
    }
    auto client = AdminClient::connect(daemon, Scope::platform);
    if (!client) {
        int const code = report_error(client.error());
        if (options.is_admin && client.error().code == Errc::not_found) {
            std::fputs(
                "florin: for the first admin key, before the daemon runs, give --vault-key FILE as "
                "well: the file that [vault] key_file names\n",
                stderr
            );
        }
        return code;
    }
    return print_new_key((*client)->post("/keys", body), format);
}

int keys_list(DaemonOptions const& daemon, bool all, Format format) {
    auto client = AdminClient::connect(daemon, Scope::platform);
    if (!client) {
        return report_error(client.error());
    }
    auto const keys = (*client)->get("/keys");
    if (!keys) {
        return report_error(keys.error());
    }
    return print_keys(*keys, all, format);
}

int keys_roll(DaemonOptions const& daemon, RollOptions const& options, Format format) {
    auto client = AdminClient::connect(daemon, Scope::platform);
    if (!client) {
        return report_error(client.error());
    }
    ordered_json body = ordered_json::object();
    add_number(body, "overlap_s", options.overlap_s);
    add_number(body, "expires_in_s", options.expires_in_s);
    return print_new_key((*client)->post("/keys/" + path_part(options.id) + "/roll", body), format);
}

int keys_revoke(DaemonOptions const& daemon, std::string const& id, Format format) {
    auto client = AdminClient::connect(daemon, Scope::platform);
    if (!client) {
        return report_error(client.error());
    }
    auto const key = (*client)->post("/keys/" + path_part(id) + "/revoke", ordered_json::object());
    if (!key) {
        return report_error(key.error());
    }
    return print_keys(ordered_json::array({*key}), true, format);
}

}  // namespace florin::tools
