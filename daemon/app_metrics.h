// What /metrics tells of the payment switch. Thread rule: at the start.
#pragma once

#include "connectors/connector.h"
#include "daemon/api/admission.h"
#include "daemon/api/service.h"
#include "daemon/flow/payments.h"
#include "daemon/flow/unknowns.h"
#include "daemon/http/server.h"
#include "daemon/metrics/metrics.h"
#include "daemon/retention/retention.h"
#include "daemon/webhooks/dispatcher.h"
#include "ledger/ledger.h"

#include <vector>

namespace florin {

// Whose figures are shown: all of them outlive the metrics' last reader.
struct AppFigures {
    http::Server const& server;
    api::Admission const& admission;
    api::Service const& service;
    ledger::Ledger const& ledger;
    retention::Retention const& retention;
    flow::Payments const& payments;
    flow::Unknowns const& unknowns;
    webhooks::Dispatcher const& dispatcher;
    std::vector<connectors::Connector*> const& connectors;  // looked at here, not kept
};

void add_app_metrics(metrics::Metrics& metrics, AppFigures const& parts);

}  // namespace florin
