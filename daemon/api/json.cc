#include "daemon/api/json.h"

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
std::string Json::indented() const {
    std::string out;
    out.reserve(text_.size() + text_.size() / 2);
    std::size_t depth = 0;
    auto const new_line = [&] {
        out += '\n';
        out.append(2 * depth, ' ');
    };
    for (std::size_t i = 0; i < text_.size(); ++i) {
        char const c = text_[i];
        if (c == '"') {
            std::size_t end = i + 1;
            while (text_[end] != '"') {
                end += text_[end] == '\\' ? 2U : 1U;
            }
            out.append(text_, i, end - i + 1);
            i = end;
        } else if (c == '{' || c == '[') {
            out += c;
            char const next = text_[i + 1];
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

}  // namespace florin::api
