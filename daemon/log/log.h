// Structured logging: one event name and its fields, one JSON object a line, on standard error.
//
//   log::info("payment.posted", {{"payment", id}, {"amount", money}});
//
// error = a human must act; warn = it will matter soon; info = one line per payment; debug = off in
// production. Secrets have no way in: no Field can be made of one.
// Thread rule: every function may be called from any thread.
#pragma once

#include "ledger/base/id.h"
#include "ledger/base/money.h"
#include "ledger/base/secret.h"

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace florin::log {

enum class Level { debug, info, warn, error };

struct Field {
    Field(std::string_view key, std::string_view text) : name{key}, value{std::string{text}} {}
    Field(std::string_view key, std::string const& text) : name{key}, value{text} {}
    Field(std::string_view key, char const* text) : name{key}, value{std::string{text}} {}
    Field(std::string_view key, bool flag) : name{key}, value{flag} {}
    template <std::integral Integer>
        requires(!std::same_as<Integer, bool>)
    Field(std::string_view key, Integer number)
        : name{key}, value{static_cast<std::int64_t>(number)} {}
    Field(std::string_view key, Money money) : name{key}, value{to_string(money)} {}
    template <class Tag>
    Field(std::string_view key, Id<Tag> const& id) : name{key}, value{id.text()} {}
    template <class Tag>
    Field(std::string_view key, Secret<Tag> const& secret) = delete;

    std::string_view name;
    std::variant<std::string, std::int64_t, bool> value;
};
using Fields = std::initializer_list<Field>;

void write(Level level, std::string_view event, Fields fields);
inline void debug(std::string_view event, Fields fields) {
    write(Level::debug, event, fields);
}
inline void info(std::string_view event, Fields fields) {
    write(Level::info, event, fields);
}
inline void warn(std::string_view event, Fields fields) {
    write(Level::warn, event, fields);
}
inline void error(std::string_view event, Fields fields) {
    write(Level::error, event, fields);
}

// Events below this level are dropped. Default: info.
void set_level(Level level);
// Where lines go instead of standard error; for tests. An empty function restores it.
void set_sink(std::function<void(std::string_view line)> sink);

}  // namespace florin::log
