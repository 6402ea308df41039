// The command lines of `florin settle`, `recon` and `totals`.
#include "tools/florin/command_line/command_line.h"
#include "tools/florin/recon.h"
#include "tools/florin/settle.h"
#include "tools/florin/totals.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

namespace florin::tools {
namespace {

// What was said to these commands alone; lives as long as they do.
struct SettlementSaid {
    std::string id;
    std::string file;
    bool all = false;
    int limit = 100;
};
using SettlementSaidPointer = std::shared_ptr<SettlementSaid>;

}  // namespace

void add_settle(CLI::App& app, CommandLine& run) {
    auto const said = std::make_shared<SettlementSaid>();
    CLI::App* const settle = app.add_subcommand("settle", "Pay out what merchants have earned");
    settle->require_subcommand(1);

    CLI::App* const start = settle->add_subcommand(
        "run", "Make money available, pay it out and hand over the payout file; posts"
    );
    add_daemon(start, run);
    add_format(start, run);
    start->callback([&run] { run.exit_code = settle_run(run.daemon, run.format); });

    CLI::App* const status =
        settle->add_subcommand("status", "The settlement batches, newest first; changes nothing");
    add_daemon(status, run);
    add_format(status, run);
    status->callback([&run] { run.exit_code = settle_status(run.daemon, run.format); });

    CLI::App* const show =
        settle->add_subcommand("show", "One batch with its payouts; changes nothing");
    add_daemon(show, run);
    add_format(show, run);
    show->add_option("batch", said->id, "The batch's id, stl-…")->required();
    show->callback([said, &run] { run.exit_code = settle_show(run.daemon, said->id, run.format); });
}

void add_recon(CLI::App& app, CommandLine& run) {
    auto const said = std::make_shared<SettlementSaid>();
    CLI::App* const recon =
        app.add_subcommand("recon", "Compare the books with what acquirers and banks say");
    recon->require_subcommand(1);

    CLI::App* const import = recon->add_subcommand(
        "import", "Take in an acquirer's report or a bank's statement; stores, posts nothing"
    );
    add_daemon(import, run);
    add_format(import, run);
    import->add_option("file", said->file, "The report (CSV) or statement (camt.053)")->required();
    import->callback([said, &run] {
        run.exit_code = recon_import(run.daemon, said->file, run.format);
    });

    CLI::App* const start = recon->add_subcommand(
        "run", "Match what was imported, post what matches, list what does not; posts"
    );
    add_daemon(start, run);
    add_format(start, run);
    start->callback([&run] { run.exit_code = recon_run(run.daemon, run.format); });

    CLI::App* const breaks =
        recon->add_subcommand("breaks", "Differences that nobody has explained; changes nothing");
    add_daemon(breaks, run);
    add_format(breaks, run);
    breaks->add_flag("--all", said->all, "Those that were resolved too");
    breaks->callback([said, &run] {
        run.exit_code = recon_breaks(run.daemon, said->all, run.format);
    });
}

void add_totals(CLI::App& app, CommandLine& run) {
    auto const said = std::make_shared<SettlementSaid>();
    CLI::App* const totals =
        app.add_subcommand("totals", "Totals of business dates that were compared with banks");
    totals->require_subcommand(1);
    CLI::App* const list = totals->add_subcommand(
        "list", "What banks said to our totals, the newest date first; changes nothing"
    );
    add_daemon(list, run);
    add_format(list, run);
    list->add_option("--connector", said->id, "Only this one's");
    list->add_option("--limit", said->limit, "How many at most")
        ->check(CLI::Range(1, 1'000))
        ->capture_default_str();
    list->callback([said, &run] {
        run.exit_code = totals_list(run.daemon, said->id, said->limit, run.format);
    });
}

}  // namespace florin::tools
