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

void add_connector_metrics(metrics::Metrics& metrics, connectors::Connector const& connector) {
    using connectors::GuardHealth;
    metrics::Labels const labels{{"connector", connector.id().text()}};
    auto const read = [&connector](auto member) {
        return [&connector, member] {
            auto const guard = connector.health().guard.value_or(GuardHealth{});
            return static_cast<double>(guard.*member);
        };
    };
    metrics.add_gauge(
        "florin_connector_ready",
        "1 where a message would be sent now.",
        [&connector] { return connector.health().ready ? 1.0 : 0.0; },
        labels
    );
    if (!connector.health().guard) {
        return;
    }
    metrics.add_gauge(
        "florin_connector_breaker_state",
        "The circuit breaker: 0 closed, 1 half-open, 2 open.",
        read(&GuardHealth::breaker),
        labels
    );
    metrics.add_gauge(
        "florin_connector_in_flight",
        "Operations that the connector works on.",
        read(&GuardHealth::in_flight),
        labels
    );
    metrics.add_gauge(
        "florin_connector_waiting",
        "Captures, reversals and refunds that wait for a place.",
        read(&GuardHealth::waiting),
        labels
    );
    metrics.add_counter(
        "florin_connector_failures_total",
        "Operations that failed on the counterpart's side; declines do not.",
        read(&GuardHealth::failures),
        labels
    );
    auto const add_rejected = [&](char const* reason, auto member) {
        metrics::Labels with_reason = labels;
        with_reason.emplace_back("reason", reason);
        metrics.add_counter(
            "florin_connector_rejected_total",
            "Operations that ended as not sent without a call.",
            read(member),
            std::move(with_reason)
        );
    };
    add_rejected("breaker_open", &GuardHealth::rejected_open);
    add_rejected("bulkhead_full", &GuardHealth::rejected_full);
}

void add_link_metrics(
    metrics::Metrics& metrics, connectors::Connector const& connector, std::size_t at
) {
    using connectors::LinkHealth;
    metrics::Labels const labels{
        {"connector", connector.id().text()}, {"link", std::to_string(at + 1)}
    };
    auto const read = [&connector, at](auto member) {
        return
            [&connector, at, member] { return static_cast<double>(connector.links()[at].*member); };
    };
    metrics.add_gauge(
        "florin_link_connections",
        "Connections that the link is to have.",
        read(&LinkHealth::connections),
        labels
    );
    metrics.add_gauge(
        "florin_link_connections_ready",
        "Those that are signed on.",
        read(&LinkHealth::connections_ready),
        labels
    );
    for (auto const& counter : connectors::link_counter_names()) {
        auto const count = [&connector, at, member = counter.member] {
            return static_cast<double>(connector.links()[at].counters.*member);
        };
        std::string const name = "florin_link_" + std::string{counter.name};
        std::string const about{counter.about};
        if (counter.member == &connectors::LinkCounters::outstanding) {
            metrics.add_gauge(name, about, count, labels);
        } else {
            metrics.add_counter(name + "_total", about, count, labels);
        }
    }
}

// Of one connector and operation; of attempts whose connector is not configured any more nothing is
// shown: the alarm's log line names it.
void add_unknown_metrics(
    metrics::Metrics& metrics,
    flow::Unknowns const& unknowns,
    std::string const& connector,
    char const* operation
) {
    using Figures = flow::Unknowns::Figures;
    metrics::Labels const labels{{"connector", connector}, {"operation", operation}};
    auto const read = [&unknowns, connector, operation](auto value) {
        return [&unknowns, connector, operation, value] {
            Figures const figures = unknowns.figures(connector, operation);
            return static_cast<double>(value(figures));
        };
    };
    metrics.add_gauge(
        "florin_unknown_attempts",
        "Attempts of which nobody knows what became of them.",
        read([](Figures const& figures) { return figures.count(); }),
        labels
    );
    metrics.add_gauge(
        "florin_unknown_oldest_seconds",
        "Age of the oldest unknown attempt; 0 where there is none.",
        read([](Figures const& figures) { return figures.oldest_s; }),
        labels
    );
    metrics.add_gauge(
        "florin_unknown_alarm",
        "1 where an attempt is unknown for longer than [flow] unknown_alarm_minutes.",
        read([](Figures const& figures) { return figures.is_alarmed ? 1 : 0; }),
        labels
    );
    for (std::size_t i = 0; i < flow::Unknowns::kAges.size(); ++i) {
        metrics::Labels with_age = labels;
        with_age.emplace_back("age", flow::Unknowns::kAgeNames[i]);
        metrics.add_gauge(
            "florin_unknown_attempts_by_age",
            "Unknown attempts by their age.",
            read([i](Figures const& figures) { return figures.by_age[i]; }),
            std::move(with_age)
        );
    }
}

void add_second_success_metrics(
    metrics::Metrics& metrics, flow::Payments const& payments, std::string const& connector
) {
    for (char const* const by : {"reversal", "refund"}) {
        metrics.add_counter(
            "florin_second_successes_total",
            "Attempts that were given up, turned out to be approved, and are given back.",
            [&payments, connector, by] {
                return static_cast<double>(payments.second_successes(connector, by));
            },
            {{"connector", connector}, {"given_back_by", by}}
        );
    }
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
    for (connectors::Connector const* const connector : parts.connectors) {
        add_connector_metrics(metrics, *connector);
        for (std::size_t at = 0; at < connector->links().size(); ++at) {
            add_link_metrics(metrics, *connector, at);
        }
        std::string const& name = connector->id().text();
        for (char const* const operation : {"authorise", "capture", "void", "refund"}) {
            add_unknown_metrics(metrics, parts.unknowns, name, operation);
        }
        add_second_success_metrics(metrics, parts.payments, name);
    }
}

}  // namespace florin
