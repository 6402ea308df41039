// What Prometheus scrapes: gauges and counters that are read from the parts when asked.
// Thread rule: add at the start, text() from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace florin::metrics {

// Name and value: {{"connector", "bank"}}.
using Labels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
public:
    Metrics();
    Metrics(Metrics const&) = delete;
    Metrics& operator=(Metrics const&) = delete;
    ~Metrics();

    // `read` is called for every scrape. Counters only grow. What has one name has one help and
    // one type, and labels that differ.
    void add_gauge(
        std::string const& name,
        std::string const& help,
        std::function<double()> read,
        Labels labels = {}
    );
    void add_counter(
        std::string const& name,
        std::string const& help,
        std::function<double()> read,
        Labels labels = {}
    );

    // The exposition format, text/plain; version=0.0.4.
    std::string text() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace florin::metrics
