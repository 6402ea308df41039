// florind: the payment switch. `--dev` makes what it needs; `--config FILE` is production, or a
// ledger for other programs.
#include "daemon/start.h"
#include "ledger/base/large_memory.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <sys/stat.h>

int main(int argc, char** argv) {
    florin::keep_freed_memory();
    CLI::App app{"florind: a payment switch with a double-entry ledger inside", "florind"};
    app.set_version_flag("--version", "florind " FLORIN_VERSION);
    florin::DevOptions dev;
    std::string listen = "127.0.0.1:0";
    std::string config_file;
    bool is_dev = false;
    bool is_bare = false;
    auto* const dev_flag =
        app.add_flag("--dev", is_dev, "Make certificate, merchant and keys, and serve on loopback");
    // For `florin bench api` alone.
    auto* const bare_flag = app.add_flag("--bare", is_bare)->group("")->excludes(dev_flag);
    auto* const data_dir =
        app.add_option("--data-dir", dev.data_dir, "Where --dev keeps everything");
    app.add_option("--listen", listen, "ADDRESS:PORT for --dev; port 0 takes any free one");
    app.add_option(
           "--iso8583",
           dev.iso8583,
           "HOST:PORT of a bank for --dev; several, with commas: its links"
    )
        ->needs(dev_flag);
    app.add_option("--keep-seconds", dev.keep_s)->group("")->needs(dev_flag);
    app.add_option("--config", config_file, "The configuration; see conf/florin.example.toml")
        ->excludes(dev_flag, bare_flag, data_dir);
    // What is kept belongs to one user, also what libraries write.
    ::umask(077);
    try {
        app.parse(argc, argv);
        bool const is_own = is_dev || is_bare;
        if (is_own == !config_file.empty() || (is_own && data_dir->count() == 0)) {
            throw CLI::RequiredError("either --dev with --data-dir, or --config FILE");
        }
    } catch (CLI::ParseError const& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (is_dev || is_bare) {
        auto const address = florin::config::parse_listen(listen);
        if (!address) {
            std::fprintf(stderr, "florind: --listen: %s\n", address.error().context.c_str());
            return 2;
        }
        dev.listen = *address;
        return is_bare ? florin::run_bare(dev) : florin::run_dev(dev);
    }
    auto const config = florin::config::load(config_file);
    if (!config) {
        std::fprintf(stderr, "florind: %s\n", config.error().context.c_str());
        return 2;
    }
    bool const is_ledger = config->mode == florin::config::Mode::ledger;
    return is_ledger ? florin::run_ledger(*config) : florin::run_production(*config);
}
