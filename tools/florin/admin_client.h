// The way from the tool to a running daemon: HTTPS to /admin/v1, with an admin key.
//
// Where the daemon is and which certificate it must show come from --url and --ca, or from
// D/run.json where --data-dir D is given. The key comes from FLORIN_ADMIN_KEY, from
// --admin-key-file, or, for a development directory, from D/dev.json. Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"
#include "ledger/base/secret.h"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace florin::tools {

struct DaemonOptions {
    std::string data_dir;
    std::string url;             // "https://127.0.0.1:9443"
    std::string ca_file;         // PEM
    std::string admin_key_file;  // one line
    std::string mode;            // "test", "live"; empty: the only one there is
};

// What a command is about: one mode, or what both share (merchants and keys).
enum class Scope { mode, platform };

// An id as one part of a path, whatever it holds.
std::string path_part(std::string_view id);

class AdminClient {
public:
    // Errc::not_found: no daemon is running there; Errc::refused: there is no key.
    static Result<std::unique_ptr<AdminClient>> connect(
        DaemonOptions const& options, Scope scope = Scope::mode
    );

    AdminClient() = default;
    AdminClient(AdminClient const&) = delete;
    AdminClient& operator=(AdminClient const&) = delete;
    virtual ~AdminClient() = default;

    // `path` below /admin/v1/<mode>, or below /admin/v1 for the platform. A refusal of the daemon
    // is an Error with its words.
    virtual Result<nlohmann::ordered_json> get(std::string const& path) = 0;
    virtual Result<nlohmann::ordered_json> post(
        std::string const& path, nlohmann::ordered_json const& body
    ) = 0;
    // Starts a job and waits for its end, with a progress bar under `title`.
    virtual Result<nlohmann::ordered_json> run_job(
        std::string const& path, std::string const& title
    ) = 0;
};

}  // namespace florin::tools
