#include "daemon/api/redact.h"

#include "connectors/cards.h"
#include "daemon/http/shorten.h"

#include <algorithm>

namespace florin::api {
namespace {

constexpr std::size_t kCardDigitsMin = 12;
constexpr std::size_t kKeyLengthMin = 16;  // of what follows a key's prefix
constexpr std::string_view kKeyPrefixes[] = {
    "sk_test_", "sk_live_", "ak_test_", "ak_live_", "rk_test_", "rk_live_", "whsec_"
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The length of a run of digits with at most one blank or dash between two of them. What is as long
// as a card number by itself is a run of its own: the number before or after it is another one.
std::size_t digits_at(std::string_view text, std::size_t begin, std::size_t& count) {
    std::size_t end = begin;
    count = 0;
    for (std::size_t at = begin; at < text.size();) {
        std::size_t group = 0;
        while (at + group < text.size() && is_digit(text[at + group])) {
            ++group;
        }
        if (group == 0 || (count > 0 && group >= kCardDigitsMin)) {
            break;
        }
        count += group;
        at += group;
        end = at;
        bool const goes_on = at < text.size() && (text[at] == ' ' || text[at] == '-');
        if (!goes_on || group >= kCardDigitsMin) {
            break;
        }
        ++at;
    }
    return end - begin;
}

// Where the secret of a key begins, if one begins at `at`; 0: none does.
std::size_t key_prefix_at(std::string_view text, std::size_t at) {
    for (std::string_view const prefix : kKeyPrefixes) {
        if (text.substr(at).starts_with(prefix)) {
            return prefix.size();
        }
    }
    return 0;
}

std::size_t word_length(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::find_if_not(text, is_word) - text.begin());
}

void hide(std::string& out, std::string_view secret) {
    std::size_t const shown = secret.size() >= 12 ? 4 : 0;
    out.append(secret.size() - shown, '*');
    out.append(secret.substr(secret.size() - shown));
}

}  // namespace

std::string redacted(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        if (std::size_t const prefix = key_prefix_at(text, at); prefix > 0) {
            out.append(text.substr(at, prefix));
            at += prefix;
            std::size_t const length = word_length(text.substr(at));
            hide(out, text.substr(at, length));
            at += length;
            continue;
        }
        std::size_t count = 0;
        std::size_t const length = digits_at(text, at, count);
        if (count >= kCardDigitsMin) {
            hide(out, text.substr(at, length));
        } else {
            out.append(text.substr(at, std::max<std::size_t>(length, 1)));
        }
        at += std::max<std::size_t>(length, 1);
    }
    return out;
}

std::string shown(std::string_view text, std::size_t bytes_max) {
    return http::shortened(redacted(text), bytes_max);
}

bool holds_secret(std::string_view text) {
    if (connectors::find_card_number(text)) {
        return true;
    }
    for (std::size_t at = text.find('_'); at != std::string_view::npos;
         at = text.find('_', at + 1)) {
        // Every prefix has its first underscore after two letters, or after "whsec".
        for (std::size_t const back : {std::size_t{2}, std::size_t{5}}) {
            if (at >= back) {
                std::size_t const prefix = key_prefix_at(text, at - back);
                if (prefix > 0 && word_length(text.substr(at - back + prefix)) >= kKeyLengthMin) {
                    return true;
                }
            }
        }
    }
    return false;
}

}  // namespace florin::api
