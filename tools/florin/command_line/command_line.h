// The command line of `florin`: each file has the commands of one or a few groups, this one what
// they share. Thread rule: one thread.
#pragma once

#include "tools/florin/admin_client.h"
#include "tools/florin/output.h"

#include <string>

namespace CLI {
class App;
}

namespace florin::tools {

// What was said, of that what many commands take, and what the chosen command answered.
struct CommandLine {
    std::string data_dir;
    DaemonOptions daemon;
    Format format = Format::table;
    int exit_code = kDone;
};

// For what opens the directory itself.
void add_data_dir(CLI::App* command, CommandLine& run);
// For what needs a running daemon.
void add_daemon(CLI::App* command, CommandLine& run);
// The same for what concerns both modes.
void add_platform(CLI::App* command, CommandLine& run);
void add_format(CLI::App* command, CommandLine& run);

// Each adds `florin <group> …`; `run` outlives the application.
void add_ledger(CLI::App& app, CommandLine& run);
void add_attempts(CLI::App& app, CommandLine& run);
void add_route(CLI::App& app, CommandLine& run);
void add_settle(CLI::App& app, CommandLine& run);
void add_recon(CLI::App& app, CommandLine& run);
void add_totals(CLI::App& app, CommandLine& run);
void add_merchant(CLI::App& app, CommandLine& run);
void add_keys(CLI::App& app, CommandLine& run);
void add_bench(CLI::App& app, CommandLine& run);

}  // namespace florin::tools
