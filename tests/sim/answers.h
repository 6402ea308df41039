// Answers as bytes, to compare and to trace them, and as words for messages. Thread rule: pure.
#pragma once

#include "ledger/command.h"

#include <string>

namespace florin::ledger::sim {

// Equal for equal answers. Of an error, only its code: texts may name places.
std::string encode(Result<Answer> const& answer);
std::string encode(Account const& account);
std::string encode(Transfer const& transfer);

std::string in_words(Request const& request);
std::string in_words(Result<Answer> const& answer);

bool is_read(Request const& request);
// Whether the answer tells of something that must be found again: an effect, or a used-up id.
bool leaves_a_trace(Request const& request, Answer const& answer);

}  // namespace florin::ledger::sim
