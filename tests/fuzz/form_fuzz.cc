// Fuzzes the parser of form parameters.
//
// What is asserted: a form that parses has a canonical text that parses to the same form and is its
// own canonical text; parameters in another order are refused alike and, where nothing is appended,
// mean the same; texts are UTF-8 without zero bytes.
#include "daemon/http/form.h"
#include "ledger/base/check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace florin::http {
namespace {

void check_texts(Form const& form) {
    FLORIN_CHECK(is_utf8(form.value), "a value that is not UTF-8");
    FLORIN_CHECK(form.value.find('\0') == std::string::npos, "a zero byte");
    FLORIN_CHECK(form.kind == Form::Kind::scalar || form.value.empty(), "a value and members");
    FLORIN_CHECK(form.kind != Form::Kind::scalar || form.items.empty(), "a value and members");
    for (auto const& [key, item] : form.items) {
        FLORIN_CHECK(is_utf8(key), "a key that is not UTF-8");
        check_texts(item);
    }
}

// Whether the order of parameters has a meaning in it: where a[] appends.
bool appends(Form const& form) {
    return std::ranges::any_of(form.items, [](auto const& item) {
        return item.first.empty() || appends(item.second);
    });
}

std::string reversed(std::string_view text) {
    std::vector<std::string_view> pairs;
    while (!text.empty()) {
        auto const end = std::min(text.find('&'), text.size());
        pairs.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    std::string out;
    for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
        out += std::string{*pair} + "&";
    }
    return out;
}

void parse(std::string_view text) {
    auto const form = parse_form(text);
    auto const other_way = parse_form(reversed(text));
    FLORIN_CHECK(form.has_value() == other_way.has_value(), "the order decides about refusal");
    if (!form) {
        FLORIN_CHECK(form.error().code == Errc::malformed, "wrong kind of error");
        return;
    }
    check_texts(*form);
    auto const canonical = canonical_form(*form);
    auto const again = parse_form(canonical);
    FLORIN_CHECK(again, "a canonical text does not parse");
    FLORIN_CHECK(canonical_form(*again) == canonical, "two canonical texts of one form");
    if (!appends(*form)) {
        FLORIN_CHECK(canonical_form(*other_way) == canonical, "the order makes a difference");
    }
}

}  // namespace
}  // namespace florin::http

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    florin::http::parse({reinterpret_cast<char const*>(data), size});
    return 0;
}
