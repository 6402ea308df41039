// Texts from outside, made fit to be shown: answers quote what a request sent (a name, an id, a
// path), and people send card numbers and keys in wrong places.
// Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace florin::api {

// Digits of anything as long as a card number, and the secret part of API keys and webhook secrets,
// become asterisks; the last four characters stay.
std::string redacted(std::string_view text);

// What an answer shows of a text that a request sent: redacted, and cut after so many bytes.
// Redacted first, as half a card number is not known for one.
std::string shown(std::string_view text, std::size_t bytes_max = 100);

// A card number or a secret key that stands where none belongs, so that it would be stored as it
// is. Publishable keys are public.
bool holds_secret(std::string_view text);

}  // namespace florin::api
