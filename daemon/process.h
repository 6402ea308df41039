// What every way of starting florind shares: saying what happened on standard output, one JSON
// object a line, waiting for the signal to stop, and the exit code.
//
// Thread rule: on the main thread.
#pragma once

#include "daemon/config/config.h"
#include "ledger/base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <signal.h>
#include <string>

namespace florin {

inline constexpr int kStopped = 0;
inline constexpr int kFailed = 1;
inline constexpr int kCouldNotStart = 2;

// {"event":…} on standard output.
void print_event(nlohmann::ordered_json const& event);
// Tells it everywhere; answers kCouldNotStart.
int could_not_start(Error const& error);
void print_stopped();

void set_log_level(config::Config const& config);
// Errc::not_found names the file.
Result<std::string> read_whole(std::string const& file);

// Waits for SIGTERM or SIGINT, or for somebody who says that something failed.
class StopSignal {
public:
    // Blocks the signals for every thread made after this.
    StopSignal();
    // True: something failed.
    bool wait();
    // Any thread.
    void fail();

private:
    sigset_t signals_{};
    std::atomic<bool> failed_ = false;
};

// Starts an App, waits and takes it down. App::make takes what to call when something failed.
template <class App>
int run_process(std::function<Result<void>(App& app)> const& start) {
    StopSignal stop;
    auto const app = App::make([&stop] { stop.fail(); });
    if (auto const started = start(*app); !started) {
        app->close();
        return could_not_start(started.error());
    }
    bool const failed = stop.wait();
    app->close();
    print_stopped();
    return failed ? kFailed : kStopped;
}

}  // namespace florin
