// What the readers of statements check alike. Private to this folder.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace florin::connectors::statements {

// YYYY-MM-DD of a day that exists.
bool is_date(std::string_view text);

bool is_digits(std::string_view text);

// Foreign text as an error may show it: cut, and printable ASCII alone.
std::string shown(std::string_view text);

}  // namespace florin::connectors::statements
