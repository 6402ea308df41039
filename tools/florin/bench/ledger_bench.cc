#include "tools/florin/bench/ledger_bench.h"

#include "ledger/store/append_limit.h"
#include "tools/florin/bench/bench_directory.h"
#include "tools/florin/bench/workload.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>

namespace florin::tools {
namespace {

namespace fs = std::filesystem;

std::array<Workload, 8> const kWorkloads{{
    {"time_ordered", "ids that increase with time", 10'000'000, {}},
    {"random_ids", "ids of 128 random bits", 10'000'000, {.ids = IdOrder::random}},
    {"hot", "all on two accounts", 10'000'000, {.accounts = 2}},
    {"two_phase", "pending, then posted; both counted", 10'000'000, {.two_phase = true}},
    {"single", "one transfer a request, 64 submitters", 1'000'000, {.batch = 1}, Reach::submitters},
    {"socket", "batches through a client on a local socket", 10'000'000, {}, Reach::socket},
    {"growth", "the last sixth of 30 million against the first", 30'000'000, {}, Reach::slices},
    {"restart", "from kill -9 at full load until it serves", 0, {}, Reach::restart},
}};

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

Result<Measured> run(LedgerBenchOptions const& options, Workload const& workload) {
    Measured line;
    line.name = workload.name;
    line.transfers = options.transfers != 0 ? options.transfers : workload.transfers;
    BenchDirectory const directory{options.data_dir};
    FLORIN_TRY_VOID(directory.create());
    if (workload.reach == Reach::restart) {
        FLORIN_TRY_VOID(run_restarts(options, workload, directory.path(), line));
        return line;
    }
    FLORIN_TRY_VOID(measure_limit(options, workload, directory.path(), line));
    FLORIN_TRY_VOID(
        workload.reach == Reach::socket ? run_over_socket(options, workload, directory.path(), line)
                                        : run_in_process(options, workload, directory.path(), line)
    );
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
        std::string note = line.note;
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
             fixed(
                 line.transfers == 0
                     ? 0.0
                     : static_cast<double>(line.disk_bytes) / static_cast<double>(line.transfers),
                 0
             ),
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
    if (options.load_for_ever) {
        auto const ended = load_for_ever(options.data_dir);
        return ended ? kDone : report_error(ended.error());
    }
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
