// What /metrics tells of the ledger, in every mode.
#pragma once

#include "daemon/metrics/metrics.h"
#include "ledger/ledger.h"

namespace florin {

// `ledger` outlives what is added.
void add_ledger_metrics(metrics::Metrics& metrics, ledger::Ledger const& ledger);

}  // namespace florin
