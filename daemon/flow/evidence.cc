#include "daemon/flow/evidence.h"

#include <algorithm>
#include <set>

namespace florin::flow {
namespace {

using model::Attempt;
using model::Evidence;

// Sends of a reversal that must both be answered "not found" before that counts.
constexpr std::size_t kNotFoundNeeded = 2;
constexpr std::string_view kFirstSend = "1";  // reference of a reply to it
// How many reversals an attempt may get; each but the first is for an approval of its own.
constexpr std::ptrdiff_t kReversalsMost = 10;

std::string_view reversal_of(Evidence const& acknowledgement) {
    std::string_view const reference{acknowledgement.reference};
    auto const cut = reference.rfind('/');
    return cut == std::string_view::npos ? std::string_view{} : reference.substr(0, cut);
}

bool has(Attempt const& attempt, std::string_view source, std::string_view outcome) {
    return std::ranges::any_of(attempt.evidence, [&](Evidence const& each) {
        return each.source == source && each.outcome == outcome;
    });
}

bool has_source(Attempt const& attempt, std::string_view source) {
    return std::ranges::any_of(attempt.evidence, [&](Evidence const& each) {
        return each.source == source;
    });
}

// References are "<reversal>/<send>": the sends of each reversal count for themselves.
std::size_t not_found_sends(Attempt const& attempt, std::string_view reversal) {
    std::set<std::string_view> sends;
    for (Evidence const& each : attempt.evidence) {
        if (each.source == "reversal_ack" && each.outcome == "not_found" &&
            reversal_of(each) == reversal) {
            sends.insert(each.reference);
        }
    }
    return sends.size();
}

bool is_not_found(Attempt const& attempt) {
    return std::ranges::any_of(attempt.evidence, [&](Evidence const& each) {
        return each.source == "reversal_ack" &&
               not_found_sends(attempt, reversal_of(each)) >= kNotFoundNeeded;
    });
}

// By the bank, with the message itself. What it says of a refund that was sent before without an
// answer is said of the repeat alone: a refusal of that proves nothing about the first one.
bool is_answered(Attempt const& attempt, std::string_view outcome) {
    bool const is_about_one_send = attempt.operation == "refund" && outcome == "declined";
    // While the answer itself is waited for, or on its way through this process, a refusal beside
    // it does not get ahead of it.
    bool const has_ended = std::ranges::any_of(attempt.evidence, [](Evidence const& each) {
        return each.source == "reply" && each.outcome != "not_sent";
    });
    bool const may_be_late = outcome != "declined" || has_ended;
    return std::ranges::any_of(attempt.evidence, [&](Evidence const& each) {
        bool const is_message =
            each.source == "reply" || (each.source == "late_reply" && may_be_late);
        bool const counts = each.source == "inquiry" ||
                            (is_message && (!is_about_one_send || each.reference == kFirstSend));
        return counts && each.outcome == outcome;
    });
}

// From a source that is believed as it stands; open: it says nothing.
Verdict said_by(Attempt const& attempt, std::string_view source) {
    if (has(attempt, source, "reversed")) {
        return Verdict::reversed;
    }
    if (has(attempt, source, "approved")) {
        return Verdict::approved;
    }
    return has(attempt, source, "declined") ? Verdict::declined : Verdict::open;
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
    switch (verdict) {
        case Verdict::open: return "open";
        case Verdict::approved: return "approved";
        case Verdict::declined: return "declined";
        case Verdict::not_sent: return "not_sent";
        case Verdict::pending: return "pending";
        case Verdict::unknown: return "unknown";
        case Verdict::reversed: return "reversed";
    }
    return "unknown";
}

Verdict verdict_of(Attempt const& attempt) {
    if (Verdict const decided = said_by(attempt, "operator"); decided != Verdict::open) {
        return decided;
    }
    if (has(attempt, "reversal_ack", "reversed") || is_not_found(attempt)) {
        return Verdict::reversed;
    }
    bool const is_reversing = is_being_reversed(attempt);
    for (char const* const source : {"report_line", "statement_line"}) {
        Verdict const said = said_by(attempt, source);
        if (said == Verdict::approved && is_reversing) {
            return Verdict::reversed;
        }
        if (said != Verdict::open) {
            return said;
        }
    }
    if (is_reversing) {
        return Verdict::unknown;
    }
    if (is_answered(attempt, "approved")) {
        return Verdict::approved;
    }
    if (is_answered(attempt, "declined")) {
        return Verdict::declined;
    }
    if (has(attempt, "reply", "unknown") || has(attempt, "reply", "declined")) {
        return Verdict::unknown;
    }
    if (has(attempt, "reply", "pending")) {
        return Verdict::pending;
    }
    return has(attempt, "reply", "not_sent") ? Verdict::not_sent : Verdict::open;
}

bool add_evidence(Attempt& attempt, Evidence const& evidence) {
    bool const is_known = std::ranges::any_of(attempt.evidence, [&](Evidence const& each) {
        return each.source == evidence.source && each.outcome == evidence.outcome &&
               each.code == evidence.code && each.reference == evidence.reference;
    });
    if (!is_known) {
        attempt.evidence.push_back(evidence);
    }
    return !is_known;
}

void refresh_evidence(Attempt& attempt, Evidence const& evidence) {
    auto const known = std::ranges::find_if(attempt.evidence, [&](Evidence const& each) {
        return each.source == evidence.source && each.outcome == evidence.outcome &&
               each.code == evidence.code;
    });
    if (known == attempt.evidence.end()) {
        attempt.evidence.push_back(evidence);
    } else {
        *known = evidence;
    }
}

std::string late_reference(std::ptrdiff_t reversals) {
    return std::to_string(reversals + 1);
}

bool is_decided_by_operators(Attempt const& attempt) {
    return said_by(attempt, "operator") != Verdict::open;
}

bool is_given_up(Attempt const& attempt) {
    return attempt.state == "reversed" || attempt.state == "declined" ||
           attempt.state == "not_sent";
}

bool is_being_reversed(Attempt const& attempt) {
    return has_source(attempt, "reversal_intent");
}

bool is_inquired_in_vain(Attempt const& attempt) {
    return has(attempt, "inquiry", "unknown") || has(attempt, "inquiry", "not_sent");
}

std::ptrdiff_t reversals_begun(Attempt const& attempt) {
    return std::ranges::count(attempt.evidence, "reversal_intent", &Evidence::source);
}

// What came late says by its reference how many reversals had been begun before it.
bool is_approved_since(Attempt const& attempt, std::ptrdiff_t reversals) {
    return std::ranges::any_of(attempt.evidence, [&](Evidence const& each) {
        bool const is_approval = each.outcome == "approved" || each.outcome == kApprovedOtherwise;
        return each.source == "late_reply" && is_approval &&
               each.reference == late_reference(reversals);
    });
}

namespace {

bool is_approved_unreversed(Attempt const& attempt) {
    // A refusal and an approval, or "not sent" and an approval: whichever came first, it is
    // approved there. What was approved before its reversal needs no other one.
    bool const is_contradicted = attempt.state != "reversed" && has(attempt, "reply", "approved");
    bool const is_approved = is_contradicted || has(attempt, "late_reply", "approved") ||
                             has(attempt, "late_reply", kApprovedOtherwise) ||
                             has(attempt, "inquiry", "approved");
    // The first one may have been for something else; each further one is for an approval that came
    // after the one before it had begun, and that nobody found.
    auto const reversals = reversals_begun(attempt);
    bool const is_new = has(attempt, "reversal_intent", "late_approval")
                            ? is_approved_since(attempt, reversals)
                            : reversals < 2;
    return is_approved && is_new && !has(attempt, "reversal_ack", "reversed") &&
           !is_being_refunded(attempt) && !has_stray_capture(attempt);
}

}  // namespace

bool needs_another_reversal(Attempt const& attempt) {
    return reversals_begun(attempt) < kReversalsMost && is_approved_unreversed(attempt);
}

bool is_reversed_in_vain(Attempt const& attempt) {
    return reversals_begun(attempt) >= kReversalsMost && is_approved_unreversed(attempt);
}

bool has_stray_capture(Attempt const& attempt) {
    bool const is_capture = attempt.operation == "capture";
    bool const is_answered_so =
        has(attempt, "reply", "approved") || has(attempt, "late_reply", "approved");
    bool const is_booked = has(attempt, "report_line", "approved") ||
                           has(attempt, "statement_line", "approved") ||
                           (is_capture && is_answered_so);
    return (is_capture || attempt.operation == "authorise") && is_given_up(attempt) && is_booked &&
           !is_being_refunded(attempt);
}

bool has_stray_refund(Attempt const& attempt) {
    bool const is_made =
        has(attempt, "reply", "approved") || has(attempt, "late_reply", "approved") ||
        has(attempt, "inquiry", "approved") || has(attempt, "report_line", "approved") ||
        has(attempt, "statement_line", "approved");
    return attempt.operation == "refund" && is_given_up(attempt) && is_made &&
           !has_source(attempt, "suspense_entry");
}

bool is_being_refunded(Attempt const& attempt) {
    return has_source(attempt, "refund_intent");
}

std::string reversal_reference(std::string_view reversal, std::int64_t send_number) {
    return std::string{reversal} + "/" + std::to_string(send_number);
}

bool is_reversal_over(Attempt const& attempt, std::string_view reversal) {
    return has(attempt, "reversal_ack", "reversed") ||
           not_found_sends(attempt, reversal) >= kNotFoundNeeded;
}

}  // namespace florin::flow
