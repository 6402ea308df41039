// florin: the operator's tool. Each command says in one line what it reads or changes.
#include "ledger/base/large_memory.h"
#include "tools/florin/attempts.h"
#include "tools/florin/bench/api_bench.h"
#include "tools/florin/bench/ledger_bench.h"
#include "tools/florin/bench/switch_bench.h"
#include "tools/florin/keys.h"
#include "tools/florin/ledger_commands.h"
#include "tools/florin/ledger_export.h"
#include "tools/florin/merchant.h"
#include "tools/florin/recon.h"
#include "tools/florin/route.h"
#include "tools/florin/settle.h"
#include "tools/florin/totals.h"

#include <CLI/CLI.hpp>

#include <map>
#include <string>

namespace {

using florin::tools::Format;
namespace tools = florin::tools;

// What the command line said, and what the chosen command answered.
struct Run {
    std::string data_dir;
    std::string id;
    std::string file;
    std::string resolution;
    std::string outcome;
    std::string reason;
    tools::RouteChange route;
    tools::DaemonOptions daemon;
    tools::MerchantOptions merchant;
    tools::KeyOptions key;
    tools::RollOptions roll;
    std::string at;
    tools::StatementOptions statement;
    tools::LedgerBenchOptions bench;
    tools::ApiBenchOptions api_bench;
    tools::SwitchBenchOptions switch_bench;
    tools::VerifyOptions verify;
    tools::ExportOptions books;
    std::string key_file;
    bool sign = false;
    bool manual_clock = false;
    bool unknown_only = false;
    bool all = false;
    int limit = 100;
    Format format = Format::table;
    int exit_code = tools::kDone;
};

// For what opens the directory itself.
void add_data_dir(CLI::App* command, Run& run) {
    command->add_option("--data-dir", run.data_dir, "The data directory")->required();
}

// For what needs a running daemon.
void add_daemon(CLI::App* command, Run& run) {
    auto& daemon = run.daemon;
    command->add_option("--data-dir", daemon.data_dir, "The data directory of a daemon here");
    command->add_option("--url", daemon.url, "Its admin listener, https://HOST:PORT");
    command->add_option("--ca", daemon.ca_file, "The authority its certificate is from, PEM");
    command->add_option(
        "--admin-key-file", daemon.admin_key_file, "The admin key; without it FLORIN_ADMIN_KEY"
    );
    command->add_option("--mode", daemon.mode, "test or live, where there are both");
}

void add_moment(CLI::App* command, Run& run) {
    command->add_option(
        "--at", run.at, "As of 2026-11-25 (its end), 2026-11-25T07:00:00Z or nanoseconds; else now"
    );
}

void add_format(CLI::App* command, Run& run) {
    static std::map<std::string, Format> const names{
        {"table", Format::table}, {"json", Format::json}, {"csv", Format::csv}
    };
    command->add_option("--format", run.format, "table, json or csv")
        ->transform(CLI::CheckedTransformer(names))
        ->option_text("table|json|csv");
}

void add_ledger_proofs(CLI::App* ledger, Run& run) {
    CLI::App* const verify = ledger->add_subcommand(
        "verify", "Re-read everything, recompute the hashes and compare all views; changes nothing"
    );
    add_data_dir(verify, run);
    add_format(verify, run);
    auto* const head_option = verify->add_option(
        "--head", run.verify.pinned.head, "A signed head that must be in this history"
    );
    verify->add_option("--public-key", run.verify.pinned.public_key, "Whose it must be, PEM")
        ->needs(head_option);
    verify->add_flag("--only-head", run.verify.only_head, "Check that head and nothing more")
        ->needs(head_option);
    verify->callback([&] {
        run.exit_code = tools::ledger_verify(run.data_dir, run.verify, run.format);
    });

    CLI::App* const head = ledger->add_subcommand(
        "head", "The journal's last record, to be kept outside; changes nothing"
    );
    add_data_dir(head, run);
    add_format(head, run);
    auto* const sign = head->add_flag("--sign", run.sign, "Print it as signed JSON");
    auto* const key =
        head->add_option("--key", run.key_file, "An Ed25519 private key, PEM, mode 0600");
    sign->needs(key);
    key->needs(sign);
    head->callback([&] {
        run.exit_code = tools::ledger_head(run.data_dir, run.key_file, run.format);
    });
}

void add_ledger_export(CLI::App* ledger, Run& run) {
    static std::map<std::string, tools::ExportFormat> const names{
        {"hledger", tools::ExportFormat::hledger},
        {"beancount", tools::ExportFormat::beancount},
        {"jsonl", tools::ExportFormat::jsonl},
    };
    CLI::App* const books = ledger->add_subcommand(
        "export", "Everything up to a record, for other programs; changes nothing in the directory"
    );
    add_data_dir(books, run);
    books
        ->add_option(
            "--format", run.books.format, "hledger (ledger reads it too), beancount, jsonl"
        )
        ->transform(CLI::CheckedTransformer(names))
        ->option_text("hledger|beancount|jsonl")
        ->required();
    books->add_option("--to", run.books.to, "The last record; without it the head");
    books->add_option("--output", run.books.output, "A file that appears whole or not at all");
    books->callback([&] { run.exit_code = tools::ledger_export(run.data_dir, run.books); });
}

void add_ledger(CLI::App& app, Run& run) {
    CLI::App* const ledger = app.add_subcommand("ledger", "The double-entry ledger");
    ledger->require_subcommand(1);

    CLI::App* const exec = ledger->add_subcommand(
        "exec", "Run the kernel on standard input, one JSON request a line; writes the directory"
    );
    add_data_dir(exec, run);
    exec->add_flag(
        "--manual-clock", run.manual_clock, "Time starts at 0 and moves by advance_clock only"
    );
    exec->callback([&] { run.exit_code = tools::ledger_exec(run.data_dir, run.manual_clock); });

    add_ledger_proofs(ledger, run);
    add_ledger_export(ledger, run);

    CLI::App* const balances =
        ledger->add_subcommand("balances", "Balances of every account; changes nothing");
    add_data_dir(balances, run);
    add_moment(balances, run);
    add_format(balances, run);
    balances->callback([&] {
        run.exit_code = tools::ledger_balances(run.data_dir, run.at, run.format);
    });

    CLI::App* const trial = ledger->add_subcommand(
        "trial-balance", "Debits and credits of each ledger number; changes nothing"
    );
    add_data_dir(trial, run);
    add_moment(trial, run);
    add_format(trial, run);
    trial->callback([&] {
        run.exit_code = tools::ledger_trial_balance(run.data_dir, run.at, run.format);
    });

    CLI::App* const statement = ledger->add_subcommand(
        "statement", "An account's opening balances, movements and closing ones; changes nothing"
    );
    add_data_dir(statement, run);
    add_format(statement, run);
    statement->add_option("account", run.statement.account, "The account's id")->required();
    statement->add_option("--from", run.statement.from, "A date or moment; else the beginning");
    statement->add_option("--to", run.statement.to, "The last date or moment; else now");
    statement->callback([&] {
        run.statement.format = run.format;
        run.exit_code = tools::ledger_statement(run.data_dir, run.statement);
    });
}

void add_attempt_decisions(CLI::App* attempts, Run& run) {
    CLI::App* const resolve = attempts->add_subcommand(
        "resolve",
        "Propose what became of an attempt, or confirm another person's proposal; then posts"
    );
    add_daemon(resolve, run);
    add_format(resolve, run);
    resolve->add_option("attempt", run.id, "The attempt's id, at_…")->required();
    resolve->add_option("--outcome", run.outcome, "approved, declined or reversed")->required();
    resolve->add_option("--reason", run.reason, "How it is known")->required();
    resolve->callback([&] {
        run.exit_code =
            tools::attempts_resolve(run.daemon, run.id, run.outcome, run.reason, run.format);
    });
    static constexpr std::pair<char const*, char const*> kVerbs[] = {
        {"confirm", "Confirm another person's proposal; posts what follows"},
        {"withdraw", "Withdraw a proposal that nobody has confirmed"},
    };
    for (auto const& [name, help] : kVerbs) {
        CLI::App* const decide = attempts->add_subcommand(name, help);
        add_daemon(decide, run);
        add_format(decide, run);
        decide->add_option("attempt", run.id, "The attempt's id, at_…")->required();
        decide->add_option("resolution", run.resolution, "The proposal's id, rs_…")->required();
        decide->add_option("--reason", run.reason, "Why");
        decide->callback([&run, verb = std::string{name}] {
            run.exit_code = tools::attempts_decide(
                run.daemon,
                {.attempt = run.id, .resolution = run.resolution, .verb = verb, .reason = run.reason
                },
                run.format
            );
        });
    }
}

void add_route(CLI::App& app, Run& run) {
    CLI::App* const route =
        app.add_subcommand("route", "Which connectors new payments go through, in which order");
    route->require_subcommand(1);

    CLI::App* const list =
        route->add_subcommand("list", "Connectors as they are tried; changes nothing");
    add_daemon(list, run);
    add_format(list, run);
    list->callback([&] { run.exit_code = tools::route_list(run.daemon, run.format); });

    CLI::App* const set = route->add_subcommand(
        "set", "Enable or disable a connector for new payments, or give it another priority"
    );
    add_daemon(set, run);
    add_format(set, run);
    set->add_option("connector", run.route.connector, "The connector's name")->required();
    auto* const enable = set->add_flag("--enable", run.route.enable, "New payments may use it");
    set->add_flag("--disable", run.route.disable, "New payments go past it")->excludes(enable);
    set->add_option(
        "--priority", run.route.priority, "Lower is tried first; -1: only where a payment names it"
    );
    set->add_option("--reason", run.route.reason, "Why")->required();
    set->callback([&] { run.exit_code = tools::route_set(run.daemon, run.route, run.format); });
}

void add_attempts(CLI::App& app, Run& run) {
    CLI::App* const attempts =
        app.add_subcommand("attempts", "What was tried at banks, and what is known of it");
    attempts->require_subcommand(1);

    CLI::App* const list = attempts->add_subcommand(
        "list", "Every attempt; reads --data-dir by itself, or asks --url; changes nothing"
    );
    add_daemon(list, run);
    add_format(list, run);
    list->add_flag("--unknown", run.unknown_only, "Only those whose outcome is not final");
    list->callback([&] {
        run.exit_code =
            run.daemon.url.empty()
                ? tools::attempts_list(run.daemon.data_dir, run.unknown_only, run.format)
                : tools::attempts_list(run.daemon, run.unknown_only, run.format);
    });

    CLI::App* const show = attempts->add_subcommand(
        "show",
        "One attempt with its identity and evidence; from where list has it; changes nothing"
    );
    add_daemon(show, run);
    add_format(show, run);
    show->add_option("attempt", run.id, "The attempt's id, at_…")->required();
    show->callback([&] {
        run.exit_code = run.daemon.url.empty()
                            ? tools::attempts_show(run.daemon.data_dir, run.id, run.format)
                            : tools::attempts_show(run.daemon, run.id, run.format);
    });
    add_attempt_decisions(attempts, run);
}

void add_settle(CLI::App& app, Run& run) {
    CLI::App* const settle = app.add_subcommand("settle", "Pay out what merchants have earned");
    settle->require_subcommand(1);

    CLI::App* const start = settle->add_subcommand(
        "run", "Make money available, pay it out and hand over the payout file; posts"
    );
    add_daemon(start, run);
    add_format(start, run);
    start->callback([&] { run.exit_code = tools::settle_run(run.daemon, run.format); });

    CLI::App* const status =
        settle->add_subcommand("status", "The settlement batches, newest first; changes nothing");
    add_daemon(status, run);
    add_format(status, run);
    status->callback([&] { run.exit_code = tools::settle_status(run.daemon, run.format); });

    CLI::App* const show =
        settle->add_subcommand("show", "One batch with its payouts; changes nothing");
    add_daemon(show, run);
    add_format(show, run);
    show->add_option("batch", run.id, "The batch's id, stl-…")->required();
    show->callback([&] { run.exit_code = tools::settle_show(run.daemon, run.id, run.format); });
}

void add_recon(CLI::App& app, Run& run) {
    CLI::App* const recon =
        app.add_subcommand("recon", "Compare the books with what acquirers and banks say");
    recon->require_subcommand(1);

    CLI::App* const import = recon->add_subcommand(
        "import", "Take in an acquirer's report or a bank's statement; stores, posts nothing"
    );
    add_daemon(import, run);
    add_format(import, run);
    import->add_option("file", run.file, "The report (CSV) or statement (camt.053)")->required();
    import->callback([&] { run.exit_code = tools::recon_import(run.daemon, run.file, run.format); }
    );

    CLI::App* const start = recon->add_subcommand(
        "run", "Match what was imported, post what matches, list what does not; posts"
    );
    add_daemon(start, run);
    add_format(start, run);
    start->callback([&] { run.exit_code = tools::recon_run(run.daemon, run.format); });

    CLI::App* const breaks =
        recon->add_subcommand("breaks", "Differences that nobody has explained; changes nothing");
    add_daemon(breaks, run);
    add_format(breaks, run);
    breaks->add_flag("--all", run.all, "Those that were resolved too");
    breaks->callback([&] { run.exit_code = tools::recon_breaks(run.daemon, run.all, run.format); });
}

void add_totals(CLI::App& app, Run& run) {
    CLI::App* const totals =
        app.add_subcommand("totals", "Totals of business dates that were compared with banks");
    totals->require_subcommand(1);
    CLI::App* const list = totals->add_subcommand(
        "list", "What banks said to our totals, the newest date first; changes nothing"
    );
    add_daemon(list, run);
    add_format(list, run);
    list->add_option("--connector", run.id, "Only this one's");
    list->add_option("--limit", run.limit, "How many at most")
        ->check(CLI::Range(1, 1'000))
        ->capture_default_str();
    list->callback([&] {
        run.exit_code = tools::totals_list(run.daemon, run.id, run.limit, run.format);
    });
}

void add_api_bench(CLI::App* bench, Run& run) {
    CLI::App* const api = bench->add_subcommand(
        "api", "The merchant API over TLS beside a server that does nothing; starts a florind"
    );
    auto& options = run.api_bench;
    api->add_option("--workload", options.workload, tools::api_workload_names());
    api->add_option("--url", options.url, "A florind that runs, in place of one of its own");
    api->add_option("--ca", options.ca_file, "The authority its certificate is from, PEM");
    api->add_option(
        "--data-dir", options.data_dir, "An empty directory to keep; else one is made and removed"
    );
    api->add_option("--connections", options.connections, "Each with one request under way")
        ->check(CLI::Range(1, 10'000));
    api->add_option("--seconds", options.seconds, "How long each workload is measured");
    api->add_option("--idle-connections", options.idle_connections, "For the workload idle");
    add_format(api, run);
    api->callback([&] {
        run.api_bench.format = run.format;
        run.exit_code = tools::bench_api(run.api_bench);
    });
}

void add_switch_bench(CLI::App* bench, Run& run) {
    CLI::App* const command = bench->add_subcommand(
        "switch",
        "Payments over TLS and ISO 8583, as many as go through and at a fixed rate; starts a "
        "florind "
        "and a florin-banksim"
    );
    auto& options = run.switch_bench;
    command->add_option("--url", options.url, "A florind that runs, in place of one of its own");
    command->add_option("--ca", options.ca_file, "The authority its certificate is from, PEM");
    command->add_option(
        "--data-dir", options.data_dir, "An empty directory to keep; else one is made and removed"
    );
    command->add_option("--connections", options.connections, "Each with one request under way")
        ->check(CLI::Range(1, 10'000));
    command->add_option("--links", options.links, "Between its own florind and florin-banksim")
        ->check(CLI::Range(1, 4));
    command->add_option("--seconds", options.seconds, "How long each loop is measured")
        ->check(CLI::PositiveNumber);
    command
        ->add_option("--rate", options.rate, "Payments a second in the open loop, each at its time")
        ->check(CLI::PositiveNumber);
    command->add_option(
        "--bank-delay-ms",
        options.bank_delay_ms,
        "How long each of the bank's answers takes in the open loop; subtracted twice"
    );
    add_format(command, run);
    command->callback([&] {
        run.switch_bench.format = run.format;
        run.exit_code = tools::bench_switch(run.switch_bench);
    });
}

// For what concerns both modes.
void add_platform(CLI::App* command, Run& run) {
    add_daemon(command, run);
    command->remove_option(command->get_option("--mode"));
}

void add_terms(CLI::App* command, tools::MerchantOptions& merchant) {
    auto const text = [&](char const* option, char const* member, char const* help) {
        command->add_option(option, merchant.texts[member], help);
    };
    auto const number = [&](char const* option, char const* member, char const* help) {
        merchant.numbers[member] = -1;
        command->add_option(option, merchant.numbers[member], help)->check(CLI::NonNegativeNumber);
    };
    text("--name", "name", "Its name");
    number("--fee-basis-points", "fee_basis_points", "Our fee on each capture, 150 = 1.5 %");
    number("--fee-fixed-minor", "fee_fixed_minor", "And a fixed part, in minor units");
    number("--availability-days", "availability_days", "Captured money is available after so many");
    text("--category-code", "category_code", "ISO 18245, four digits");
    text("--acceptor-id", "acceptor_id", "Field 42 of ISO 8583");
    text("--terminal-id", "terminal_id", "Field 41 of ISO 8583");
    text("--iban", "iban", "Where payouts go");
    text("--account-holder", "account_holder", "Whose account that is");
    command->add_option("--mode", merchant.modes, "test or live; without it both");
}

void add_merchant(CLI::App& app, Run& run) {
    CLI::App* const merchant = app.add_subcommand("merchant", "Who gets paid, and on which terms");
    merchant->require_subcommand(1);
    auto& options = run.merchant;

    CLI::App* const create = merchant->add_subcommand("create", "Make a merchant; stores");
    add_platform(create, run);
    add_format(create, run);
    create->add_option("--id", options.id, "How it is known: acct_…")->required();
    create->add_option("--country", options.texts["country"], "Two capital letters");
    create->add_option("--default-currency", options.texts["default_currency"], "ISO 4217");
    add_terms(create, options);
    create->callback([&] {
        run.exit_code = tools::merchant_create(run.daemon, options, run.format);
    });

    CLI::App* const list = merchant->add_subcommand("list", "Every merchant; changes nothing");
    add_platform(list, run);
    add_format(list, run);
    list->callback([&] { run.exit_code = tools::merchant_list(run.daemon, run.format); });

    CLI::App* const show =
        merchant->add_subcommand("show", "One merchant in each mode; changes nothing");
    add_platform(show, run);
    add_format(show, run);
    show->add_option("merchant", run.id, "Its id")->required();
    show->callback([&] { run.exit_code = tools::merchant_show(run.daemon, run.id, run.format); });

    CLI::App* const update =
        merchant->add_subcommand("update", "Change the terms that are named, from now on; stores");
    add_platform(update, run);
    add_format(update, run);
    update->add_option("merchant", options.id, "Its id")->required();
    add_terms(update, options);
    update->callback([&] {
        run.exit_code = tools::merchant_update(run.daemon, options, run.format);
    });
}

void add_keys_create(CLI::App* keys, Run& run) {
    auto& options = run.key;
    CLI::App* const create =
        keys->add_subcommand("create", "Make an API key and show it once; stores its hash");
    add_platform(create, run);
    add_format(create, run);
    create->add_flag("--admin", options.is_admin, "For an operator; needs --name");
    create->add_option("--merchant", options.merchant, "Whose key it is");
    create->add_option("--mode", options.mode, "test or live; without it test")
        ->check(CLI::IsMember({"test", "live"}));
    create->add_option("--kind", options.kind, "Without it restricted where it has rights")
        ->check(CLI::IsMember({"secret", "restricted", "publishable"}))
        ->option_text("secret|restricted|publishable");
    create->add_option("--name", options.name, "The person, or what the key is for");
    create->add_option("--right", options.rights, "RESOURCE=read or RESOURCE=write; several");
    create->add_option("--expires-in-s", options.expires_in_s, "Seconds; without it never")
        ->check(CLI::PositiveNumber);
    create->add_option("--requests-per-second", options.requests_per_second, "Its own limit");
    create->add_option("--burst-requests", options.burst_requests, "At once after a rest");
    create->add_option("--in-flight-max", options.in_flight_max, "At the same time");
    create->add_option(
        "--vault-key",
        options.vault_key_file,
        "With --admin and --data-dir: make the key without a daemon, which must not run"
    );
    create->callback([&] { run.exit_code = tools::keys_create(run.daemon, options, run.format); });
}

void add_keys(CLI::App& app, Run& run) {
    CLI::App* const keys = app.add_subcommand("keys", "API keys of merchants and operators");
    keys->require_subcommand(1);
    add_keys_create(keys, run);

    CLI::App* const list = keys->add_subcommand("list", "The keys in use; changes nothing");
    add_platform(list, run);
    add_format(list, run);
    list->add_flag("--all", run.all, "Those that have ended too");
    list->callback([&] { run.exit_code = tools::keys_list(run.daemon, run.all, run.format); });

    CLI::App* const roll = keys->add_subcommand(
        "roll", "Make a key like this one, which ends after the overlap; stores"
    );
    add_platform(roll, run);
    add_format(roll, run);
    roll->add_option("key", run.roll.id, "The old key's id, 12 characters")->required();
    roll->add_option("--overlap-s", run.roll.overlap_s, "Seconds that both work; without it a day");
    roll->add_option("--expires-in-s", run.roll.expires_in_s, "The new one; without it never")
        ->check(CLI::PositiveNumber);
    roll->callback([&] { run.exit_code = tools::keys_roll(run.daemon, run.roll, run.format); });

    CLI::App* const revoke = keys->add_subcommand("revoke", "End a key at once; stores");
    add_platform(revoke, run);
    add_format(revoke, run);
    revoke->add_option("key", run.id, "The key's id, 12 characters")->required();
    revoke->callback([&] { run.exit_code = tools::keys_revoke(run.daemon, run.id, run.format); });
}

void add_bench(CLI::App& app, Run& run) {
    CLI::App* const bench = app.add_subcommand("bench", "Measure this version on this machine");
    bench->require_subcommand(1);

    CLI::App* const ledger = bench->add_subcommand(
        "ledger", "The ledger kernel beside what the disk allows; writes a directory of its own"
    );
    auto& options = run.bench;
    ledger->add_option("--workload", options.workload, tools::ledger_workload_names());
    ledger->add_option(
        "--transfers", options.transfers, "How many; each workload has its own number"
    );
    ledger->add_option(
        "--data-dir", options.data_dir, "An empty directory to keep; else one is made and removed"
    );
    ledger->add_option("--in-flight", options.in_flight, "Batches sent and not yet answered")
        ->check(CLI::Range(1, 64));
    ledger->add_flag("!--no-sync", options.sync, "Do not wait for the disk: not what Florin does");
    ledger->add_flag("!--no-verify", options.verify, "Do not verify the directory afterwards");
    ledger->add_flag("--load-for-ever", options.load_for_ever)->group("");  // not for people
    add_format(ledger, run);
    ledger->callback([&] {
        run.bench.format = run.format;
        run.exit_code = tools::bench_ledger(run.bench);
    });
    add_api_bench(bench, run);
    add_switch_bench(bench, run);
}

}  // namespace

int main(int argc, char** argv) {
    florin::keep_freed_memory();
    CLI::App app{"florin: operate a Florin payment switch and its ledger", "florin"};
    app.require_subcommand(1);
    Run run;
    add_ledger(app, run);
    add_attempts(app, run);
    add_route(app, run);
    add_settle(app, run);
    add_recon(app, run);
    add_totals(app, run);
    add_merchant(app, run);
    add_keys(app, run);
    add_bench(app, run);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        // CLI11 has a code for each kind; ours is 2 for wrong use, 0 for --help.
        return app.exit(error) == 0 ? tools::kDone : tools::kCouldNotRun;
    }
    return run.exit_code;
}
