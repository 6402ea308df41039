#include "tools/florin/bench/api_bench.h"

#include "ledger/store/data_dir.h"
#include "ledger/store/local_journal.h"
#include "tools/florin/bench/bench_directory.h"
#include "tools/florin/bench/https_load.h"
#include "tools/florin/bench/measure.h"
#include "tools/florin/bench/merchant_load.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <thread>
#include <unistd.h>

namespace florin::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

struct ApiWorkload {
    char const* name;
    char const* about;
};
std::array<ApiWorkload, 6> const kWorkloads{{
    {"payment", "POST /v1/payment_intents with confirm, a new Idempotency-Key each"},
    {"get", "GET /v1/payment_intents/:id, any of those made"},
    {"list", "GET /v1/payment_intents?limit=10"},
    {"bare", "the same server and TLS without the application, 2 KiB answers"},
    {"idle", "memory of connections that ask for nothing"},
    {"retention", "payments, and what is left of them once nothing need be kept any more"},
}};

struct Line {
    std::string name;
    std::uint64_t requests = 0;
    double per_second = 0, p50_ms = 0, p99_ms = 0, p999_ms = 0;
    double bytes_per_payment = 0;
    double bytes_per_connection = 0;
    std::uint64_t rss_bytes = 0;
    double ratio = 0;                         // of the bare responder's rate
    std::map<std::string, double> thread_us;  // the daemon's processor time for a request
};

class GetDriver final : public RequestDriver {
public:
    GetDriver(Florind const& daemon, std::vector<std::string> const& ids)
        : daemon_{daemon}, ids_{ids} {}
    std::string next() override {
        asked_ = ids_[random_.below(static_cast<std::uint32_t>(ids_.size()))];
        return request_head(daemon_, "GET", "/v1/payment_intents/" + asked_, "\r\n");
    }
    bool take(int status, std::string_view body) override {
        return status == 200 && body.find(kIdAt) != std::string_view::npos;
    }

private:
    Florind const& daemon_;
    std::vector<std::string> const& ids_;
    std::string asked_;
    FastRandom random_{7};
};

// Of records and bodies, each once: what waits in the write-ahead log is stored first. For a
// directory that nobody has open.
Result<std::uint64_t> journal_bytes(fs::path const& data_dir) {
    FLORIN_TRY(
        auto const directory,
        ledger::DataDirectory::open(data_dir, ledger::DataDirectory::Access::exclusive, false)
    );
    FLORIN_TRY(
        auto journal,
        ledger::LocalJournal::open({.directory = directory.log(), .witness = directory.witness()})
    );
    FLORIN_TRY_VOID(journal->compact());
    journal.reset();
    return directory_bytes(directory.log());
}

Line line_of(std::string name, HttpsLoadResult& result, Florind const& daemon) {
    Line line;
    line.name = std::move(name);
    line.requests = result.requests;
    line.per_second = result.per_second;
    line.p50_ms = result.latencies.percentile_ms(0.5);
    line.p99_ms = result.latencies.percentile_ms(0.99);
    line.p999_ms = result.latencies.percentile_ms(0.999);
    line.rss_bytes = daemon.pid != 0 ? resident_bytes(daemon.pid) : 0;
    return line;
}

class ApiBench {
public:
    explicit ApiBench(ApiBenchOptions const& options)
        : options_{options}, directory_{options.data_dir} {}

    Result<std::vector<Line>> run() {
        if (options_.url.empty()) {
            FLORIN_TRY_VOID(directory_.create());
        }
        if (wants("bare")) {
            FLORIN_TRY_VOID(measure_bare());
        }
        if (options_.url.empty()) {
            FLORIN_TRY_VOID(start_florind(daemon_, directory_.path() / "florind", {}));
        } else {
            FLORIN_TRY_VOID(find_florind(daemon_, options_.url, options_.ca_file));
        }
        FLORIN_TRY_VOID(measure_payments());
        if (wants("get")) {
            GetDriver driver{daemon_, payments_->ids()};
            FLORIN_TRY_VOID(measure("get", driver, options_.seconds));
        }
        if (wants("list")) {
            SameDriver driver{
                request_head(daemon_, "GET", "/v1/payment_intents?limit=10", "\r\n"), 5'000
            };
            FLORIN_TRY_VOID(measure("list", driver, options_.seconds));
        }
        if (wants("idle") && daemon_.pid != 0) {
            FLORIN_TRY_VOID(measure_idle());
        }
        FLORIN_TRY_VOID(daemon_.child.stop());
        if (wants("payment") && !daemon_.data_dir.empty()) {
            FLORIN_TRY_VOID(note_journal(daemon_, "payment", payments_->made()));
        }
        if (wants("retention") && options_.url.empty()) {
            FLORIN_TRY_VOID(measure_retention());
        }
        for (Line& line : lines_) {
            line.ratio = bare_ > 0 ? line.per_second / bare_ : 0;
        }
        return std::move(lines_);
    }

private:
    bool wants(std::string_view name) const {
        return options_.workload == "all" || options_.workload == name;
    }

    Result<void> measure(char const* name, RequestDriver& driver, double seconds) {
        return measure(daemon_, name, driver, seconds);
    }

    Result<void> measure(
        Florind const& daemon, char const* name, RequestDriver& driver, double seconds
    ) {
        std::fprintf(stderr, "%s\n", name);
        ProcessorUse const use{daemon.pid};
        FLORIN_TRY(
            auto result,
            run_https_load(
                daemon.target, {.connections = options_.connections, .seconds = seconds}, driver
            )
        );
        lines_.push_back(line_of(name, result, daemon));
        lines_.back().thread_us = use.us_of_each(result.answered);
        return {};
    }

    Result<void> measure_bare() {
        Florind bare;
        FLORIN_TRY_VOID(start_florind(bare, directory_.path() / "bare", {.bare = true}));
        SameDriver driver = bare_driver(bare);
        FLORIN_TRY_VOID(measure(bare, "bare", driver, options_.seconds));
        bare_ = lines_.back().per_second;
        return bare.child.stop();
    }

    // Where only reading is asked for, enough payments to read.
    Result<void> measure_payments() {
        constexpr double kToRead = 2;
        payments_.emplace(daemon_);
        bool const is_wanted = wants("payment");
        FLORIN_TRY_VOID(measure("payment", *payments_, is_wanted ? options_.seconds : kToRead));
        if (!is_wanted) {
            lines_.pop_back();
        }
        return {};
    }

    // What the journal of a stopped daemon takes, for the line of that name.
    Result<void> note_journal(Florind const& daemon, char const* name, std::uint64_t payments) {
        auto const line = std::ranges::find(lines_, name, &Line::name);
        FLORIN_TRY(std::uint64_t const bytes, journal_bytes(daemon.data_dir));
        line->bytes_per_payment =
            static_cast<double>(bytes) / static_cast<double>(std::max<std::uint64_t>(payments, 1));
        return {};
    }

    // A few payments, and then as long as it takes until they are old and looked at.
    Result<void> measure_retention() {
        constexpr unsigned kKeepSeconds = 4;
        constexpr double kSeconds = 2;
        Florind daemon;
        FLORIN_TRY_VOID(
            start_florind(daemon, directory_.path() / "retention", {.keep_seconds = kKeepSeconds})
        );
        PaymentDriver payments{daemon};
        FLORIN_TRY_VOID(measure(daemon, "retention", payments, kSeconds));
        std::this_thread::sleep_for(std::chrono::seconds{4 * kKeepSeconds});
        FLORIN_TRY_VOID(daemon.child.stop());
        return note_journal(daemon, "retention", payments.made());
    }

    Result<void> measure_idle() {
        std::fprintf(stderr, "idle\n");
        std::uint64_t const before = resident_bytes(daemon_.pid);
        IdleConnections idle;
        FLORIN_TRY_VOID(idle.open(daemon_.target, options_.idle_connections));
        std::uint64_t const after = resident_bytes(daemon_.pid);
        Line line;
        line.name = "idle";
        line.requests = options_.idle_connections;
        line.rss_bytes = after;
        line.bytes_per_connection = static_cast<double>(after - std::min(before, after)) /
                                    static_cast<double>(options_.idle_connections);
        lines_.push_back(line);
        return {};
    }

    ApiBenchOptions const& options_;
    BenchDirectory directory_;
    Florind daemon_;
    std::optional<PaymentDriver> payments_;
    std::vector<Line> lines_;
    double bare_ = 0;
};

void print_json(std::vector<Line> const& lines) {
    ordered_json workloads = ordered_json::array();
    for (Line const& line : lines) {
        ordered_json entry{{"name", line.name}, {"requests", line.requests}};
        if (line.name == "idle") {
            entry["bytes_per_connection"] = line.bytes_per_connection;
        } else {
            entry["requests_per_second"] = line.per_second;
            entry["ratio_to_bare"] = line.ratio;
            entry["p50_ms"] = line.p50_ms;
            entry["p99_ms"] = line.p99_ms;
            entry["p999_ms"] = line.p999_ms;
        }
        if (line.bytes_per_payment > 0) {
            entry["journal_bytes_per_payment"] = line.bytes_per_payment;
        }
        entry["rss_bytes"] = line.rss_bytes;
        for (auto const& [thread, us] : line.thread_us) {
            entry["processor_us_per_request"][thread] = us;
        }
        workloads.push_back(std::move(entry));
    }
    std::puts(ordered_json{{"workloads", workloads}}.dump().c_str());
}

void print_table(std::vector<Line> const& lines, Format format) {
    Table table{
        {"workload",
         ">requests",
         ">a second",
         ">of bare",
         ">p50 ms",
         ">p99 ms",
         ">p99.9 ms",
         ">memory MiB",
         "note"}
    };
    for (Line const& line : lines) {
        bool const is_load = line.name != "idle";
        std::string note;
        if (line.bytes_per_payment > 0) {
            note = fixed(line.bytes_per_payment, 0) + " journal bytes a payment";
        } else if (!is_load) {
            note = fixed(line.bytes_per_connection / 1024, 1) + " KiB a connection";
        }
        table.add(
            {line.name,
             with_separators(std::to_string(line.requests)),
             is_load ? with_separators(fixed(line.per_second, 0)) : "",
             is_load && line.ratio > 0 ? fixed(line.ratio, 2) : "",
             is_load ? fixed(line.p50_ms, 2) : "",
             is_load ? fixed(line.p99_ms, 2) : "",
             is_load ? fixed(line.p999_ms, 2) : "",
             std::to_string(line.rss_bytes >> 20U),
             note}
        );
    }
    table.print(format);
    if (format != Format::table) {
        return;
    }
    for (Line const& line : lines) {
        std::string threads;
        for (auto const& [thread, us] : line.thread_us) {
            if (us >= 0.1) {
                threads += (threads.empty() ? "" : ", ") + thread + " " + fixed(us, 1);
            }
        }
        if (!threads.empty()) {
            std::printf(
                "%s: the daemon's processor time of a request in us: %s\n",
                line.name.c_str(),
                threads.c_str()
            );
        }
    }
}

}  // namespace

std::string api_workload_names() {
    std::string names = "all";
    for (ApiWorkload const& workload : kWorkloads) {
        names += std::string{"|"} + workload.name;
    }
    return names;
}

int bench_api(ApiBenchOptions const& options) {
    bool const is_known =
        options.workload == "all" || std::ranges::any_of(kWorkloads, [&](ApiWorkload const& each) {
            return options.workload == each.name;
        });
    if (!is_known) {
        return report_error(
            {Errc::malformed,
             "no workload \"" + options.workload + "\"; there are " + api_workload_names()}
        );
    }
    ApiBench bench{options};
    auto const lines = bench.run();
    if (!lines) {
        return report_error(lines.error());
    }
    options.format == Format::json ? print_json(*lines) : print_table(*lines, options.format);
    return kDone;
}

}  // namespace florin::tools
