// JSON as answers and events need it: made from members in their order, and never read back.
//
//   Json const error = {{"type", "card_error"}, {"charge", nullptr}, {"tries", {{"count", 3}}}};
//
// A value is its own text on one line, so making one costs little more than writing it. Text is
// escaped and always valid UTF-8; names are literals and need no escapes.
// Thread rule: values.
#pragma once

#include "daemon/model/json_text.h"

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace florin::api {

class Json {
public:
    struct Member;

    Json(std::nullptr_t) : text_{"null"} {}
    Json(std::string_view text) { model::append_json(text_, text); }
    Json(std::string const& text) : Json{std::string_view{text}} {}
    Json(char const* text) : Json{std::string_view{text}} {}
    Json(std::integral auto value) { model::append_json(text_, value); }
    Json(std::vector<std::string> const& texts);
    Json(std::map<std::string, std::string> const& members);
    // An object.
    Json(std::initializer_list<Member> members);

    static Json object();
    static Json array();
    // Text that is JSON already.
    static Json raw(std::string text);

    // To an object.
    void add(std::string_view name, Json const& value);
    // To an array.
    void push_back(Json const& value);

    std::string const& text() const& { return text_; }
    std::string text() && { return std::move(text_); }

private:
    Json() = default;
    std::string text_;
};

// Text of a Json with two spaces a level and a line for each member, for people.
std::string indented(std::string_view json);

struct Json::Member {
    std::string_view name;
    Json value;
};

// A member as it stands in the text: its name between the quotes and its value, escapes and all. So
// equal values of one writer are equal texts, and both may go into another text as they are.
struct MemberText {
    std::string_view name;
    std::string_view value;
};
// The members of an object, in their order; views into `object`, which is text that Json made: on
// one line, and an object.
std::vector<MemberText> members_of(std::string_view object);

// The top-level members of an object that a change altered, as they were before: what an event
// carries as previous_attributes. Inside a hash only the members that differ; null for one that
// was not there. Both are objects that Json wrote; "{}" where nothing
// differs.
std::string previous_attributes(std::string const& before, std::string const& after);

}  // namespace florin::api
