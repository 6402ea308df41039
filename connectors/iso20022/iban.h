// IBAN, ISO 13616: country, two check digits, the account as its country writes it.
// Thread rule: pure functions.
#pragma once

#include <string_view>

namespace florin::connectors::iso20022 {

// The electronic form: no blanks, capitals and digits, 15 to 34 characters, check digits right by
// ISO 7064 MOD 97-10. Lengths and forms of single countries are not checked.
bool is_iban(std::string_view text);

}  // namespace florin::connectors::iso20022
