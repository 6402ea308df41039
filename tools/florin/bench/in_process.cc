// Workloads inside this process: the ledger as the daemon uses it, without a socket in between.
#include "ledger/ledger.h"
#include "ledger/store/compaction.h"
#include "ledger/verify.h"
#include "tools/florin/bench/expected.h"
#include "tools/florin/bench/measure.h"
#include "tools/florin/bench/workload.h"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace florin::tools {
namespace {

namespace fs = std::filesystem;
using ledger::Ledger;

// ---- sending ------------------------------------------------------------------------------------

// Keeps a number of requests in flight, from one thread, and what became of them.
class Sender {
public:
    Sender(Ledger& ledger, std::uint32_t in_flight) : ledger_{ledger}, free_{in_flight} {}

    // Waits for a free place. `since` is where the latency begins: the moment the request was due.
    void send(ledger::CreateTransfers request, std::optional<Steady::time_point> since = {}) {
        {
            std::unique_lock lock{mutex_};
            changed_.wait(lock, [this] { return free_ > 0; });
            --free_;
            ++waiting_;
        }
        auto const start = since.value_or(Steady::now());
        ledger_.submit(std::make_unique<Sent>(std::move(request), *this, start));
    }
    void wait_for_all() {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [this] { return waiting_ == 0; });
    }
    Latencies take_latencies() {
        std::lock_guard const lock{mutex_};
        return std::exchange(latencies_, {});
    }
    // The first thing that was not "created".
    std::optional<std::string> problem() const {
        std::lock_guard const lock{mutex_};
        return problem_;
    }

private:
    class Sent final : public ledger::PendingRequest {
    public:
        Sent(ledger::Request wanted, Sender& sender, Steady::time_point start)
            : PendingRequest{std::move(wanted)}, sender_{sender}, start_{start} {}
        void answer(Result<ledger::Answer> given) override {
            sender_.answered(given, Steady::now() - start_);
        }

    private:
        Sender& sender_;
        Steady::time_point start_;
    };

    static std::optional<std::string> problem_of(Result<ledger::Answer> const& given) {
        if (!given) {
            return to_string(given.error());
        }
        for (auto const& result : std::get<ledger::CreateTransfersAnswer>(*given).results) {
            if (result.status != ledger::CreateTransferStatus::created) {
                return std::string{ledger::status_name(result.status)};
            }
        }
        return std::nullopt;
    }
    void answered(Result<ledger::Answer> const& given, Steady::duration took) {
        auto problem = problem_of(given);
        std::lock_guard const lock{mutex_};
        latencies_.add(took);
        if (problem && !problem_) {
            problem_ = std::move(problem);
        }
        ++free_;
        --waiting_;
        changed_.notify_all();
    }

    Ledger& ledger_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::uint32_t free_;
    std::uint32_t waiting_ = 0;
    Latencies latencies_;
    std::optional<std::string> problem_;
};

Result<void> must_be_created(Sender const& sender) {
    if (auto const problem = sender.problem()) {
        return fail(Errc::refused, "a transfer of the benchmark was answered with " + *problem);
    }
    return {};
}

// As fast as it goes; answers transfers a second of each slice of the work.
Result<std::vector<double>> closed_loop(
    Ledger& ledger, Load& load, std::uint64_t transfers, std::uint32_t in_flight, std::size_t slices
) {
    std::vector<double> rates;
    Sender sender{ledger, in_flight};
    std::uint64_t left = transfers;
    for (std::size_t slice = 0; slice < slices; ++slice) {
        std::uint64_t const count = left / (slices - slice);
        auto const start = Steady::now();
        std::uint64_t const before = load.made();
        while (load.made() - before < count) {
            sender.send(load.next(count - (load.made() - before)));
        }
        sender.wait_for_all();
        left -= std::min(left, load.made() - before);
        rates.push_back(
            static_cast<double>(load.made() - before) / seconds_between(start, Steady::now())
        );
    }
    FLORIN_TRY_VOID(must_be_created(sender));
    return rates;
}

// At a fixed rate, whatever the ledger does: a request that waits for an earlier one is late.
Result<Latencies> open_loop(Ledger& ledger, Load& load, std::uint64_t transfers, double rate) {
    Sender sender{ledger, 1024};
    auto const start = Steady::now();
    std::uint64_t const before = load.made();
    while (load.made() - before < transfers) {
        auto const due =
            start + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(
                        static_cast<double>(load.made() - before) / rate
                    ));
        auto request = load.next(transfers - (load.made() - before));
        std::this_thread::sleep_until(due);
        sender.send(std::move(request), due);
    }
    sender.wait_for_all();
    FLORIN_TRY_VOID(must_be_created(sender));
    return sender.take_latencies();
}

// Submitters that each have one transfer under way and send the next when it is answered.
Result<Latencies> single_submitters(Ledger& ledger, Load& load, std::uint64_t transfers) {
    Sender sender{ledger, kSubmitters};
    for (std::uint64_t i = 0; i < transfers; ++i) {
        sender.send(load.next(1));
    }
    sender.wait_for_all();
    FLORIN_TRY_VOID(must_be_created(sender));
    return sender.take_latencies();
}

// ---- a workload ---------------------------------------------------------------------------------

Result<void> create_accounts(Ledger& ledger, Load const& load) {
    for (auto const& request : load.accounts()) {
        FLORIN_TRY(auto const answer, ledger.call(request));
        for (auto const& result : std::get<ledger::CreateAccountsAnswer>(answer).results) {
            if (result.status != ledger::CreateAccountStatus::created) {
                return fail(Errc::refused, "an account of the benchmark was refused");
            }
        }
    }
    return {};
}

// Through look-ups of the ledger itself.
class LedgerLookup final : public Lookup {
public:
    explicit LedgerLookup(Ledger& ledger) : ledger_{ledger} {}
    Result<std::vector<ledger::Account>> accounts(std::vector<u128> const& ids) override {
        FLORIN_TRY(auto answer, ledger_.call(ledger::LookupAccounts{ids}));
        return std::get<ledger::AccountsAnswer>(std::move(answer)).accounts;
    }
    Result<std::vector<ledger::Transfer>> transfers(std::vector<u128> const& ids) override {
        FLORIN_TRY(auto answer, ledger_.call(ledger::LookupTransfers{ids}));
        return std::get<ledger::TransfersAnswer>(std::move(answer)).transfers;
    }

private:
    Ledger& ledger_;
};

Result<void> check_ledger(Ledger& ledger, Load const& load) {
    LedgerLookup lookup{ledger};
    return check_expected(lookup, load);
}

Result<void> run_load(
    Ledger& ledger,
    LedgerBenchOptions const& options,
    Workload const& workload,
    Load& load,
    Measured& line
) {
    FLORIN_TRY_VOID(create_accounts(ledger, load));
    auto const cpu_before = thread_seconds();
    auto const start = Steady::now();
    if (workload.reach == Reach::submitters) {
        FLORIN_TRY(Latencies latencies, single_submitters(ledger, load, line.transfers));
        line.per_second =
            static_cast<double>(line.transfers) / seconds_between(start, Steady::now());
        line.p50_ms = latencies.percentile_ms(0.50);
        line.p99_ms = latencies.percentile_ms(0.99);
        return {};
    }
    bool const grows = workload.reach == Reach::slices;
    FLORIN_TRY(
        auto const rates,
        closed_loop(ledger, load, line.transfers, options.in_flight, grows ? 6 : 1)
    );
    line.per_second = static_cast<double>(line.transfers) / seconds_between(start, Steady::now());
    for (auto const& [name, seconds] : thread_seconds()) {
        auto const before = cpu_before.find(name);
        double const spent = seconds - (before == cpu_before.end() ? 0 : before->second);
        line.thread_ns[name] = spent / static_cast<double>(line.transfers) * 1e9;
    }
    if (grows) {
        line.growth = rates.back() / rates.front();
    }
    FLORIN_TRY(
        Latencies latencies,
        open_loop(ledger, load, latency_transfers(line.transfers), line.per_second * kLatencyLoad)
    );
    line.p50_ms = latencies.percentile_ms(0.50);
    line.p99_ms = latencies.percentile_ms(0.99);
    return {};
}

}  // namespace

std::uint64_t latency_transfers(std::uint64_t transfers) {
    return std::clamp<std::uint64_t>(transfers / 2, 100'000, 5'000'000);
}

Result<void> run_in_process(
    LedgerBenchOptions const& options,
    Workload const& workload,
    fs::path const& directory,
    Measured& line
) {
    SystemClock const clock;
    Load load{workload.shape, 42};
    fs::path const data_dir = directory / "ledger";
    {
        FLORIN_TRY(
            auto const ledger,
            Ledger::open(
                {.data_dir = data_dir, .kind = ledger::LedgerKind::kernel_only, .sync = options.sync
                },
                clock
            )
        );
        reset_peak_memory();
        FLORIN_TRY_VOID(run_load(*ledger, options, workload, load, line));
        line.rss_bytes = peak_resident_bytes();
        FLORIN_TRY_VOID(check_ledger(*ledger, load));
    }
    FLORIN_TRY_VOID(ledger::compact_data_directory(data_dir));
    line.disk_bytes = directory_bytes(data_dir) * line.transfers / load.made();
    {
        // What the next start finds is what was acknowledged.
        FLORIN_TRY(auto const ledger, Ledger::open({.data_dir = data_dir, .create = false}, clock));
        FLORIN_TRY_VOID(check_ledger(*ledger, load));
    }
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

Result<void> load_for_ever(fs::path const& data_dir) {
    SystemClock const clock;
    Load load{{}, 42};
    FLORIN_TRY(
        auto const ledger,
        Ledger::open({.data_dir = data_dir, .kind = ledger::LedgerKind::kernel_only}, clock)
    );
    FLORIN_TRY_VOID(create_accounts(*ledger, load));
    FLORIN_TRY_VOID(closed_loop(*ledger, load, ~std::uint64_t{0}, 4, 1));
    return {};
}

}  // namespace florin::tools
