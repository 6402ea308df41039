// What the dispatcher of webhooks counts, as metrics. Thread rule: at the start.
#pragma once

#include "daemon/metrics/metrics.h"
#include "daemon/webhooks/dispatcher.h"

namespace florin {

// The dispatcher outlives what reads the metrics.
void add_webhook_metrics(metrics::Metrics& metrics, webhooks::Dispatcher const& dispatcher);

}  // namespace florin
