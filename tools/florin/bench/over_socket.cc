// The ledger as another program uses it: florind in its ledger mode, and the client library on a
// Unix socket.
#include "ledger/store/compaction.h"
#include "ledger/verify.h"
#include "tools/florin/bench/child.h"
#include "tools/florin/bench/expected.h"
#include "tools/florin/bench/measure.h"
#include "tools/florin/bench/workload.h"
#include "tools/ledger_client/ledger_client.h"

#include <deque>
#include <fstream>
#include <thread>

namespace florin::tools {
namespace {

namespace fs = std::filesystem;
using ledger_client::Client;
using ledger_client::EventResult;

Result<void> all_created(std::vector<EventResult> const& results) {
    for (EventResult const& result : results) {
        if (result.status != 0) {
            return fail(
                Errc::refused,
                "an event of the benchmark was answered with status " +
                    std::to_string(result.status)
            );
        }
    }
    return {};
}

class ClientLookup final : public Lookup {
public:
    explicit ClientLookup(Client& client) : client_{client} {}
    Result<std::vector<ledger::Account>> accounts(std::vector<u128> const& ids) override {
        return client_.lookup_accounts(ids);
    }
    Result<std::vector<ledger::Transfer>> transfers(std::vector<u128> const& ids) override {
        return client_.lookup_transfers(ids);
    }

private:
    Client& client_;
};

// Batches on their way, oldest first.
class Pipeline {
public:
    Pipeline(Client& client, std::size_t in_flight) : client_{client}, in_flight_{in_flight} {}

    Result<void> send(ledger::CreateTransfers const& request, Steady::time_point since) {
        if (sent_.size() >= in_flight_) {
            FLORIN_TRY_VOID(wait_for_one());
        }
        FLORIN_TRY(auto const ticket, client_.send_transfers(request.events));
        sent_.push_back({ticket, since});
        return {};
    }
    Result<void> wait_for_all() {
        while (!sent_.empty()) {
            FLORIN_TRY_VOID(wait_for_one());
        }
        return {};
    }
    Latencies& latencies() { return latencies_; }

private:
    struct Sent {
        ledger_client::Ticket<EventResult> ticket;
        Steady::time_point since;
    };
    Result<void> wait_for_one() {
        Sent const oldest = sent_.front();
        sent_.pop_front();
        FLORIN_TRY(auto const results, client_.wait(oldest.ticket));
        latencies_.add(Steady::now() - oldest.since);
        return all_created(results);
    }

    Client& client_;
    std::size_t in_flight_;
    std::deque<Sent> sent_;
    Latencies latencies_;
};

Result<void> run_load(
    Client& client, LedgerBenchOptions const& options, Load& load, Measured& line
) {
    for (auto const& request : load.accounts()) {
        FLORIN_TRY(auto const results, client.create_accounts(request.events));
        FLORIN_TRY_VOID(all_created(results));
    }
    auto const start = Steady::now();
    Pipeline peak{client, options.in_flight};
    while (load.made() < line.transfers) {
        FLORIN_TRY_VOID(peak.send(load.next(line.transfers - load.made()), Steady::now()));
    }
    FLORIN_TRY_VOID(peak.wait_for_all());
    line.per_second = static_cast<double>(load.made()) / seconds_between(start, Steady::now());
    // One batch after the other, as a client that waits for its answers sees it: sending at a fixed
    // rate would need a second connection to read while it sleeps.
    Pipeline alone{client, 1};
    std::uint64_t const until = load.made() + latency_transfers(line.transfers);
    while (load.made() < until) {
        FLORIN_TRY_VOID(alone.send(load.next(until - load.made()), Steady::now()));
        FLORIN_TRY_VOID(alone.wait_for_all());
    }
    line.p50_ms = alone.latencies().percentile_ms(0.50);
    line.p99_ms = alone.latencies().percentile_ms(0.99);
    line.note = "latency of one batch at a time";
    return {};
}

}  // namespace

Result<void> run_over_socket(
    LedgerBenchOptions const& options,
    Workload const& workload,
    fs::path const& directory,
    Measured& line
) {
    fs::path const data_dir = directory / "ledger";
    fs::path const socket = directory / "ledger.sock";
    fs::path const config = directory / "ledger.toml";
    std::ofstream{config} << "mode = \"ledger\"\ndata_dir = \"" << data_dir.string()
                          << "\"\n[ledger_server]\nsocket = \"" << socket.string()
                          << "\"\n[log]\nlevel = \"warn\"\n";
    FLORIN_TRY(auto const florind, florind_program());
    Child daemon;
    FLORIN_TRY_VOID(daemon.start(florind, {"--config", config.string()}));
    FLORIN_TRY(auto const ready, daemon.line());
    if (ready.find("\"ready\"") == std::string::npos) {
        return fail(Errc::refused, "florind did not start: " + ready);
    }
    Load load{workload.shape, 42};
    {
        FLORIN_TRY(auto const client, Client::connect({.connect = "unix:" + socket.string()}));
        FLORIN_TRY_VOID(run_load(*client, options, load, line));
        line.rss_bytes = peak_resident_bytes(daemon.pid());
        ClientLookup lookup{*client};
        FLORIN_TRY_VOID(check_expected(lookup, load));
    }
    FLORIN_TRY_VOID(daemon.stop());
    FLORIN_TRY_VOID(ledger::compact_data_directory(data_dir));
    line.disk_bytes = directory_bytes(data_dir) * line.transfers / load.made();
    if (options.verify) {
        ProgressBar bar{"verify"};
        FLORIN_TRY_VOID(ledger::verify_ledger(
            {.data_dir = data_dir, .scratch = directory},
            [&](ledger::VerifyProgress const& progress) {
                bar.show(progress.step, progress.done, progress.total);
            }
        ));
    }
    return {};
}

}  // namespace florin::tools
