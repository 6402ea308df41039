#include "daemon/ledger_metrics.h"

namespace florin {

void add_ledger_metrics(metrics::Metrics& metrics, ledger::Ledger const& ledger) {
    metrics.add_gauge("florin_ledger_queue", "Requests waiting for the ledger thread.", [&ledger] {
        return static_cast<double>(ledger.figures().queued);
    });
    metrics.add_counter(
        "florin_journal_records_total",
        "Records appended since the start.",
        [&ledger] { return static_cast<double>(ledger.figures().records); }
    );
    metrics.add_counter("florin_transfers_total", "Transfers created since the start.", [&ledger] {
        return static_cast<double>(ledger.figures().transfers);
    });
    metrics.add_gauge("florin_journal_head", "Sequence of the last record.", [&ledger] {
        return static_cast<double>(ledger.head().sequence);
    });
}

}  // namespace florin
