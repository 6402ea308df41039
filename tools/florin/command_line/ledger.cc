// The command line of `florin ledger`.
#include "tools/florin/command_line/command_line.h"
#include "tools/florin/ledger_commands.h"
#include "tools/florin/ledger_export.h"

#include <CLI/CLI.hpp>

#include <map>
#include <memory>
#include <string>

namespace florin::tools {
namespace {

// What was said to these commands alone; lives as long as they do.
struct LedgerSaid {
    bool manual_clock = false;
    bool sign = false;
    std::string key_file;
    VerifyOptions verify;
    ExportOptions books;
    StatementOptions statement;
    std::string at;
};
using LedgerSaidPointer = std::shared_ptr<LedgerSaid>;

void add_moment(CLI::App* command, LedgerSaidPointer const& said) {
    command->add_option(
        "--at",
        said->at,
        "As of 2026-11-25 (its end), 2026-11-25T07:00:00Z or nanoseconds; else now"
    );
}

void add_ledger_proofs(CLI::App* ledger, CommandLine& run, LedgerSaidPointer const& said) {
    CLI::App* const verify = ledger->add_subcommand(
        "verify", "Re-read everything, recompute the hashes and compare all views; changes nothing"
    );
    add_data_dir(verify, run);
    add_format(verify, run);
    auto* const head_option = verify->add_option(
        "--head", said->verify.pinned.head, "A signed head that must be in this history"
    );
    verify->add_option("--public-key", said->verify.pinned.public_key, "Whose it must be, PEM")
        ->needs(head_option);
    verify->add_flag("--only-head", said->verify.only_head, "Check that head and nothing more")
        ->needs(head_option);
    verify->callback([said, &run] {
        run.exit_code = ledger_verify(run.data_dir, said->verify, run.format);
    });

    CLI::App* const head = ledger->add_subcommand(
        "head", "The journal's last record, to be kept outside; changes nothing"
    );
    add_data_dir(head, run);
    add_format(head, run);
    auto* const sign = head->add_flag("--sign", said->sign, "Print it as signed JSON");
    auto* const key =
        head->add_option("--key", said->key_file, "An Ed25519 private key, PEM, mode 0600");
    sign->needs(key);
    key->needs(sign);
    head->callback([said, &run] {
        run.exit_code = ledger_head(run.data_dir, said->key_file, run.format);
    });
}

void add_ledger_export(CLI::App* ledger, CommandLine& run, LedgerSaidPointer const& said) {
    static std::map<std::string, ExportFormat> const names{
        {"hledger", ExportFormat::hledger},
        {"beancount", ExportFormat::beancount},
        {"jsonl", ExportFormat::jsonl},
    };
    CLI::App* const books = ledger->add_subcommand(
        "export", "Everything up to a record, for other programs; changes nothing in the directory"
    );
    add_data_dir(books, run);
    books
        ->add_option(
            "--format", said->books.format, "hledger (ledger reads it too), beancount, jsonl"
        )
        ->transform(CLI::CheckedTransformer(names))
        ->option_text("hledger|beancount|jsonl")
        ->required();
    books->add_option("--to", said->books.to, "The last record; without it the head");
    books->add_option("--output", said->books.output, "A file that appears whole or not at all");
    books->callback([said, &run] { run.exit_code = ledger_export(run.data_dir, said->books); });
}

}  // namespace

void add_ledger(CLI::App& app, CommandLine& run) {
    auto const said = std::make_shared<LedgerSaid>();
    CLI::App* const ledger = app.add_subcommand("ledger", "The double-entry ledger");
    ledger->require_subcommand(1);

    CLI::App* const exec = ledger->add_subcommand(
        "exec", "Run the kernel on standard input, one JSON request a line; writes the directory"
    );
    add_data_dir(exec, run);
    exec->add_flag(
        "--manual-clock", said->manual_clock, "Time starts at 0 and moves by advance_clock only"
    );
    exec->callback([said, &run] { run.exit_code = ledger_exec(run.data_dir, said->manual_clock); });

    add_ledger_proofs(ledger, run, said);
    add_ledger_export(ledger, run, said);

    CLI::App* const balances =
        ledger->add_subcommand("balances", "Balances of every account; changes nothing");
    add_data_dir(balances, run);
    add_moment(balances, said);
    add_format(balances, run);
    balances->callback([said, &run] {
        run.exit_code = ledger_balances(run.data_dir, said->at, run.format);
    });

    CLI::App* const trial = ledger->add_subcommand(
        "trial-balance", "Debits and credits of each ledger number; changes nothing"
    );
    add_data_dir(trial, run);
    add_moment(trial, said);
    add_format(trial, run);
    trial->callback([said, &run] {
        run.exit_code = ledger_trial_balance(run.data_dir, said->at, run.format);
    });

    CLI::App* const statement = ledger->add_subcommand(
        "statement", "An account's opening balances, movements and closing ones; changes nothing"
    );
    add_data_dir(statement, run);
    add_format(statement, run);
    statement->add_option("account", said->statement.account, "The account's id")->required();
    statement->add_option("--from", said->statement.from, "A date or moment; else the beginning");
    statement->add_option("--to", said->statement.to, "The last date or moment; else now");
    statement->callback([said, &run] {
        said->statement.format = run.format;
        run.exit_code = ledger_statement(run.data_dir, said->statement);
    });
}

}  // namespace florin::tools
