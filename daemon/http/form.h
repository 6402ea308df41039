// application/x-www-form-urlencoded with brackets, as Stripe's SDKs write it.
//
//   a[b][c]=v   a hash in a hash        a[0]=x&a[1]=y, a[]=x   an array
//
// Indices give order only; nothing is ever sized by one. Bounds: 1,000 parameters, depth 8.
// Refused: a bad percent-escape, invalid UTF-8, a zero byte, a scalar given twice, a hash where a
// scalar or an array was. Thread rule: values.
#pragma once

#include "ledger/base/result.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace florin::http {

struct FormLimits {
    std::size_t parameters_max = 1'000;
    std::size_t depth_max = 8;
};

struct Form {
    enum class Kind { hash, array, scalar };
    struct Item;

    Kind kind = Kind::hash;
    std::string value;        // scalar
    std::vector<Item> items;  // hash: key and member, in order of arrival; array: members by index

    // A member of a hash; nullptr: not there.
    Form const* find(std::string_view key) const;
};

// Not a std::pair, which clang cannot instantiate over a type that is not complete.
struct Form::Item {
    std::string first;
    Form second;
};

// Errc::malformed; the text names the parameter.
Result<Form> parse_form(std::string_view text, FormLimits const& limits = {});

// The same parameters always give the same text, in whatever order and spelling they came: sorted
// keys, one encoding; a[]=x&a[]=y is a[0]=x&a[1]=y and a[3]=x&a[7]=y. Keys of a hash stay, and
// those of what is called metadata too, where they look like indices. What an idempotency key is
// compared by.
std::string canonical_form(Form const& form);

bool is_utf8(std::string_view text);
// Characters, not bytes; the text is valid UTF-8.
std::size_t character_count(std::string_view text);

}  // namespace florin::http
