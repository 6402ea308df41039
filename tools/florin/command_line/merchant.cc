// The command lines of `florin merchant` and `florin keys`.
#include "tools/florin/merchant.h"

#include "tools/florin/command_line/command_line.h"
#include "tools/florin/keys.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

namespace florin::tools {
namespace {

// What was said to these commands alone; lives as long as they do.
struct MerchantSaid {
    MerchantOptions merchant;
    KeyOptions key;
    RollOptions roll;
    std::string id;
    bool all = false;
};
using MerchantSaidPointer = std::shared_ptr<MerchantSaid>;

void add_terms(CLI::App* command, MerchantOptions& merchant) {
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

void add_keys_create(CLI::App* keys, CommandLine& run, MerchantSaidPointer const& said) {
    auto& options = said->key;
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
    create->callback([said, &run] {
        run.exit_code = keys_create(run.daemon, said->key, run.format);
    });
}

}  // namespace

void add_merchant(CLI::App& app, CommandLine& run) {
    auto const said = std::make_shared<MerchantSaid>();
    CLI::App* const merchant = app.add_subcommand("merchant", "Who gets paid, and on which terms");
    merchant->require_subcommand(1);
    auto& options = said->merchant;

    CLI::App* const create = merchant->add_subcommand("create", "Make a merchant; stores");
    add_platform(create, run);
    add_format(create, run);
    create->add_option("--id", options.id, "How it is known: acct_…")->required();
    create->add_option("--country", options.texts["country"], "Two capital letters");
    create->add_option("--default-currency", options.texts["default_currency"], "ISO 4217");
    add_terms(create, options);
    create->callback([said, &run] {
        run.exit_code = merchant_create(run.daemon, said->merchant, run.format);
    });

    CLI::App* const list = merchant->add_subcommand("list", "Every merchant; changes nothing");
    add_platform(list, run);
    add_format(list, run);
    list->callback([&run] { run.exit_code = merchant_list(run.daemon, run.format); });

    CLI::App* const show =
        merchant->add_subcommand("show", "One merchant in each mode; changes nothing");
    add_platform(show, run);
    add_format(show, run);
    show->add_option("merchant", said->id, "Its id")->required();
    show->callback([said, &run] { run.exit_code = merchant_show(run.daemon, said->id, run.format); }
    );

    CLI::App* const update =
        merchant->add_subcommand("update", "Change the terms that are named, from now on; stores");
    add_platform(update, run);
    add_format(update, run);
    update->add_option("merchant", options.id, "Its id")->required();
    add_terms(update, options);
    update->callback([said, &run] {
        run.exit_code = merchant_update(run.daemon, said->merchant, run.format);
    });
}

void add_keys(CLI::App& app, CommandLine& run) {
    auto const said = std::make_shared<MerchantSaid>();
    CLI::App* const keys = app.add_subcommand("keys", "API keys of merchants and operators");
    keys->require_subcommand(1);
    add_keys_create(keys, run, said);

    CLI::App* const list = keys->add_subcommand("list", "The keys in use; changes nothing");
    add_platform(list, run);
    add_format(list, run);
    list->add_flag("--all", said->all, "Those that have ended too");
    list->callback([said, &run] { run.exit_code = keys_list(run.daemon, said->all, run.format); });

    CLI::App* const roll = keys->add_subcommand(
        "roll", "Make a key like this one, which ends after the overlap; stores"
    );
    add_platform(roll, run);
    add_format(roll, run);
    roll->add_option("key", said->roll.id, "The old key's id, 12 characters")->required();
    roll->add_option(
        "--overlap-s", said->roll.overlap_s, "Seconds that both work; without it a day"
    );
    roll->add_option("--expires-in-s", said->roll.expires_in_s, "The new one; without it never")
        ->check(CLI::PositiveNumber);
    roll->callback([said, &run] { run.exit_code = keys_roll(run.daemon, said->roll, run.format); });

    CLI::App* const revoke = keys->add_subcommand("revoke", "End a key at once; stores");
    add_platform(revoke, run);
    add_format(revoke, run);
    revoke->add_option("key", said->id, "The key's id, 12 characters")->required();
    revoke->callback([said, &run] { run.exit_code = keys_revoke(run.daemon, said->id, run.format); }
    );
}

}  // namespace florin::tools
