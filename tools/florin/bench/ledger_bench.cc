#include "tools/florin/bench/ledger_bench.h"

#include "ledger/ledger.h"
#include "ledger/store/append_limit.h"
#include "ledger/store/compaction.h"
#include "ledger/verify.h"
#include "tools/florin/bench/load.h"
#include "tools/florin/bench/measure.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <unistd.h>

namespace florin::tools {
namespace {

namespace fs = std::filesystem;
using ledger::Ledger;

struct Workload {
    char const* name;
    char const* about;
    std::uint64_t transfers;
    LoadShape shape;
};

constexpr std::uint32_t kSubmitters = 64;

std::array<Workload, 6> const kWorkloads{{
    {"time_ordered", "ids that increase with time", 10'000'000, {}},
    {"random_ids", "ids of 128 random bits", 10'000'000, {.ids = IdOrder::random}},
    {"hot", "all on two accounts", 10'000'000, {.accounts = 2}},
    {"two_phase", "pending, then posted; both counted", 10'000'000, {.two_phase = true}},
    {"single", "one transfer a request, 64 submitters", 1'000'000, {.batch = 1}},
    {"growth", "the last sixth of 30 million against the first", 30'000'000, {}},
}};

// One line of the result.
struct Measured {
    std::string name;
    std::uint64_t transfers = 0;
    double per_second = 0;
    double append_limit = 0;  // transfers a second, if appending were all there is
    double fdatasync_us = 0;
    double p50_ms = 0;
    double p99_ms = 0;
    std::uint64_t rss_bytes = 0;
    std::uint64_t disk_bytes = 0;
    std::map<std::string, double> thread_ns;  // processor time a transfer
    std::optional<double> growth;             // last part's rate ÷ first part's
    double ratio() const { return append_limit > 0 ? per_second / append_limit : 0; }
};

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
Result<Latencies> single_submitters(
    Ledger& ledger, Load& load, std::uint64_t transfers, double& per_second
) {
    Sender sender{ledger, kSubmitters};
    auto const start = Steady::now();
    for (std::uint64_t i = 0; i < transfers; ++i) {
        sender.send(load.next(1));
    }
    sender.wait_for_all();
    per_second = static_cast<double>(transfers) / seconds_between(start, Steady::now());
    FLORIN_TRY_VOID(must_be_created(sender));
    return sender.take_latencies();
}

// ---- what is there afterwards -------------------------------------------------------------------

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

Result<void> check_balances(Ledger& ledger, Load const& load) {
    auto const& posted = load.posted();
    for (std::size_t first = 0; first < posted.size(); first += ledger::kBatchEventsMax) {
        ledger::LookupAccounts request;
        std::size_t const end = std::min(posted.size(), first + ledger::kBatchEventsMax);
        for (std::size_t i = first; i < end; ++i) {
            request.ids.push_back(i + 1);
        }
        FLORIN_TRY(auto const answer, ledger.call(request));
        auto const& accounts = std::get<ledger::AccountsAnswer>(answer).accounts;
        if (accounts.size() != end - first) {
            return fail(Errc::corrupt, "accounts are missing");
        }
        for (std::size_t i = 0; i < accounts.size(); ++i) {
            auto const& sums = posted[first + i];
            if (accounts[i].debits_posted != sums.debits ||
                accounts[i].credits_posted != sums.credits || accounts[i].debits_pending != 0 ||
                accounts[i].credits_pending != 0) {
                return fail(
                    Errc::corrupt,
                    "account " + to_string(accounts[i].id) + " does not hold what was sent"
                );
            }
        }
    }
    return {};
}

Result<void> check_samples(Ledger& ledger, Load const& load) {
    ledger::LookupTransfers request;
    for (auto const& sample : load.samples()) {
        request.ids.push_back(sample.id);
    }
    FLORIN_TRY(auto const answer, ledger.call(request));
    auto const& found = std::get<ledger::TransfersAnswer>(answer).transfers;
    if (found.size() != load.samples().size()) {
        return fail(Errc::corrupt, "transfers are missing");
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
        auto expected = load.samples()[i];
        expected.timestamp = found[i].timestamp;
        if (found[i] != expected) {
            return fail(Errc::corrupt, "transfer " + to_string(found[i].id) + " differs");
        }
    }
    return {};
}

// ---- a workload ---------------------------------------------------------------------------------

// A directory of our own that is gone afterwards, or the caller's that stays.
class BenchDirectory {
public:
    explicit BenchDirectory(std::string const& wanted) : is_kept_{!wanted.empty()} {
        path_ = is_kept_ ? fs::path{wanted}
                         : fs::current_path() / ("florin-bench-" + std::to_string(::getpid()));
    }
    BenchDirectory(BenchDirectory const&) = delete;
    BenchDirectory& operator=(BenchDirectory const&) = delete;
    ~BenchDirectory() {
        if (!is_kept_) {
            std::error_code error;
            fs::remove_all(path_, error);
        }
    }
    Result<void> create() const {
        std::error_code error;
        fs::create_directories(path_, error);
        if (!error && !fs::is_empty(path_, error) && !error) {
            return fail(Errc::refused, path_.string() + ": is not empty");
        }
        if (error) {
            return fail(Errc::io, path_.string() + ": " + error.message());
        }
        return {};
    }
    fs::path const& path() const { return path_; }

private:
    bool is_kept_;
    fs::path path_;
};

// What appending the same bytes costs without a ledger: one value a batch.
Result<void> measure_limit(
    LedgerBenchOptions const& options,
    Workload const& workload,
    fs::path const& path,
    Measured& line
) {
    constexpr std::uint64_t kBytes = 1ULL << 30U;
    std::size_t const batch = workload.shape.batch;
    // A request of one transfer shares its sync with the others under way.
    std::size_t const together = batch == 1 ? kSubmitters : batch;
    FLORIN_TRY(line.fdatasync_us, ledger::measure_fdatasync_us(path));
    FLORIN_TRY(
        auto const limit,
        ledger::measure_append_limit(
            {.directory = path / "append-limit",
             .value_bytes = together * sizeof(ledger::Transfer),
             .bytes = batch == 1 ? kBytes / 16 : kBytes,
             .sync = options.sync}
        )
    );
    line.append_limit = limit.appends_per_second * static_cast<double>(together);
    std::error_code error;
    fs::remove_all(path / "append-limit", error);
    return {};
}

Result<void> run_load(
    Ledger& ledger,
    LedgerBenchOptions const& options,
    Workload const& workload,
    Load& load,
    Measured& line
) {
    FLORIN_TRY_VOID(create_accounts(ledger, load));
    if (workload.shape.batch == 1) {
        FLORIN_TRY(
            Latencies latencies, single_submitters(ledger, load, line.transfers, line.per_second)
        );
        line.p50_ms = latencies.percentile_ms(0.50);
        line.p99_ms = latencies.percentile_ms(0.99);
        return {};
    }
    auto const cpu_before = thread_seconds();
    bool const grows = std::string_view{workload.name} == "growth";
    std::size_t const slices = grows ? 6 : 1;
    auto const start = Steady::now();
    FLORIN_TRY(
        auto const rates, closed_loop(ledger, load, line.transfers, options.in_flight, slices)
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
    // Latency is told at 80 % of what was reached: at the peak itself it measures the queue.
    std::uint64_t const more = std::clamp<std::uint64_t>(line.transfers / 5, 100'000, 2'000'000);
    FLORIN_TRY(Latencies latencies, open_loop(ledger, load, more, line.per_second * 0.8));
    line.p50_ms = latencies.percentile_ms(0.50);
    line.p99_ms = latencies.percentile_ms(0.99);
    return {};
}

Result<Measured> run(LedgerBenchOptions const& options, Workload const& workload) {
    Measured line{.name = workload.name};
    line.transfers = options.transfers != 0 ? options.transfers : workload.transfers;
    BenchDirectory const directory{options.data_dir};
    FLORIN_TRY_VOID(directory.create());
    FLORIN_TRY_VOID(measure_limit(options, workload, directory.path(), line));
    SystemClock const clock;
    Load load{workload.shape, 42};
    fs::path const data_dir = directory.path() / "ledger";
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
        FLORIN_TRY_VOID(check_balances(*ledger, load));
        FLORIN_TRY_VOID(check_samples(*ledger, load));
    }
    FLORIN_TRY_VOID(ledger::compact_data_directory(data_dir));
    line.disk_bytes = directory_bytes(data_dir);
    {
        // What the next start finds is what was acknowledged.
        FLORIN_TRY(auto const ledger, Ledger::open({.data_dir = data_dir, .create = false}, clock));
        FLORIN_TRY_VOID(check_balances(*ledger, load));
        FLORIN_TRY_VOID(check_samples(*ledger, load));
    }
    if (options.verify) {
        ProgressBar bar{"verify"};
        FLORIN_TRY_VOID(ledger::verify_ledger(
            {.data_dir = data_dir, .scratch = directory.path()},
            [&](ledger::VerifyProgress const& progress) {
                bar.show(progress.step, progress.done, progress.total);
            }
        ));
    }
    line.disk_bytes = line.disk_bytes * line.transfers / load.made();
    return line;
}

// ---- printing -----------------------------------------------------------------------------------

std::string fixed(double value, int decimals) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, value);
    return text;
}

std::string whole(double value) {
    return with_separators(fixed(value, 0));
}

void print_json(LedgerBenchOptions const& options, std::vector<Measured> const& lines) {
    nlohmann::ordered_json workloads = nlohmann::ordered_json::array();
    for (Measured const& line : lines) {
        nlohmann::ordered_json entry{
            {"name", line.name},
            {"transfers", line.transfers},
            {"transfers_per_second", line.per_second},
            {"append_limit_per_second", line.append_limit},
            {"ratio", line.ratio()},
            {"p50_ms", line.p50_ms},
            {"p99_ms", line.p99_ms},
            {"rss_bytes", line.rss_bytes},
            {"disk_bytes", line.disk_bytes},
            {"fdatasync_us", line.fdatasync_us},
        };
        for (auto const& [name, ns] : line.thread_ns) {
            entry["processor_ns_per_transfer"][name] = ns;
        }
        if (line.growth) {
            entry["growth"] = *line.growth;
        }
        if (!options.sync) {
            entry["sync"] = false;
        }
        workloads.push_back(std::move(entry));
    }
    std::puts(nlohmann::ordered_json{{"workloads", workloads}}.dump().c_str());
}

void print_lines(LedgerBenchOptions const& options, std::vector<Measured> const& lines) {
    Table table{
        {"workload",
         ">transfers",
         ">a second",
         ">append limit",
         ">ratio",
         ">p50 ms",
         ">p99 ms",
         ">memory MiB",
         ">disk B/transfer",
         ">fdatasync us",
         "note"}
    };
    for (Measured const& line : lines) {
        std::string note;
        if (line.growth) {
            note = "last sixth / first: " + fixed(*line.growth, 2);
        }
        if (!options.sync) {
            note += std::string{note.empty() ? "" : "; "} + "SYNC IS OFF";
        }
        table.add(
            {line.name,
             with_separators(std::to_string(line.transfers)),
             whole(line.per_second),
             whole(line.append_limit),
             fixed(line.ratio(), 2),
             fixed(line.p50_ms, 2),
             fixed(line.p99_ms, 2),
             std::to_string(line.rss_bytes >> 20U),
             fixed(static_cast<double>(line.disk_bytes) / static_cast<double>(line.transfers), 0),
             fixed(line.fdatasync_us, 0),
             note}
        );
    }
    table.print(options.format);
    if (options.format != Format::table) {
        return;
    }
    for (Measured const& line : lines) {
        std::string threads;
        for (auto const& [name, ns] : line.thread_ns) {
            if (ns >= 1) {
                threads += (threads.empty() ? "" : ", ") + name + " " + fixed(ns, 0);
            }
        }
        if (!threads.empty()) {
            std::printf(
                "%s: processor time of a transfer in ns: %s\n", line.name.c_str(), threads.c_str()
            );
        }
    }
}

}  // namespace

std::string ledger_workload_names() {
    std::string names = "all";
    for (Workload const& workload : kWorkloads) {
        names += std::string{"|"} + workload.name;
    }
    return names;
}

int bench_ledger(LedgerBenchOptions const& options) {
    std::vector<Measured> lines;
    bool found = false;
    for (Workload const& workload : kWorkloads) {
        if (options.workload != "all" && options.workload != workload.name) {
            continue;
        }
        found = true;
        std::fprintf(stderr, "%s: %s\n", workload.name, workload.about);
        auto line = run(options, workload);
        if (!line) {
            report_error(line.error());
            return line.error().code == Errc::corrupt ? kFoundSomething : kCouldNotRun;
        }
        lines.push_back(std::move(*line));
    }
    if (!found) {
        return report_error(
            {Errc::malformed,
             "no workload \"" + options.workload + "\"; there are " + ledger_workload_names()}
        );
    }
    options.format == Format::json ? print_json(options, lines) : print_lines(options, lines);
    return kDone;
}

}  // namespace florin::tools
