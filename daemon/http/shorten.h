// Texts that a request sent, cut to what an answer shows of them.
// Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace florin::http {

// At most so many bytes of a text, and "…" where there is more. A character of UTF-8 is not cut in
// two, which would make an answer that is no JSON.
inline std::string shortened(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) {
        return std::string{text};
    }
    constexpr std::size_t kFollowingMax = 3;  // bytes of one character after its first
    auto const follows = [&](std::size_t at) {
        return (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
    };
    std::size_t end = bytes_max;
    while (end > 0 && bytes_max - end < kFollowingMax && follows(end)) {
        --end;
    }
    // What is not UTF-8 has no characters to keep whole.
    return std::string{text.substr(0, follows(end) ? bytes_max : end)} + "…";
}

}  // namespace florin::http
