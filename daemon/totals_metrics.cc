#include "daemon/totals_metrics.h"

#include "connectors/totals.h"

namespace florin {

void add_totals_metrics(metrics::Metrics& metrics, totals::Comparison const& comparison) {
    using connectors::TotalsResult;
    metrics::Labels const labels{{"connector", comparison.connector()}};
    metrics.add_gauge(
        "florin_totals_waiting",
        "Totals that the bank has not answered yet.",
        [&comparison] { return static_cast<double>(comparison.figures().waiting); },
        labels
    );
    metrics.add_gauge(
        "florin_totals_out_of_balance",
        "Currencies of the last compared business date in which bank and ledger differ.",
        [&comparison] { return static_cast<double>(comparison.figures().out_of_balance); },
        labels
    );
    for (TotalsResult const result :
         {TotalsResult::in_balance,
          TotalsResult::out_of_balance,
          TotalsResult::unconfirmed,
          TotalsResult::refused}) {
        metrics::Labels with_result = labels;
        with_result.emplace_back("result", connectors::totals_result_name(result));
        metrics.add_counter(
            "florin_totals_compared_total",
            "Totals that the bank has answered, by what came of it.",
            [&comparison, at = static_cast<std::size_t>(result)] {
                return static_cast<double>(comparison.figures().results[at]);
            },
            std::move(with_result)
        );
    }
}

}  // namespace florin
