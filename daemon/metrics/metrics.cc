#include "daemon/metrics/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <vector>

namespace florin::metrics {

struct Metrics::State {
    struct Figure {
        std::string name;
        std::string help;
        prometheus::MetricType type;
        std::function<double()> read;
    };
    mutable std::mutex mutex;
    std::vector<Figure> figures;
};

Metrics::Metrics() : state_{std::make_unique<State>()} {}
Metrics::~Metrics() = default;

void Metrics::add_gauge(
    std::string const& name, std::string const& help, std::function<double()> read
) {
    std::lock_guard const lock{state_->mutex};
    state_->figures.push_back({name, help, prometheus::MetricType::Gauge, std::move(read)});
}

void Metrics::add_counter(
    std::string const& name, std::string const& help, std::function<double()> read
) {
    std::lock_guard const lock{state_->mutex};
    state_->figures.push_back({name, help, prometheus::MetricType::Counter, std::move(read)});
}

std::string Metrics::text() const {
    std::vector<prometheus::MetricFamily> families;
    {
        std::lock_guard const lock{state_->mutex};
        for (auto const& figure : state_->figures) {
            prometheus::ClientMetric metric;
            double const value = figure.read();
            metric.gauge.value = value;
            metric.counter.value = value;
            families.push_back({figure.name, figure.help, figure.type, {metric}});
        }
    }
    return prometheus::TextSerializer{}.Serialize(families);
}

}  // namespace florin::metrics
