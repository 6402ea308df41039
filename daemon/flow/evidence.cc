#include "daemon/flow/evidence.h"

#include <algorithm>
#include <set>

namespace florin::flow {
namespace {

using model::Attempt;
using model::Evidence;

// Sends of a reversal that must both be answered "not found" before that counts.
constexpr std::size_t kNotFoundNeeded = 2;

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

std::size_t not_found_sends(Attempt const& attempt) {
    std::set<std::string> sends;
    for (Evidence const& each : attempt.evidence) {
        if (each.source == "reversal_ack" && each.outcome == "not_found") {
            sends.insert(each.reference);
        }
    }
    return sends.size();
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
    if (has(attempt, "reversal_ack", "reversed") || not_found_sends(attempt) >= kNotFoundNeeded) {
        return Verdict::reversed;
    }
    for (char const* const source : {"report_line", "statement_line"}) {
        if (Verdict const said = said_by(attempt, source); said != Verdict::open) {
            return said;
        }
    }
    if (has_source(attempt, "reversal_intent")) {
        return Verdict::unknown;
    }
    for (char const* const outcome : {"approved", "declined"}) {
        if (has(attempt, "reply", outcome) || has(attempt, "late_reply", outcome) ||
            has(attempt, "inquiry", outcome)) {
            return outcome == std::string_view{"approved"} ? Verdict::approved : Verdict::declined;
        }
    }
    if (has(attempt, "reply", "unknown")) {
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

bool needs_another_reversal(Attempt const& attempt) {
    return has_source(attempt, "reversal_intent") && has(attempt, "late_reply", "approved") &&
           !has(attempt, "reversal_ack", "reversed");
}

}  // namespace florin::flow
