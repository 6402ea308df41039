// What /metrics tells of comparing totals with a bank. Thread rule: at the start.
#pragma once

#include "daemon/metrics/metrics.h"
#include "daemon/totals/comparison.h"

namespace florin {

// `comparison` outlives the metrics' last reader.
void add_totals_metrics(metrics::Metrics& metrics, totals::Comparison const& comparison);

}  // namespace florin
