// What Prometheus scrapes: gauges and counters that are read from the parts when asked.
// Thread rule: add at the start, text() from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace florin::metrics {

class Metrics {
public:
    Metrics();
    Metrics(Metrics const&) = delete;
    Metrics& operator=(Metrics const&) = delete;
    ~Metrics();

    // `read` is called for every scrape. Counters only grow.
    void add_gauge(std::string const& name, std::string const& help, std::function<double()> read);
    void add_counter(
        std::string const& name, std::string const& help, std::function<double()> read
    );

    // The exposition format, text/plain; version=0.0.4.
    std::string text() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace florin::metrics
