#include "daemon/log/log.h"

#include "daemon/model/json_text.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>

namespace florin::log {
namespace {

spdlog::level::level_enum spdlog_level(Level level) {
    switch (level) {
        case Level::debug: return spdlog::level::debug;
        case Level::info: return spdlog::level::info;
        case Level::warn: return spdlog::level::warn;
        case Level::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> const& standard_error() {
    static auto const logger = [] {
        auto made = std::make_shared<spdlog::logger>(
            "florin", std::make_shared<spdlog::sinks::stderr_sink_mt>()
        );
        made->set_level(spdlog::level::info);
        // %v is the rest of the object: time and level come first.
        made->set_pattern(
            R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})", spdlog::pattern_time_type::utc
        );
        return made;
    }();
    return logger;
}

std::mutex sink_mutex;
std::function<void(std::string_view)> test_sink;

}  // namespace

void write(Level level, std::string_view event, Fields fields) {
    auto const& logger = standard_error();
    if (!logger->should_log(spdlog_level(level))) {
        return;
    }
    constexpr std::size_t kUsual = 256;
    std::string text;
    text.reserve(kUsual);
    text += R"({"event":)";
    model::append_json(text, event);
    for (Field const& field : fields) {
        text += ',';
        model::append_json(text, field.name);
        text += ':';
        auto const append = [&](auto const& value) { model::append_json(text, value); };
        std::visit(append, field.value);
    }
    text += '}';
    {
        std::lock_guard const lock{sink_mutex};
        if (test_sink) {
            test_sink(text);
            return;
        }
    }
    logger->log(spdlog_level(level), "{}", std::string_view{text}.substr(1, text.size() - 2));
}

void set_level(Level level) {
    standard_error()->set_level(spdlog_level(level));
}

void set_sink(std::function<void(std::string_view line)> sink) {
    std::lock_guard const lock{sink_mutex};
    test_sink = std::move(sink);
}

}  // namespace florin::log
