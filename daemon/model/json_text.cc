#include "daemon/model/json_text.h"

#include <array>

namespace florin::model {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Characters that stand in JSON as they are: a look for each is what text costs.
constexpr auto kPlain = [] {
    std::array<bool, 256> plain{};
    for (std::size_t c = 0x20; c < 0x80; ++c) {
        plain[c] = c != '"' && c != '\\';
    }
    return plain;
}();

void append_control(std::string& out, unsigned char c) {
    constexpr std::string_view kHex = "0123456789abcdef";
    switch (c) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default:
            out += "\\u00";
            out += kHex[c >> 4U];
            out += kHex[c & 15U];
    }
}

// How many bytes of `text` are its first character; 0: it does not begin with a character. RFC 3629
// section 4: no overlong forms, no surrogates, nothing above U+10FFFF.
std::size_t character_length(std::string_view text) {
    auto const byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    auto const is_tail = [&](std::size_t i) { return byte(i) >= 0x80 && byte(i) < 0xc0; };
    unsigned const first = byte(0);
    unsigned const second = byte(1);
    if (first >= 0xc2 && first < 0xe0) {
        return is_tail(1) ? 2 : 0;
    }
    if (first >= 0xe0 && first < 0xf0) {
        bool const is_short = first == 0xe0 && second < 0xa0;
        bool const is_surrogate = first == 0xed && second >= 0xa0;
        return is_tail(1) && is_tail(2) && !is_short && !is_surrogate ? 3 : 0;
    }
    if (first >= 0xf0 && first < 0xf5) {
        bool const is_short = first == 0xf0 && second < 0x90;
        bool const is_beyond = first == 0xf4 && second >= 0x90;
        return is_tail(1) && is_tail(2) && is_tail(3) && !is_short && !is_beyond ? 4 : 0;
    }
    return 0;
}

}  // namespace

void append_json(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        std::size_t plain = 0;
        while (plain < text.size() && kPlain[static_cast<unsigned char>(text[plain])]) {
            ++plain;
        }
        out.append(text.substr(0, plain));
        text.remove_prefix(plain);
        if (text.empty()) {
            break;
        }
        auto const c = static_cast<unsigned char>(text.front());
        std::size_t length = 1;
        if (c < 0x80) {
            append_control(out, c);
        } else if (std::size_t const known = character_length(text); known != 0) {
            out.append(text.substr(0, known));
            length = known;
        } else {
            out.append(kReplacement);
        }
        text.remove_prefix(length);
    }
    out += '"';
}

}  // namespace florin::model
