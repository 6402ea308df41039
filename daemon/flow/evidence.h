// What an attempt's evidence says: a pure function of the set, whatever the order and however
// often.
//
// Precedence, highest first:
//   1. an operator's recorded decision
//   2. a reversal acknowledged as found and reversed; or "not found" on two sends of one reversal
//   3. the acquirer's report or a statement line. That it has what is being reversed revives
//      nothing: reversed, and what the bank has booked is given back by a refund
//      (has_stray_capture)
//   4. once a reversal's intent is durable: unknown, until 1 to 3 (a late approval revives nothing)
//   5. the reply, a late reply, or the answer to an inquiry: approved before declined. A refund is
//      declined only by the answer to its first send: a refusal of a repeat proves nothing about
//      what was sent before and not answered. A late refusal counts beside a reply, of whatever
//      kind, and not instead of one
//   6. unknown, where something was sent and nothing certain came back; not sent, where there is
//      proof of that; open otherwise
// Thread rule: pure functions.
#pragma once

#include "daemon/model/documents.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace florin::flow {

// Outcome of a late reply that approves, but not what was asked for.
inline constexpr char const* kApprovedOtherwise = "approved_otherwise";

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

// It is over, and took nothing: the payment has failed, or went another way.
bool is_given_up(model::Attempt const& attempt);

// A reversal's intent is durable.
bool is_being_reversed(model::Attempt const& attempt);

// The counterpart was asked what became of it, and did not say yes, no, or "not yet".
bool is_inquired_in_vain(model::Attempt const& attempt);

// How many reversals were begun, and the reference of a reply that comes late after so many.
std::ptrdiff_t reversals_begun(model::Attempt const& attempt);
std::string late_reference(std::ptrdiff_t reversals);

// An authorisation that was given up is known to be approved, and neither is a reversal
// acknowledged as found and reversed nor was one made for this approval: the bank may hold the
// payer's money. For an attempt none of whose reversals is under way.
bool needs_another_reversal(model::Attempt const& attempt);
// It would, but ten found nothing: somebody has to ask the bank.
bool is_reversed_in_vain(model::Attempt const& attempt);

// What was given up is booked at the bank, as its report or statement shows, or, of a capture, as
// it says itself; and nobody has begun to give that back.
bool has_stray_capture(model::Attempt const& attempt);
// A refund that was over as failed was made after all, as the bank says itself or its report or
// statement shows; and the books do not have that yet.
bool has_stray_refund(model::Attempt const& attempt);
// What a stray capture took is being given back: no reversal is needed any more where the bank says
// no to it.
bool is_being_refunded(model::Attempt const& attempt);

// How an acknowledgement names the send that it answers.
std::string reversal_reference(std::string_view reversal, std::int64_t send_number);

// This reversal needs no repeat: it, or another one, was found and reversed, or two sends of this
// one were answered "not found".
bool is_reversal_over(model::Attempt const& attempt, std::string_view reversal);

}  // namespace florin::flow
