#include "tools/florin/bench/switch_bench.h"

#include "tools/florin/bench/bench_directory.h"
#include "tools/florin/bench/child.h"
#include "tools/florin/bench/https_load.h"
#include "tools/florin/bench/measure.h"
#include "tools/florin/bench/merchant_load.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>
#include <vector>

namespace florin::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// A confirmed payment waits for the answers to its authorisation and its capture.
constexpr int kRoundTrips = 2;

// florin-banksim with a book of its own that is not synced: its disk is not what is measured.
class Bank {
public:
    Result<void> start(fs::path const& directory) {
        FLORIN_TRY(auto const program, banksim_program());
        std::vector<std::string> const arguments{
            "--data-dir",
            directory.string(),
            "--listen",
            "127.0.0.1:0",
            "--control",
            "127.0.0.1:0",
            "--no-sync"
        };
        FLORIN_TRY_VOID(child_.start(program, arguments, directory.string() + ".log"));
        FLORIN_TRY(auto const text, child_.line());
        auto const ready = ordered_json::parse(text, nullptr, false);
        if (!ready.is_object() || ready.value("event", "") != "ready") {
            return fail(Errc::refused, "florin-banksim did not start: " + text);
        }
        address_ = ready.value("address", "");
        control_ = ready.value("control", "");
        return {};
    }

    // Every message is decided so much later; 0: at once again.
    Result<void> set_delay(std::uint64_t ms) const {
        namespace asio = boost::asio;
        boost::system::error_code error;
        asio::io_context context{1};
        asio::ip::tcp::socket socket{context};
        auto const colon = control_.rfind(':');
        asio::ip::tcp::resolver resolver{context};
        auto const found =
            resolver.resolve(control_.substr(0, colon), control_.substr(colon + 1), error);
        if (!error) {
            asio::connect(socket, found, error);
        }
        if (!error) {
            auto const order =
                ms > 0 ? ordered_json{{"delay_ms", ms}} : ordered_json{{"clear", true}};
            std::string const line = order.dump() + "\n";
            asio::write(socket, asio::buffer(line), error);
        }
        std::string answer;
        if (!error) {
            asio::read_until(socket, asio::dynamic_buffer(answer), '\n', error);
        }
        auto const said = ordered_json::parse(answer, nullptr, false);
        if (error || !said.is_object() || !said.value("ok", false)) {
            return fail(Errc::refused, "florin-banksim: " + error.message() + " " + answer);
        }
        return {};
    }

    // With commas, for each link the same.
    std::string addresses(std::uint64_t links) const {
        std::string list = address_;
        for (std::uint64_t i = 1; i < links; ++i) {
            list += "," + address_;
        }
        return list;
    }
    pid_t pid() const { return child_.pid(); }
    Result<void> stop() { return child_.stop(); }

private:
    Child child_;
    std::string address_, control_;
};

struct Percentiles {
    double p50_ms = 0, p99_ms = 0, p999_ms = 0;

    // Without what the bank took.
    Percentiles less(double ms) const {
        auto const rest = [ms](double all) { return std::max(0.0, all - ms); };
        return {rest(p50_ms), rest(p99_ms), rest(p999_ms)};
    }
};

struct Loop {
    std::uint64_t requests = 0;
    double per_second = 0;
    Percentiles latency;
    // Of the loop with its warm-up, for each payment; 0: not our process.
    double florind_us = 0, banksim_us = 0, client_us = 0;
    std::uint64_t florind_bytes = 0, banksim_bytes = 0;
};

struct Outcome {
    Loop bare, closed, open;
    std::uint64_t links = 0;  // that were signed on; 0: not our daemon
};

class SwitchBench {
public:
    explicit SwitchBench(SwitchBenchOptions const& options)
        : options_{options}, directory_{options.data_dir} {}

    Result<Outcome> run() {
        Outcome outcome;
        bool const is_ours = options_.url.empty();
        FLORIN_TRY_VOID(directory_.create());
        FLORIN_TRY(outcome.bare, measure_bare());
        if (is_ours) {
            FLORIN_TRY_VOID(bank_.start(directory_.path() / "bank"));
            FLORIN_TRY_VOID(start_florind(
                florind_,
                directory_.path() / "florind",
                {.iso8583 = bank_.addresses(options_.links)}
            ));
            FLORIN_TRY(outcome.links, wait_for_links());
        } else {
            FLORIN_TRY_VOID(find_florind(florind_, options_.url, options_.ca_file));
        }
        payments_.emplace(florind_);
        // The open loop first: a full load leaves table files to be merged for seconds, and what is
        // asked here is what a payment takes at this rate, not after that one.
        HttpsLoad load{
            .connections = options_.connections,
            .seconds = options_.seconds,
            .per_second = options_.rate,
        };
        if (is_ours) {
            FLORIN_TRY_VOID(bank_.set_delay(options_.bank_delay_ms));
        }
        FLORIN_TRY(outcome.open, measure("open loop", florind_, load, *payments_));
        if (is_ours) {
            FLORIN_TRY_VOID(bank_.set_delay(0));
        }
        load.per_second = 0;
        FLORIN_TRY(outcome.closed, measure("closed loop", florind_, load, *payments_));
        if (is_ours) {
            FLORIN_TRY_VOID(florind_.child.stop());
            FLORIN_TRY_VOID(bank_.stop());
        }
        return outcome;
    }

private:
    // How many there are, once all of them are signed on.
    Result<std::uint64_t> wait_for_links() const {
        constexpr int kTries = 200;
        constexpr auto kPause = std::chrono::milliseconds{50};
        for (int i = 0; i < kTries; ++i) {
            FLORIN_TRY(auto const text, ask_operators(florind_, "/admin/v1/health"));
            auto const health = ordered_json::parse(text, nullptr, false);
            if (!health.is_object() || !health.contains("connectors")) {
                return fail(Errc::refused, "florind's health: " + text);
            }
            for (auto const& connector : health["connectors"]) {
                auto const& links = connector["links"];
                bool const are_ready = std::ranges::all_of(links, [](auto const& link) {
                    return link.value("ready", false);
                });
                if (!links.empty() && are_ready) {
                    return links.size();
                }
            }
            std::this_thread::sleep_for(kPause);
        }
        return fail(Errc::refused, "florind's links to the bank do not sign on");
    }

    Result<Loop> measure_bare() {
        Florind bare;
        FLORIN_TRY_VOID(start_florind(bare, directory_.path() / "bare", {.bare = true}));
        SameDriver driver = bare_driver(bare);
        HttpsLoad const load{.connections = options_.connections, .seconds = options_.seconds};
        FLORIN_TRY(auto loop, measure("bare", bare, load, driver));
        FLORIN_TRY_VOID(bare.child.stop());
        return loop;
    }

    Result<Loop> measure(
        char const* name, Florind const& florind, HttpsLoad const& load, RequestDriver& driver
    ) {
        std::fprintf(stderr, "%s\n", name);
        pid_t const bank = std::max(bank_.pid(), pid_t{0});
        ProcessorUse const of_florind{florind.pid};
        ProcessorUse const of_bank{bank};
        double const before = own_seconds();
        FLORIN_TRY(auto result, run_https_load(florind.target, load, driver));
        auto const each = [&](double seconds) {
            return seconds * 1e6 / static_cast<double>(std::max<std::uint64_t>(result.answered, 1));
        };
        return Loop{
            .requests = result.requests,
            .per_second = result.per_second,
            .latency =
                {.p50_ms = result.latencies.percentile_ms(0.5),
                 .p99_ms = result.latencies.percentile_ms(0.99),
                 .p999_ms = result.latencies.percentile_ms(0.999)},
            .florind_us = each(of_florind.seconds()),
            .banksim_us = each(of_bank.seconds()),
            .client_us = each(own_seconds() - before),
            .florind_bytes = florind.pid != 0 ? resident_bytes(florind.pid) : 0,
            .banksim_bytes = bank != 0 ? resident_bytes(bank) : 0,
        };
    }

    static double own_seconds() {
        double sum = 0;
        for (auto const& [thread, seconds] : thread_seconds()) {
            sum += seconds;
        }
        return sum;
    }

    SwitchBenchOptions const& options_;
    BenchDirectory directory_;
    Bank bank_;  // ends after the florind that it serves
    Florind florind_;
    std::optional<PaymentDriver> payments_;
};

double bank_ms(SwitchBenchOptions const& options) {
    return static_cast<double>(kRoundTrips * options.bank_delay_ms);
}

ordered_json json_of(Percentiles const& latency) {
    return {{"p50_ms", latency.p50_ms}, {"p99_ms", latency.p99_ms}, {"p999_ms", latency.p999_ms}};
}

ordered_json json_of(Loop const& loop) {
    ordered_json body = {
        {"payments", loop.requests},
        {"payments_per_second", loop.per_second},
        {"latency", json_of(loop.latency)},
        {"processor_us_per_payment",
         {{"florind", loop.florind_us}, {"banksim", loop.banksim_us}, {"client", loop.client_us}}},
        {"rss_bytes", {{"florind", loop.florind_bytes}, {"banksim", loop.banksim_bytes}}},
    };
    return body;
}

void print_json(Outcome const& outcome, SwitchBenchOptions const& options) {
    ordered_json closed = json_of(outcome.closed);
    closed["ratio_to_bare"] = outcome.closed.per_second / outcome.bare.per_second;
    ordered_json open = json_of(outcome.open);
    open["rate"] = options.rate;
    open["bank_delay_ms"] = options.bank_delay_ms;
    open["bank_round_trips"] = kRoundTrips;
    open["added"] = json_of(outcome.open.latency.less(bank_ms(options)));
    ordered_json const body = {
        {"links", outcome.links != 0 ? ordered_json(outcome.links) : ordered_json(nullptr)},
        {"connections", options.connections},
        {"bare",
         {{"requests_per_second", outcome.bare.per_second},
          {"latency", json_of(outcome.bare.latency)}}},
        {"closed", closed},
        {"open", open},
    };
    std::puts(body.dump().c_str());
}

void print_table(Outcome const& outcome, SwitchBenchOptions const& options) {
    Table table{
        {"loop",
         ">a second",
         ">of bare",
         ">p50 ms",
         ">p99 ms",
         ">p99.9 ms",
         ">florind us",
         ">banksim us",
         ">client us",
         ">florind MiB",
         ">banksim MiB"}
    };
    auto const add = [&](char const* name, Loop const& loop, Percentiles const& latency) {
        table.add(
            {name,
             with_separators(fixed(loop.per_second, 0)),
             fixed(loop.per_second / outcome.bare.per_second, 3),
             fixed(latency.p50_ms, 2),
             fixed(latency.p99_ms, 2),
             fixed(latency.p999_ms, 2),
             fixed(loop.florind_us, 0),
             fixed(loop.banksim_us, 0),
             fixed(loop.client_us, 0),
             std::to_string(loop.florind_bytes >> 20U),
             std::to_string(loop.banksim_bytes >> 20U)}
        );
    };
    add("bare", outcome.bare, outcome.bare.latency);
    add("closed", outcome.closed, outcome.closed.latency);
    add("open", outcome.open, outcome.open.latency);
    add("open, added", outcome.open, outcome.open.latency.less(bank_ms(options)));
    table.print(options.format);
}

}  // namespace

int bench_switch(SwitchBenchOptions const& options) {
    SwitchBench bench{options};
    auto const outcome = bench.run();
    if (!outcome) {
        return report_error(outcome.error());
    }
    if (options.format == Format::json) {
        print_json(*outcome, options);
    } else {
        print_table(*outcome, options);
    }
    return kDone;
}

}  // namespace florin::tools
