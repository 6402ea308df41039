#include "daemon/app_metrics.h"

#include "daemon/ledger_metrics.h"
#include "daemon/webhook_metrics.h"

namespace florin {
namespace {

void add_limit_metrics(metrics::Metrics& metrics, AppFigures const& parts) {
    metrics.add_gauge("florin_api_in_flight", "API requests being worked on.", [parts] {
        return static_cast<double>(parts.admission.figures().in_flight);
    });
    metrics.add_gauge(
        "florin_api_in_flight_bound",
        "How many API requests are let in at the same time now.",
        [parts] { return static_cast<double>(parts.admission.figures().bound); }
    );
    metrics.add_counter(
        "florin_api_overloaded_total",
        "API requests refused because more was asked than can be done.",
        [parts] { return static_cast<double>(parts.admission.figures().refused); }
    );
    metrics.add_counter(
        "florin_api_rate_limited_total",
        "API requests over the limits of their key.",
        [parts] { return static_cast<double>(parts.service.rate_limited()); }
    );
}

}  // namespace

void add_app_metrics(metrics::Metrics& metrics, AppFigures const& parts) {
    metrics.add_gauge("florin_http_connections", "Open connections to the API.", [parts] {
        return static_cast<double>(parts.server.figures().connections);
    });
    metrics.add_counter("florin_http_requests_total", "Requests that arrived whole.", [parts] {
        return static_cast<double>(parts.server.figures().requests);
    });
    metrics.add_counter(
        "florin_http_malformed_total",
        "Requests that broke HTTP or its limits.",
        [parts] { return static_cast<double>(parts.server.figures().malformed); }
    );
    add_limit_metrics(metrics, parts);
    add_ledger_metrics(metrics, parts.ledger);
    metrics.add_counter(
        "florin_bodies_forgotten_total",
        "Bodies beside the journal that were forgotten since the start.",
        [parts] { return static_cast<double>(parts.retention.dropped()); }
    );
    metrics.add_gauge("florin_attempts_driving", "Attempts being sent or repeated now.", [parts] {
        return static_cast<double>(parts.payments.driving());
    });
    add_webhook_metrics(metrics, parts.dispatcher);
}

}  // namespace florin
