// florin: the operator's tool. Each command says in one line what it reads or changes.
#include "ledger/base/large_memory.h"
#include "tools/florin/command_line/command_line.h"

#include <CLI/CLI.hpp>

namespace tools = florin::tools;

int main(int argc, char** argv) {
    florin::keep_freed_memory();
    CLI::App app{"florin: operate a Florin payment switch and its ledger", "florin"};
    app.set_version_flag("--version", "florin " FLORIN_VERSION);
    app.require_subcommand(1);
    tools::CommandLine run;
    tools::add_ledger(app, run);
    tools::add_attempts(app, run);
    tools::add_route(app, run);
    tools::add_settle(app, run);
    tools::add_recon(app, run);
    tools::add_totals(app, run);
    tools::add_merchant(app, run);
    tools::add_keys(app, run);
    tools::add_bench(app, run);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        // CLI11 has a code for each kind; ours is 2 for wrong use, 0 for --help.
        return app.exit(error) == 0 ? tools::kDone : tools::kCouldNotRun;
    }
    return run.exit_code;
}
