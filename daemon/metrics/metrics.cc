#include "daemon/metrics/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <vector>

namespace florin::metrics {

struct Metrics::State {
    struct Figure {
        std::string name;
        std::string help;
        prometheus::MetricType type;
        std::function<double()> read;
        Labels labels;
    };
    mutable std::mutex mutex;
    std::vector<Figure> figures;
};

Metrics::Metrics() : state_{std::make_unique<State>()} {}
Metrics::~Metrics() = default;

void Metrics::add_gauge(
    std::string const& name, std::string const& help, std::function<double()> read, Labels labels
) {
    std::lock_guard const lock{state_->mutex};
    state_->figures.push_back(
        {name, help, prometheus::MetricType::Gauge, std::move(read), std::move(labels)}
    );
}

void Metrics::add_counter(
    std::string const& name, std::string const& help, std::function<double()> read, Labels labels
) {
    std::lock_guard const lock{state_->mutex};
    state_->figures.push_back(
        {name, help, prometheus::MetricType::Counter, std::move(read), std::move(labels)}
    );
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
            for (auto const& [label, text] : figure.labels) {
                metric.label.push_back({label, text});
            }
            auto family = std::ranges::find(families, figure.name, &prometheus::MetricFamily::name);
            if (family == families.end()) {
                families.push_back({figure.name, figure.help, figure.type, {}});
                family = std::prev(families.end());
            }
            family->metric.push_back(std::move(metric));
        }
    }
    return prometheus::TextSerializer{}.Serialize(families);
}

}  // namespace florin::metrics
