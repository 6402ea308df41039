#include "tools/florin/command_line/command_line.h"

#include <CLI/CLI.hpp>

#include <map>

namespace florin::tools {

void add_data_dir(CLI::App* command, CommandLine& run) {
    command->add_option("--data-dir", run.data_dir, "The data directory")->required();
}

void add_daemon(CLI::App* command, CommandLine& run) {
    auto& daemon = run.daemon;
    command->add_option("--data-dir", daemon.data_dir, "The data directory of a daemon here");
    command->add_option("--url", daemon.url, "Its admin listener, https://HOST:PORT");
    command->add_option("--ca", daemon.ca_file, "The authority its certificate is from, PEM");
    command->add_option(
        "--admin-key-file", daemon.admin_key_file, "The admin key; without it FLORIN_ADMIN_KEY"
    );
    command->add_option("--mode", daemon.mode, "test or live, where there are both");
}

void add_platform(CLI::App* command, CommandLine& run) {
    add_daemon(command, run);
    command->remove_option(command->get_option("--mode"));
}

void add_format(CLI::App* command, CommandLine& run) {
    static std::map<std::string, Format> const names{
        {"table", Format::table}, {"json", Format::json}, {"csv", Format::csv}
    };
    command->add_option("--format", run.format, "table, json or csv")
        ->transform(CLI::CheckedTransformer(names))
        ->option_text("table|json|csv");
}

}  // namespace florin::tools
