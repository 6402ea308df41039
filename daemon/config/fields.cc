#include "daemon/config/fields.h"

#include <algorithm>

namespace florin::config {

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    });
}

bool is_country(std::string_view text) {
    return text.size() == 2 &&
           std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_category(std::string_view text) {
    return text.size() == 4 && is_digits(text);
}

bool is_acceptor(std::string_view text) {
    return !text.empty() && text.size() <= 15;
}

bool is_terminal(std::string_view text) {
    return !text.empty() && text.size() <= 8;
}

}  // namespace florin::config
