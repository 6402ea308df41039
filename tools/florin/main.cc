// florin: the operator's tool. Each command says in one line what it reads or changes.
#include "tools/florin/attempts.h"
#include "tools/florin/ledger_commands.h"

#include <CLI/CLI.hpp>

#include <map>
#include <string>

namespace {

using florin::tools::Format;

struct Options {
    std::string data_dir;
    std::string id;
    bool manual_clock = false;
    bool unknown_only = false;
    Format format = Format::table;
};

void add_data_dir(CLI::App* command, Options& options) {
    command->add_option("--data-dir", options.data_dir, "The data directory")->required();
}

void add_format(CLI::App* command, Options& options) {
    static std::map<std::string, Format> const names{
        {"table", Format::table}, {"json", Format::json}, {"csv", Format::csv}
    };
    command->add_option("--format", options.format, "table, json or csv")
        ->transform(CLI::CheckedTransformer(names))
        ->option_text("table|json|csv");
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"florin: operate a Florin payment switch and its ledger", "florin"};
    app.require_subcommand(1);
    Options options;
    int exit_code = florin::tools::kDone;

    CLI::App* const ledger = app.add_subcommand("ledger", "The double-entry ledger");
    ledger->require_subcommand(1);

    CLI::App* const exec = ledger->add_subcommand(
        "exec", "Run the kernel on standard input, one JSON request a line; writes the directory"
    );
    add_data_dir(exec, options);
    exec->add_flag(
        "--manual-clock", options.manual_clock, "Time starts at 0 and moves by advance_clock only"
    );
    exec->callback([&] {
        exit_code = florin::tools::ledger_exec(options.data_dir, options.manual_clock);
    });

    CLI::App* const verify = ledger->add_subcommand(
        "verify", "Re-read everything, recompute the chain, rebuild and compare; changes nothing"
    );
    add_data_dir(verify, options);
    add_format(verify, options);
    verify->callback([&] {
        exit_code = florin::tools::ledger_verify(options.data_dir, options.format);
    });

    CLI::App* const balances =
        ledger->add_subcommand("balances", "Balances of every account; changes nothing");
    add_data_dir(balances, options);
    add_format(balances, options);
    balances->callback([&] {
        exit_code = florin::tools::ledger_balances(options.data_dir, options.format);
    });

    CLI::App* const trial = ledger->add_subcommand(
        "trial-balance", "Sums of debits and credits per ledger; changes nothing"
    );
    add_data_dir(trial, options);
    add_format(trial, options);
    trial->callback([&] {
        exit_code = florin::tools::ledger_trial_balance(options.data_dir, options.format);
    });

    CLI::App* const attempts =
        app.add_subcommand("attempts", "What was tried at banks, and what is known of it");
    attempts->require_subcommand(1);

    CLI::App* const list = attempts->add_subcommand("list", "Every attempt; changes nothing");
    add_data_dir(list, options);
    add_format(list, options);
    list->add_flag("--unknown", options.unknown_only, "Only those whose outcome is not final");
    list->callback([&] {
        exit_code =
            florin::tools::attempts_list(options.data_dir, options.unknown_only, options.format);
    });

    CLI::App* const show = attempts->add_subcommand(
        "show", "One attempt with its identity and evidence; changes nothing"
    );
    add_data_dir(show, options);
    add_format(show, options);
    show->add_option("attempt", options.id, "The attempt's id, at_…")->required();
    show->callback([&] {
        exit_code = florin::tools::attempts_show(options.data_dir, options.id, options.format);
    });

    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        int const code = app.exit(error);
        return code == 0 ? florin::tools::kDone : florin::tools::kCouldNotRun;
    }
    return exit_code;
}
