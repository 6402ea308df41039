// Documents as JSON text: what the .cc files of the model share. Included by them alone, so that
// the JSON library stays out of everybody else's way.
//
// A struct's fields are named once, by FLORIN_FIELDS; the text has them in that order. A field that
// has its default is left out, and one that is missing on reading has its default; a name that is
// not known is passed over.
// Thread rule: pure functions.
#pragma once

#include "daemon/model/documents.h"
#include "daemon/model/json_text.h"

#include <array>
#include <map>
#include <simdjson.h>
#include <string>
#include <vector>

namespace florin::model {

template <class T>
concept HasFields =
    requires(T const* object) { each_field(object, []<auto Member>(std::string_view) {}); };

// ---- is it the default? -------------------------------------------------------------------------

template <class T>
bool is_same(T const& a, T const& b) {
    if constexpr (HasFields<T>) {
        bool same = true;
        each_field(&a, [&]<auto Member>(std::string_view) {
            same = same && is_same(a.*Member, b.*Member);
        });
        return same;
    } else {
        return a == b;
    }
}
template <class T>
bool is_same(std::vector<T> const& a, std::vector<T> const& b) {
    return a.empty() && b.empty();  // lists are empty by default
}

// ---- writing ------------------------------------------------------------------------------------

template <HasFields T>
void append_json(std::string& out, T const& object);
template <class T>
void append_json(std::string& out, std::vector<T> const& list);
template <class T>
void append_json(std::string& out, std::map<std::string, T> const& map);

template <HasFields T>
void append_json(std::string& out, T const& object) {
    [[maybe_unused]] static T const defaults{};
    char separator = '{';
    each_field(&object, [&]<auto Member>(std::string_view name) {
        if (is_same(object.*Member, defaults.*Member)) {
            return;
        }
        out += separator;
        out += '"';
        out.append(name);
        out += "\":";
        append_json(out, object.*Member);
        separator = ',';
    });
    out.append(separator == '{' ? "{}" : "}");
}
template <class T>
void append_json(std::string& out, std::vector<T> const& list) {
    char separator = '[';
    for (T const& each : list) {
        out += separator;
        append_json(out, each);
        separator = ',';
    }
    out.append(separator == '[' ? "[]" : "]");
}
template <class T>
void append_json(std::string& out, std::map<std::string, T> const& map) {
    char separator = '{';
    for (auto const& [key, value] : map) {
        out += separator;
        append_json(out, std::string_view{key});
        out += ':';
        append_json(out, value);
        separator = ',';
    }
    out.append(separator == '{' ? "{}" : "}");
}

// ---- reading: false where the value is of another type ------------------------------------------

using Element = simdjson::dom::element;

inline bool read_json(Element value, std::string& into) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) {
        return false;
    }
    into = text;
    return true;
}
inline bool read_json(Element value, bool& into) {
    return value.get(into) == simdjson::SUCCESS;
}
inline bool read_json(Element value, std::int64_t& into) {
    return value.get(into) == simdjson::SUCCESS;
}
inline bool read_json(Element value, std::uint64_t& into) {
    return value.get(into) == simdjson::SUCCESS;
}
template <HasFields T>
bool read_json(Element value, T& into);
template <class T>
bool read_json(Element value, std::vector<T>& into);
template <class T>
bool read_json(Element value, std::map<std::string, T>& into);

template <class T>
struct Field {
    std::string_view name;
    bool (*read)(Element value, T& object);
};

template <HasFields T>
std::vector<Field<T>> const& fields_of() {
    static std::vector<Field<T>> const all = [] {
        std::vector<Field<T>> fields;
        T const* const none = nullptr;
        each_field(none, [&]<auto Member>(std::string_view name) {
            fields.push_back({name, [](Element value, T& object) {
                                  return read_json(value, object.*Member);
                              }});
        });
        return fields;
    }();
    return all;
}

template <HasFields T>
bool read_json(Element value, T& into) {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) {
        return false;
    }
    auto const& fields = fields_of<T>();
    std::size_t next = 0;  // the text has them in our order, so that one look is mostly enough
    for (auto const& [name, member] : object) {
        for (std::size_t tries = 0; tries < fields.size(); ++tries) {
            Field<T> const& field = fields[next];
            next = next + 1 == fields.size() ? 0 : next + 1;
            if (field.name == name) {
                if (!field.read(member, into)) {
                    return false;
                }
                break;
            }
        }
    }
    return true;
}
template <class T>
bool read_json(Element value, std::vector<T>& into) {
    simdjson::dom::array array;
    if (value.get(array) != simdjson::SUCCESS) {
        return false;
    }
    for (Element const each : array) {
        if (!read_json(each, into.emplace_back())) {
            return false;
        }
    }
    return true;
}
template <class T>
bool read_json(Element value, std::map<std::string, T>& into) {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) {
        return false;
    }
    for (auto const& [name, member] : object) {
        if (!read_json(member, into[std::string{name}])) {
            return false;
        }
    }
    return true;
}

// ---- documents ----------------------------------------------------------------------------------

template <class T>
std::string to_text(T const& document) {
    constexpr std::size_t kUsual = 1'024;
    std::string text;
    text.reserve(kUsual);
    append_json(text, document);
    return text;
}

template <class T>
Result<T> from_text(std::string_view text) {
    thread_local simdjson::dom::parser parser;
    auto const parsed = parser.parse(text.data(), text.size());
    T document;
    if (parsed.error() != simdjson::SUCCESS || !read_json(parsed.value_unsafe(), document)) {
        return fail(
            Errc::corrupt,
            "a document of kind " + std::to_string(static_cast<int>(T::kKind)) + ": " +
                (parsed.error() == simdjson::SUCCESS ? "a field is of another type"
                                                     : simdjson::error_message(parsed.error()))
        );
    }
    return document;
}

}  // namespace florin::model

// ---- naming fields ------------------------------------------------------------------------------
// FLORIN_FIELDS(Type, a, b, …) lets each_field(object, visit) call visit<&Type::a>("a") and so on.
// The preprocessor rescans what these expand to, so that a list may have some 80 names.
#define FLORIN_AGAIN(...) \
    FLORIN_AGAIN_3(FLORIN_AGAIN_3(FLORIN_AGAIN_3(FLORIN_AGAIN_3(__VA_ARGS__))))
#define FLORIN_AGAIN_3(...) \
    FLORIN_AGAIN_2(FLORIN_AGAIN_2(FLORIN_AGAIN_2(FLORIN_AGAIN_2(__VA_ARGS__))))
#define FLORIN_AGAIN_2(...) \
    FLORIN_AGAIN_1(FLORIN_AGAIN_1(FLORIN_AGAIN_1(FLORIN_AGAIN_1(__VA_ARGS__))))
#define FLORIN_AGAIN_1(...) __VA_ARGS__
#define FLORIN_NOTHING ()
#define FLORIN_VISIT_FIELDS(name, ...)                 \
    visit.template operator()<&FieldsOf::name>(#name); \
    __VA_OPT__(FLORIN_VISIT_MORE FLORIN_NOTHING(__VA_ARGS__))
#define FLORIN_VISIT_MORE() FLORIN_VISIT_FIELDS
#define FLORIN_FIELDS(Type, ...)                       \
    template <class Visit>                             \
    void each_field(Type const*, Visit&& visit) {      \
        using FieldsOf = Type;                         \
        FLORIN_AGAIN(FLORIN_VISIT_FIELDS(__VA_ARGS__)) \
    }

// Makes both for one document; its fields were named by FLORIN_FIELDS before.
#define FLORIN_DOCUMENT(T)                  \
    template std::string to_text(T const&); \
    template Result<T> from_text(std::string_view);
