#include "daemon/process.h"

#include "daemon/log/log.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace florin {

void print_event(nlohmann::ordered_json const& event) {
    std::string const line = event.dump() + "\n";
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);
}

int could_not_start(Error const& error) {
    log::error("start.failed", {{"what", error.context}});
    print_event({{"event", "error"}, {"message", error.context}});
    return kCouldNotStart;
}

void print_stopped() {
    print_event({{"event", "stopped"}});
}

void set_log_level(config::Config const& config) {
    if (config.log.level == "debug") {
        log::set_level(log::Level::debug);
    } else if (config.log.level == "warn") {
        log::set_level(log::Level::warn);
    } else if (config.log.level == "error") {
        log::set_level(log::Level::error);
    }
}

Result<std::string> read_whole(std::string const& file) {
    std::ifstream in{file};
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
        return fail(Errc::not_found, file + ": cannot read");
    }
    return text.str();
}

StopSignal::StopSignal() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

bool StopSignal::wait() {
    int number = 0;
    sigwait(&signals_, &number);
    return failed_;
}

void StopSignal::fail() {
    failed_ = true;
    ::kill(::getpid(), SIGTERM);
}

}  // namespace florin
