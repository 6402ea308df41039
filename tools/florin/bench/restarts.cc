// How long a ledger needs after kill -9 at full load until it answers again.
#include "ledger/ledger.h"
#include "tools/florin/bench/child.h"
#include "tools/florin/bench/measure.h"
#include "tools/florin/bench/workload.h"

#include <thread>

namespace florin::tools {
namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 5;
constexpr std::chrono::milliseconds kLoad{4'300};  // some runs, and a part of one
constexpr std::chrono::milliseconds kMore{370};    // longer each round, to hit other moments

struct Restart {
    Steady::duration took;
    std::uint64_t replayed = 0;  // records
};

Result<Restart> restart(fs::path const& data_dir) {
    SystemClock const clock;
    auto const start = Steady::now();
    FLORIN_TRY(
        auto const ledger, ledger::Ledger::open({.data_dir = data_dir, .create = false}, clock)
    );
    FLORIN_TRY(auto const answer, ledger->call(ledger::LookupAccounts{{u128{1}}}));
    auto const took = Steady::now() - start;
    if (std::get<ledger::AccountsAnswer>(answer).accounts.size() != 1) {
        return fail(Errc::corrupt, "an account is missing after a restart");
    }
    return Restart{.took = took, .replayed = ledger->figures().replayed};
}

}  // namespace

Result<void> run_restarts(
    LedgerBenchOptions const&, Workload const&, fs::path const& directory, Measured& line
) {
    Latencies latencies;
    std::uint64_t replayed = 0;
    for (int round = 0; round < kRounds; ++round) {
        fs::path const data_dir = directory / ("restart-" + std::to_string(round));
        Child child;
        FLORIN_TRY_VOID(child.start(
            own_program(), {"bench", "ledger", "--load-for-ever", "--data-dir", data_dir.string()}
        ));
        std::this_thread::sleep_for(kLoad + round * kMore);
        child.kill();
        reset_peak_memory();
        FLORIN_TRY(Restart const done, restart(data_dir));
        latencies.add(done.took);
        replayed = std::max(replayed, done.replayed);
        line.rss_bytes = std::max(line.rss_bytes, peak_resident_bytes());
        std::error_code error;
        fs::remove_all(data_dir, error);
    }
    line.transfers = 0;
    line.p50_ms = latencies.percentile_ms(0.5);
    line.p99_ms = latencies.percentile_ms(1);
    line.note = "median and longest of " + std::to_string(kRounds) + " restarts, up to " +
                std::to_string(replayed) + " records replayed";
    return {};
}

}  // namespace florin::tools
