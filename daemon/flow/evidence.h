// What an attempt's evidence says: a pure function of the set, whatever the order and however
// often.
//
// Precedence, highest first:
//   1. an operator's recorded decision
//   2. a reversal acknowledged as found and reversed; or "not found" on two sends of one reversal
//   3. the acquirer's report or a statement line
//   4. once a reversal's intent is durable: unknown, until 1 to 3 (a late approval revives nothing)
//   5. the reply, or a late reply: approved before declined
//   6. unknown, where something was sent and nothing certain came back; not sent, where there is
//      proof of that; open otherwise
// Thread rule: pure functions.
#pragma once

#include "daemon/model/documents.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace florin::flow {

enum class Verdict { open, approved, declined, not_sent, pending, unknown, reversed };
std::string_view verdict_name(Verdict verdict);

Verdict verdict_of(model::Attempt const& attempt);

// Adds a piece of evidence unless the set has it; true where it is new.
bool add_evidence(model::Attempt& attempt, model::Evidence const& evidence);

// The last word to this effect from this source, instead of one more of them: what is repeated for
// days does not grow the document.
void refresh_evidence(model::Attempt& attempt, model::Evidence const& evidence);

// Operators have decided what became of it.
bool is_decided_by_operators(model::Attempt const& attempt);

// An approval is known that came after the reversal's intent, and the only reversal there was is
// not acknowledged as found and reversed: the bank may hold the payer's money. For an attempt whose
// reversal is over.
bool needs_another_reversal(model::Attempt const& attempt);

// How an acknowledgement names the send that it answers.
std::string reversal_reference(std::string_view reversal, std::int64_t send_number);

// This reversal needs no repeat: it, or another one, was found and reversed, or two sends of this
// one were answered "not found".
bool is_reversal_over(model::Attempt const& attempt, std::string_view reversal);

}  // namespace florin::flow
