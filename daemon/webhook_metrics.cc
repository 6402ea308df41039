#include "daemon/webhook_metrics.h"

namespace florin {

void add_webhook_metrics(metrics::Metrics& metrics, webhooks::Dispatcher const& dispatcher) {
    using Figures = webhooks::Dispatcher::Figures;
    auto const figure = [&dispatcher](std::uint64_t Figures::* member) {
        return [&dispatcher, member] { return static_cast<double>(dispatcher.figures().*member); };
    };
    metrics.add_counter(
        "florin_webhooks_delivered_total", "Events endpoints took.", figure(&Figures::delivered)
    );
    metrics.add_counter(
        "florin_webhooks_failed_total", "Tries that failed.", figure(&Figures::failed)
    );
    metrics.add_counter(
        "florin_webhooks_given_up_total",
        "Events of endpoints that are not tried any more.",
        figure(&Figures::given_up)
    );
    metrics.add_counter(
        "florin_webhooks_put_off_total",
        "Tries that were not made in time since threads were busy resolving names.",
        figure(&Figures::put_off)
    );
    metrics.add_gauge(
        "florin_webhooks_waiting", "Events that wait for another try.", figure(&Figures::waiting)
    );
    metrics.add_gauge(
        "florin_webhooks_endpoints", "Endpoints that are enabled.", figure(&Figures::endpoints)
    );
    metrics.add_gauge(
        "florin_webhooks_endpoints_down",
        "Endpoints that failed the last few tries.",
        figure(&Figures::down)
    );
    metrics.add_gauge(
        "florin_webhooks_lag_seconds",
        "Age of the oldest event that had no first try yet.",
        [&dispatcher] { return static_cast<double>(dispatcher.figures().lag_ms) / 1'000; }
    );
}

}  // namespace florin
