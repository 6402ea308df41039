#include "daemon/api/json.h"

#include "ledger/base/check.h"

#include <algorithm>

namespace florin::api {
namespace {

// Another element of what ends with `bracket`.
void open_for_more(std::string& text) {
    text.pop_back();
    if (text.size() > 1) {
        text += ',';
    }
}

void append_member(std::string& text, std::string_view name, std::string_view value) {
    text += '"';
    text.append(name).append("\":").append(value);
}

// The place behind the text in quotes that begins at `at`.
std::size_t end_of_string(std::string_view text, std::size_t at) {
    std::size_t end = at + 1;
    while (end < text.size() && text[end] != '"') {
        end += text[end] == '\\' ? 2U : 1U;
    }
    FLORIN_CHECK(end < text.size(), "JSON that this program wrote ends inside a string");
    return end + 1;
}

// The place behind the value that begins at `at`: the separator or bracket that ends it.
std::size_t end_of_value(std::string_view text, std::size_t at) {
    std::size_t depth = 0;
    while (at < text.size()) {
        char const c = text[at];
        if (c == '"') {
            at = end_of_string(text, at);
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
            break;
        }
        if (c == '{' || c == '[') {
            ++depth;
        } else if (c == '}' || c == ']') {
            --depth;
        }
        ++at;
    }
    FLORIN_CHECK(at < text.size(), "JSON that this program wrote ends inside a value");
    return at;
}

}  // namespace

Json::Json(std::initializer_list<Member> members) {
    std::size_t size = 2;
    for (Member const& member : members) {
        size += member.name.size() + member.value.text_.size() + 4;
    }
    text_.reserve(size);
    char separator = '{';
    for (Member const& member : members) {
        text_ += separator;
        append_member(text_, member.name, member.value.text_);
        separator = ',';
    }
    text_.append(separator == '{' ? "{}" : "}");
}

Json::Json(std::vector<std::string> const& texts) {
    char separator = '[';
    for (std::string const& each : texts) {
        text_ += separator;
        model::append_json(text_, std::string_view{each});
        separator = ',';
    }
    text_.append(separator == '[' ? "[]" : "]");
}

Json::Json(std::map<std::string, std::string> const& members) {
    char separator = '{';
    for (auto const& [name, value] : members) {
        text_ += separator;
        model::append_json(text_, std::string_view{name});
        text_ += ':';
        model::append_json(text_, std::string_view{value});
        separator = ',';
    }
    text_.append(separator == '{' ? "{}" : "}");
}

Json Json::object() {
    return raw("{}");
}

Json Json::array() {
    return raw("[]");
}

Json Json::raw(std::string text) {
    Json json;
    json.text_ = std::move(text);
    return json;
}

void Json::add(std::string_view name, Json const& value) {
    open_for_more(text_);
    append_member(text_, name, value.text_);
    text_ += '}';
}

void Json::push_back(Json const& value) {
    open_for_more(text_);
    text_.append(value.text_) += ']';
}

// The text is ours and valid: only strings need care, because of what may stand in them.
std::string indented(std::string_view json) {
    std::string out;
    out.reserve(json.size() + json.size() / 2);
    std::size_t depth = 0;
    auto const new_line = [&] {
        out += '\n';
        out.append(2 * depth, ' ');
    };
    for (std::size_t i = 0; i < json.size(); ++i) {
        char const c = json[i];
        if (c == '"') {
            std::size_t const end = end_of_string(json, i);
            out.append(json.substr(i, end - i));
            i = end - 1;
        } else if (c == '{' || c == '[') {
            out += c;
            char const next = i + 1 < json.size() ? json[i + 1] : '\0';
            if (next == '}' || next == ']') {
                out += next;
                ++i;
            } else {
                ++depth;
                new_line();
            }
        } else if (c == '}' || c == ']') {
            --depth;
            new_line();
            out += c;
        } else if (c == ',') {
            out += c;
            new_line();
        } else if (c == ':') {
            out += ": ";
        } else {
            out += c;
        }
    }
    return out;
}

std::vector<MemberText> members_of(std::string_view object) {
    FLORIN_CHECK(
        object.size() >= 2 && object.front() == '{' && object.back() == '}', "this is no object"
    );
    std::vector<MemberText> members;
    std::size_t at = 1;
    while (at + 1 < object.size()) {
        std::size_t const colon = end_of_string(object, at);
        std::size_t const end = end_of_value(object, colon + 1);
        members.push_back(
            {object.substr(at + 1, colon - at - 2), object.substr(colon + 1, end - colon - 1)}
        );
        at = end + 1;
    }
    return members;
}

namespace {

std::string_view const* value_of(std::vector<MemberText> const& members, std::string_view name) {
    auto const found = std::ranges::find(members, name, &MemberText::name);
    return found == members.end() ? nullptr : &found->value;
}

Json difference(std::string_view before, std::string_view after) {
    auto const old_members = members_of(before);
    auto const new_members = members_of(after);
    Json previous = Json::object();
    for (auto const& [name, value] : new_members) {
        std::string_view const* const was = value_of(old_members, name);
        if (was == nullptr) {
            previous.add(name, nullptr);
        } else if (*was != value) {
            bool const are_hashes = was->starts_with('{') && value.starts_with('{');
            previous.add(name, are_hashes ? difference(*was, value) : Json::raw(std::string{*was}));
        }
    }
    for (auto const& [name, value] : old_members) {
        if (value_of(new_members, name) == nullptr) {
            previous.add(name, Json::raw(std::string{value}));
        }
    }
    return previous;
}

}  // namespace

std::string previous_attributes(std::string const& before, std::string const& after) {
    return difference(before, after).text();
}

}  // namespace florin::api
