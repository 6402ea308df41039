#include "daemon/http/form.h"

#include "daemon/http/shorten.h"
#include "ledger/base/bytes.h"
#include "ledger/base/uint128.h"

#include <algorithm>
#include <map>

namespace florin::http {
namespace {

std::unexpected<Error> malformed(std::string_view name, std::string_view what) {
    // Names come from outside: what is shown of them is bounded.
    return fail(Errc::malformed, shortened(name, 100) + ": " + std::string{what});
}

Result<std::string> decode(std::string_view text, std::string_view name) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            out.push_back(' ');
        } else if (text[i] == '%') {
            auto const byte = from_hex(text.substr(i + 1, 2));
            if (!byte || byte->size() != 1) {
                return malformed(name, "a percent sign without two hexadecimal digits");
            }
            out += *byte;
            i += 2;
        } else {
            out.push_back(text[i]);
        }
    }
    if (out.find('\0') != std::string::npos) {
        return malformed(name, "a zero byte");
    }
    if (!is_utf8(out)) {
        return malformed(name, "not valid UTF-8");
    }
    return out;
}

// "a[b][0]" -> a, b, 0
Result<std::vector<std::string>> split_name(std::string const& name, FormLimits const& limits) {
    std::vector<std::string> parts;
    auto const bracket = name.find('[');
    parts.push_back(name.substr(0, bracket));
    if (parts[0].empty()) {
        return malformed(name, "a parameter without a name");
    }
    std::string_view rest =
        bracket == std::string::npos ? std::string_view{} : std::string_view{name}.substr(bracket);
    while (!rest.empty()) {
        auto const end = rest.find(']');
        bool const is_broken = rest[0] != '[' || end == std::string_view::npos ||
                               rest.substr(1, end - 1).find('[') != std::string_view::npos;
        if (is_broken) {
            return malformed(name, "brackets that do not match");
        }
        parts.emplace_back(rest.substr(1, end - 1));
        rest.remove_prefix(end + 1);
        if (parts.size() > limits.depth_max) {
            return malformed(name, "nested deeper than " + std::to_string(limits.depth_max));
        }
    }
    return parts;
}

bool is_index(std::string_view key) {
    return key.empty() || std::ranges::all_of(key, [](char c) { return c >= '0' && c <= '9'; });
}

// The member `key` of a node, made where it is not there. nullptr: the node is a scalar.
Form* member(Form& node, std::string const& key, Form::Kind kind) {
    if (node.kind == Form::Kind::scalar) {
        return nullptr;
    }
    // An empty key always appends: a[]=x&a[]=y.
    auto const found = std::ranges::find_if(node.items, [&](auto const& item) {
        return !key.empty() && item.first == key;
    });
    if (found != node.items.end()) {
        return &found->second;
    }
    node.items.push_back({key, Form{.kind = kind, .value = {}, .items = {}}});
    return &node.items.back().second;
}

Result<void> insert(
    Form& root, std::string const& name, std::vector<std::string> const& parts, std::string value
) {
    Form* node = &root;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        bool const is_last = i + 1 == parts.size();
        Form::Kind const kind = is_last                  ? Form::Kind::scalar
                                : is_index(parts[i + 1]) ? Form::Kind::array
                                                         : Form::Kind::hash;
        std::size_t const before = node->items.size();
        Form* const next = member(*node, parts[i], kind);
        if (next == nullptr) {
            return malformed(name, "both a value and a hash");
        }
        bool const is_new = node->items.size() > before;
        if (is_last) {
            if (!is_new) {
                return malformed(name, "given twice");
            }
            next->value = std::move(value);
            return {};
        }
        if (next->kind == Form::Kind::scalar) {
            return malformed(name, "both a value and a hash");
        }
        if (next->kind == Form::Kind::array && kind == Form::Kind::hash) {
            // A hash may have members that look like indices, whichever comes first.
            bool const appends = std::ranges::any_of(next->items, [](auto const& item) {
                return item.first.empty();
            });
            if (appends) {
                return malformed(name, "both an array and a hash");
            }
            next->kind = Form::Kind::hash;
        }
        if (next->kind == Form::Kind::hash && parts[i + 1].empty() && !next->items.empty()) {
            return malformed(name, "both an array and a hash");
        }
        node = next;
    }
    return {};
}

void sort_arrays(Form& node) {
    for (auto& [key, item] : node.items) {
        sort_arrays(item);
    }
    if (node.kind == Form::Kind::array) {
        // Of what is appended, the first to come stays first; "1" and "01" are told apart by text,
        // so that the order in which they came makes no difference.
        std::multimap<std::pair<u128, std::string>, Form::Item> by_index;
        for (auto& item : node.items) {
            u128 const index = parse_u128(item.first).value_or(kU128Max);
            std::string const text = item.first;
            by_index.emplace(std::pair{index, text}, std::move(item));
        }
        node.items.clear();
        for (auto& [index, item] : by_index) {
            node.items.push_back(std::move(item));
        }
    }
}

std::string escape(std::string_view text) {
    std::string out;
    for (char const c : text) {
        bool const is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
        if (is_plain) {
            out.push_back(c);
        } else {
            out += "%" + to_hex(std::string_view{&c, 1});
        }
    }
    return out;
}

void collect(Form const& node, std::string const& name, std::vector<std::string>& lines) {
    if (node.kind == Form::Kind::scalar) {
        lines.push_back(name + "=" + escape(node.value));
        return;
    }
    // Indices give order only. The keys of metadata are keys, also where all look like indices.
    bool const are_indices =
        node.kind == Form::Kind::array && name != "metadata" && !name.ends_with("[metadata]");
    std::size_t index = 0;
    for (auto const& [key, item] : node.items) {
        std::string const own = are_indices ? std::to_string(index++) : escape(key);
        collect(item, name.empty() ? own : name + "[" + own + "]", lines);
    }
}

}  // namespace

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        auto const lead = static_cast<unsigned char>(text[i]);
        std::size_t length = 1;
        std::uint32_t point = lead;
        std::uint32_t least = 0;
        if (lead >= 0xf0 && lead <= 0xf4) {
            length = 4;
            point = lead & 0x07U;
            least = 0x10000;
        } else if (lead >= 0xe0 && lead < 0xf0) {
            length = 3;
            point = lead & 0x0fU;
            least = 0x800;
        } else if (lead >= 0xc2 && lead < 0xe0) {
            length = 2;
            point = lead & 0x1fU;
            least = 0x80;
        } else if (lead >= 0x80) {
            return false;
        }
        if (i + length > text.size()) {
            return false;
        }
        for (std::size_t k = 1; k < length; ++k) {
            auto const next = static_cast<unsigned char>(text[i + k]);
            if ((next & 0xc0U) != 0x80) {
                return false;
            }
            point = (point << 6U) | (next & 0x3fU);
        }
        bool const is_surrogate = point >= 0xd800 && point <= 0xdfff;
        if (point < least || point > 0x10ffff || is_surrogate) {
            return false;
        }
        i += length;
    }
    return true;
}

std::size_t character_count(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    }));
}

Form const* Form::find(std::string_view key) const {
    if (kind != Kind::hash) {
        return nullptr;
    }
    auto const found = std::ranges::find(items, key, &Item::first);
    return found == items.end() ? nullptr : &found->second;
}

Result<Form> parse_form(std::string_view text, FormLimits const& limits) {
    Form root;
    std::size_t count = 0;
    while (!text.empty()) {
        auto const end = text.find('&');
        std::string_view const pair = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (pair.empty()) {
            continue;
        }
        if (++count > limits.parameters_max) {
            return fail(
                Errc::malformed,
                "more than " + std::to_string(limits.parameters_max) + " parameters"
            );
        }
        auto const equals = pair.find('=');
        FLORIN_TRY(auto const name, decode(pair.substr(0, equals), "a parameter's name"));
        std::string_view const raw =
            equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
        FLORIN_TRY(auto value, decode(raw, name));
        FLORIN_TRY(auto const parts, split_name(name, limits));
        FLORIN_TRY_VOID(insert(root, name, parts, std::move(value)));
    }
    sort_arrays(root);
    return root;
}

std::string canonical_form(Form const& form) {
    std::vector<std::string> lines;
    collect(form, {}, lines);
    std::ranges::sort(lines);
    std::string text;
    for (std::string const& line : lines) {
        text += line + "&";
    }
    return text;
}

}  // namespace florin::http
