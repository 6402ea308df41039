// Second successes: what a bank has though it was given up is given back, by a reversal or by a
// refund, and is told and counted.
#include "daemon/flow/payments.h"
#include "daemon/log/log.h"

namespace florin::flow {

using model::Attempt;

Result<bool> Payments::is_reversal_under_way(std::string const& owner, Attempt const& attempt)
    const {
    for (model::Evidence const& each : attempt.evidence) {
        if (each.source != "reversal_intent") {
            continue;
        }
        FLORIN_TRY(
            auto const reversal,
            load_known<Attempt>(parts_.ledger.documents(), owner, each.reference)
        );
        if (reversal.value.closed == 0) {
            return true;
        }
    }
    return false;
}

Result<void> Payments::reverse_second_success(Case& payment, Change& change, Next& next) {
    if (connector_named(payment.attempt.value.connector) == nullptr) {
        tell_connector_missing(payment.attempt.value);
        return keep_open(payment, change);
    }
    start_reversal(payment, "late_approval", change, next);
    return {};
}

Result<void> Payments::give_second_success_back(Case& payment, Change& change, Next& next) {
    Attempt const& attempt = payment.attempt.value;
    if (!is_given_up(attempt)) {
        return {};
    }
    if (has_stray_refund(attempt)) {
        return book_stray_refund(payment, change);
    }
    if (has_stray_capture(attempt)) {
        if (connector_named(attempt.connector) == nullptr) {
            tell_connector_missing(attempt);
            return keep_open(payment, change);
        }
        start_stray_refund(payment, change, next);
        next.gives_back = "refund";
        return {};
    }
    if (attempt.operation != "authorise") {
        return {};
    }
    if (is_reversed_in_vain(attempt)) {
        log::error(
            "attempt.reversals_exhausted",
            {{"attempt", attempt.id}, {"connector", attempt.connector}}
        );
    }
    if (!needs_another_reversal(attempt)) {
        return {};
    }
    // One at a time: what is under way may find it yet, and looks here when it ends.
    FLORIN_TRY(bool const is_under_way, is_reversal_under_way(payment.owner, attempt));
    return is_under_way ? Result<void>{} : reverse_second_success(payment, change, next);
}

void Payments::tell_second_success(Case const& payment, Next const& next) {
    if (next.gives_back.empty()) {
        return;
    }
    Attempt const& attempt = payment.attempt.value;
    model::PaymentIntent const& intent = payment.intent.value;
    // Of a reversal that ended it is the authorisation that is meant.
    std::string const& approved = attempt.operation == "void" ? attempt.original : attempt.id;
    {
        std::lock_guard const lock{second_successes_mutex_};
        ++second_successes_[{attempt.connector, std::string{next.gives_back}}];
    }
    log::warn(
        "attempt.second_success",
        {{"attempt", approved},
         {"connector", attempt.connector},
         {"payment", intent.id},
         {"payment_status", intent.status},
         {"payment_connector", intent.connector},
         {"given_back_by", next.gives_back},
         {"by_attempt", next.drive_attempt}}
    );
}

std::uint64_t Payments::second_successes(std::string_view connector, std::string_view given_back_by)
    const {
    std::lock_guard const lock{second_successes_mutex_};
    auto const found =
        second_successes_.find(std::pair{std::string{connector}, std::string{given_back_by}});
    return found == second_successes_.end() ? 0 : found->second;
}

}  // namespace florin::flow
