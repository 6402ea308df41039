#include "tools/florin/settle.h"

#include "ledger/base/money.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace florin::tools {
namespace {

using nlohmann::ordered_json;

void print_batch(ordered_json const& batch, Format format) {
    if (format == Format::json) {
        fmt::print("{}\n", batch.dump(2));
        return;
    }
    if (format == Format::table) {
        fmt::print(
            "batch {}: {}, everything up to record {}\n",
            text_of(batch, "batch"),
            text_of(batch, "state"),
            text_of(batch, "cut_sequence")
        );
        if (!text_of(batch, "file").empty()) {
            fmt::print(
                "file  {}\n      sha256 {}\n", text_of(batch, "file"), text_of(batch, "file_sha256")
            );
        }
        fmt::print("\n");
    }
    Table table{
        {"payout",
         "merchant",
         "currency",
         ">opening",
         ">gross",
         ">fees",
         ">refunds",
         ">payouts",
         ">returned",
         ">amount",
         "state"}
    };
    for (auto const& payout : batch.value("payouts", ordered_json::array())) {
        std::string const currency = text_of(payout, "currency");
        auto const money = [&](char const* name) {
            return decimal_of(payout.value(name, std::int64_t{0}), currency);
        };
        table.add(
            {text_of(payout, "payout"),
             text_of(payout, "merchant"),
             currency,
             money("opening_minor"),
             money("gross_minor"),
             money("fees_minor"),
             money("refunds_minor"),
             money("payouts_minor"),
             money("returned_minor"),
             money("amount_minor"),
             text_of(payout, "state")}
        );
    }
    table.print(format);
}

}  // namespace

int settle_run(DaemonOptions const& daemon, Format format) {
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    auto const batch = (*client)->run_job("/settlement/runs", "settle");
    if (!batch) {
        return report_error(batch.error());
    }
    print_batch(*batch, format);
    return text_of(*batch, "state") == "unknown" ? kFoundSomething : kDone;
}

int settle_status(DaemonOptions const& daemon, Format format) {
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    auto const batches = (*client)->get("/settlement/batches");
    if (!batches) {
        return report_error(batches.error());
    }
    Table table{{"batch", "state", "date", ">cut_sequence", ">payouts", "file"}};
    for (auto const& batch : *batches) {
        table.add(
            {text_of(batch, "batch"),
             text_of(batch, "state"),
             text_of(batch, "date"),
             text_of(batch, "cut_sequence"),
             text_of(batch, "payouts_count"),
             text_of(batch, "file")}
        );
    }
    table.print(format);
    return kDone;
}

int settle_show(DaemonOptions const& daemon, std::string const& batch, Format format) {
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    auto const found = (*client)->get("/settlement/batches/" + batch);
    if (!found) {
        return report_error(found.error());
    }
    print_batch(*found, format);
    return kDone;
}

}  // namespace florin::tools
