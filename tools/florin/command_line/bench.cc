// The command line of `florin bench`.
#include "tools/florin/bench/api_bench.h"
#include "tools/florin/bench/ledger_bench.h"
#include "tools/florin/bench/switch_bench.h"
#include "tools/florin/command_line/command_line.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

namespace florin::tools {
namespace {

// What was said to these commands alone; lives as long as they do.
struct BenchSaid {
    LedgerBenchOptions bench;
    ApiBenchOptions api_bench;
    SwitchBenchOptions switch_bench;
};
using BenchSaidPointer = std::shared_ptr<BenchSaid>;

void add_api_bench(CLI::App* bench, CommandLine& run, BenchSaidPointer const& said) {
    CLI::App* const api = bench->add_subcommand(
        "api", "The merchant API over TLS beside a server that does nothing; starts a florind"
    );
    auto& options = said->api_bench;
    api->add_option("--workload", options.workload, api_workload_names());
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
    api->callback([said, &run] {
        said->api_bench.format = run.format;
        run.exit_code = bench_api(said->api_bench);
    });
}

void add_switch_bench(CLI::App* bench, CommandLine& run, BenchSaidPointer const& said) {
    CLI::App* const command = bench->add_subcommand(
        "switch",
        "Payments over TLS and ISO 8583, as many as go through and at a fixed rate; starts a "
        "florind and a florin-banksim"
    );
    auto& options = said->switch_bench;
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
    command->callback([said, &run] {
        said->switch_bench.format = run.format;
        run.exit_code = bench_switch(said->switch_bench);
    });
}

}  // namespace

void add_bench(CLI::App& app, CommandLine& run) {
    auto const said = std::make_shared<BenchSaid>();
    CLI::App* const bench = app.add_subcommand("bench", "Measure this version on this machine");
    bench->require_subcommand(1);

    CLI::App* const ledger = bench->add_subcommand(
        "ledger", "The ledger kernel beside what the disk allows; writes a directory of its own"
    );
    auto& options = said->bench;
    ledger->add_option("--workload", options.workload, ledger_workload_names());
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
    ledger->callback([said, &run] {
        said->bench.format = run.format;
        run.exit_code = bench_ledger(said->bench);
    });
    add_api_bench(bench, run, said);
    add_switch_bench(bench, run, said);
}

}  // namespace florin::tools
