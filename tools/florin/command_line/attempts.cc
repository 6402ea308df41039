// The command line of `florin attempts`.
#include "tools/florin/attempts.h"

#include "tools/florin/command_line/command_line.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <utility>

namespace florin::tools {
namespace {

// What was said to these commands alone; lives as long as they do.
struct AttemptsSaid {
    std::string id;
    std::string resolution;
    std::string outcome;
    std::string reason;
    bool unknown_only = false;
    bool owed_back_only = false;

    WhichAttempts which() const {
        return unknown_only     ? WhichAttempts::not_final
               : owed_back_only ? WhichAttempts::owed_back
                                : WhichAttempts::all;
    }
};
using AttemptsSaidPointer = std::shared_ptr<AttemptsSaid>;

void add_attempt_decisions(CLI::App* attempts, CommandLine& run, AttemptsSaidPointer const& said) {
    CLI::App* const resolve = attempts->add_subcommand(
        "resolve",
        "Propose what became of an attempt, or confirm another person's proposal; then posts"
    );
    add_daemon(resolve, run);
    add_format(resolve, run);
    resolve->add_option("attempt", said->id, "The attempt's id, at_…")->required();
    resolve->add_option("--outcome", said->outcome, "approved, declined or reversed")->required();
    resolve->add_option("--reason", said->reason, "How it is known")->required();
    resolve->callback([said, &run] {
        run.exit_code =
            attempts_resolve(run.daemon, said->id, said->outcome, said->reason, run.format);
    });
    static constexpr std::pair<char const*, char const*> kVerbs[] = {
        {"confirm", "Confirm another person's proposal; posts what follows"},
        {"withdraw", "Withdraw a proposal that nobody has confirmed"},
    };
    for (auto const& [name, help] : kVerbs) {
        CLI::App* const decide = attempts->add_subcommand(name, help);
        add_daemon(decide, run);
        add_format(decide, run);
        decide->add_option("attempt", said->id, "The attempt's id, at_…")->required();
        decide->add_option("resolution", said->resolution, "The proposal's id, rs_…")->required();
        decide->add_option("--reason", said->reason, "Why");
        decide->callback([said, &run, verb = std::string{name}] {
            run.exit_code = attempts_decide(
                run.daemon,
                {.attempt = said->id,
                 .resolution = said->resolution,
                 .verb = verb,
                 .reason = said->reason},
                run.format
            );
        });
    }
}

}  // namespace

void add_attempts(CLI::App& app, CommandLine& run) {
    auto const said = std::make_shared<AttemptsSaid>();
    CLI::App* const attempts =
        app.add_subcommand("attempts", "What was tried at banks, and what is known of it");
    attempts->require_subcommand(1);

    CLI::App* const list = attempts->add_subcommand(
        "list", "Every attempt; reads --data-dir by itself, or asks --url; changes nothing"
    );
    add_daemon(list, run);
    add_format(list, run);
    CLI::Option* const unknown =
        list->add_flag("--unknown", said->unknown_only, "Only those whose outcome is not final");
    list->add_flag(
            "--owed-back",
            said->owed_back_only,
            "Only those that a bank approved after all and whose connector is not configured"
    )
        ->excludes(unknown);
    list->callback([said, &run] {
        run.exit_code = run.daemon.url.empty()
                            ? attempts_list(run.daemon.data_dir, said->which(), run.format)
                            : attempts_list(run.daemon, said->which(), run.format);
    });

    CLI::App* const show = attempts->add_subcommand(
        "show",
        "One attempt with its identity and evidence; from where list has it; changes nothing"
    );
    add_daemon(show, run);
    add_format(show, run);
    show->add_option("attempt", said->id, "The attempt's id, at_…")->required();
    show->callback([said, &run] {
        run.exit_code = run.daemon.url.empty()
                            ? attempts_show(run.daemon.data_dir, said->id, run.format)
                            : attempts_show(run.daemon, said->id, run.format);
    });
    add_attempt_decisions(attempts, run, said);
}

}  // namespace florin::tools
