// JSON text, written straight into a string: what documents are stored as and answers are made of.
// Thread rule: pure functions.
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace florin::model {

// With its quotes. What is not UTF-8 becomes U+FFFD, so that the text always is JSON.
void append_json(std::string& out, std::string_view text);

template <std::integral T>
    requires(!std::same_as<T, bool>)
void append_json(std::string& out, T number) {
    char digits[24];
    auto const end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(digits, end);
}

inline void append_json(std::string& out, std::same_as<bool> auto value) {
    out.append(value ? "true" : "false");
}

}  // namespace florin::model
