// What a merchant's fields may be, wherever they come from: the configuration or an operator. The
// texts say what would be right.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace florin::config {

inline constexpr std::int64_t kFeeBasisPointsMax = 10'000;
inline constexpr std::int64_t kFeeFixedMinorMax = 1'000'000;
inline constexpr std::int64_t kAvailabilityDaysMax = 365;

bool is_digits(std::string_view text);

// Part of keys in the journal: "/" and the like would blur whose something is.
inline constexpr char const* kNameForm = "letters, digits, - and _, at most 64";
bool is_name(std::string_view text);

// ISO 3166-1 by form only.
inline constexpr char const* kCountryForm = "two capital letters, for example \"DE\"";
bool is_country(std::string_view text);

// ISO 18245.
inline constexpr char const* kCategoryForm = "four digits";
bool is_category(std::string_view text);

// Fields 42 and 41 of ISO 8583.
inline constexpr char const* kAcceptorForm = "1 to 15 characters";
bool is_acceptor(std::string_view text);
inline constexpr char const* kTerminalForm = "1 to 8 characters";
bool is_terminal(std::string_view text);

// connectors/iso20022/iban.h tells.
inline constexpr char const* kIbanForm = "an IBAN without blanks, with right check digits";

}  // namespace florin::config
