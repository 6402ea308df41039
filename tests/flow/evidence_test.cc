#include "daemon/flow/evidence.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

using namespace florin;
using namespace florin::flow;
using model::Attempt;
using model::Evidence;

namespace {

Evidence said(char const* source, char const* outcome, char const* reference = "1") {
    return {
        .source = source,
        .outcome = outcome,
        .code = "",
        .amount = 0,
        .time_ms = 0,
        .reference = reference,
    };
}

Verdict verdict(std::vector<Evidence> const& evidence) {
    Attempt attempt;
    for (Evidence const& each : evidence) {
        add_evidence(attempt, each);
    }
    return verdict_of(attempt);
}

struct Row {
    char const* name;
    std::vector<Evidence> evidence;
    Verdict expected;
};

}  // namespace

TEST_CASE("the verdict follows the precedence of evidence") {
    Row const rows[] = {
        {"nothing is known yet", {}, Verdict::open},
        {"the bank approved", {said("reply", "approved")}, Verdict::approved},
        {"the bank declined", {said("reply", "declined")}, Verdict::declined},
        {"nothing was written", {said("reply", "not_sent")}, Verdict::not_sent},
        {"no answer", {said("reply", "unknown")}, Verdict::unknown},
        {"a late approval without a reversal",
         {said("reply", "unknown"), said("late_reply", "approved")},
         Verdict::approved},
        {"a reversal is on its way",
         {said("reply", "unknown"), said("reversal_intent", "")},
         Verdict::unknown},
        {"a late approval does not revive what is being reversed",
         {said("reply", "unknown"), said("reversal_intent", ""), said("late_reply", "approved")},
         Verdict::unknown},
        {"found and reversed",
         {said("reply", "unknown"),
          said("reversal_intent", ""),
          said("reversal_ack", "reversed"),
          said("late_reply", "approved")},
         Verdict::reversed},
        {"not found once is not enough",
         {said("reply", "unknown"),
          said("reversal_intent", ""),
          said("reversal_ack", "not_found", "1")},
         Verdict::unknown},
        {"the same answer twice is one answer",
         {said("reply", "unknown"),
          said("reversal_intent", ""),
          said("reversal_ack", "not_found", "1"),
          said("reversal_ack", "not_found", "1")},
         Verdict::unknown},
        {"not found on two sends",
         {said("reply", "unknown"),
          said("reversal_intent", ""),
          said("reversal_ack", "not_found", "1"),
          said("reversal_ack", "not_found", "2")},
         Verdict::reversed},
        {"not found once by each of two reversals is not twice by one",
         {said("reply", "unknown"),
          said("reversal_intent", "", "at_1"),
          said("reversal_intent", "", "at_2"),
          said("reversal_ack", "not_found", "at_1/1"),
          said("reversal_ack", "not_found", "at_2/1")},
         Verdict::unknown},
        {"not found on two sends of one of them",
         {said("reply", "unknown"),
          said("reversal_intent", "", "at_1"),
          said("reversal_intent", "", "at_2"),
          said("reversal_ack", "not_found", "at_2/1"),
          said("reversal_ack", "not_found", "at_2/3")},
         Verdict::reversed},
        {"the acquirer's report has it",
         {said("reply", "unknown"), said("report_line", "approved")},
         Verdict::approved},
        {"the acquirer's report has what is being reversed: that revives nothing",
         {said("reply", "unknown"), said("reversal_intent", ""), said("report_line", "approved")},
         Verdict::reversed},
        {"whoever was asked says that it was approved",
         {said("reply", "unknown"), said("inquiry", "approved")},
         Verdict::approved},
        {"whoever was asked says that it was declined",
         {said("reply", "unknown"), said("inquiry", "declined")},
         Verdict::declined},
        {"whoever was asked cannot say",
         {said("reply", "unknown"), said("inquiry", "unknown")},
         Verdict::unknown},
        {"two persons decided",
         {said("reply", "unknown"), said("report_line", "approved"), said("operator", "declined")},
         Verdict::declined},
    };
    for (Row const& row : rows) {
        CAPTURE(row.name);
        CHECK(verdict_name(verdict(row.evidence)) == verdict_name(row.expected));
    }
}

TEST_CASE("every order of the same evidence, with repetitions, gives the same verdict") {
    std::vector<Evidence> const pieces{
        said("reply", "unknown"),
        said("reversal_intent", ""),
        said("late_reply", "approved"),
        said("reversal_ack", "not_found", "1"),
        said("reversal_ack", "not_found", "2"),
        said("report_line", "approved"),
    };
    for (unsigned chosen = 0; chosen < 64; ++chosen) {
        std::vector<std::size_t> order;
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            if ((chosen & (1U << i)) != 0) {
                order.push_back(i);
            }
        }
        std::optional<Verdict> first;
        do {
            std::vector<Evidence> set;
            for (std::size_t const i : order) {
                set.push_back(pieces[i]);
            }
            for (std::size_t const i : order) {
                set.push_back(pieces[i]);
            }
            Verdict const now = verdict(set);
            if (!first) {
                first = now;
            }
            REQUIRE(now == *first);
        } while (std::ranges::next_permutation(order).found);
    }
}

TEST_CASE("a late approval calls for another reversal unless the first found it") {
    Attempt attempt;
    add_evidence(attempt, said("reply", "unknown"));
    add_evidence(attempt, said("reversal_intent", ""));
    CHECK_FALSE(needs_another_reversal(attempt));
    add_evidence(attempt, said("late_reply", "approved"));
    CHECK(needs_another_reversal(attempt));
    add_evidence(attempt, said("reversal_ack", "reversed"));
    CHECK_FALSE(needs_another_reversal(attempt));
}

TEST_CASE("an approval of what was refused or not sent calls for one reversal") {
    for (char const* const state : {"declined", "not_sent"}) {
        CAPTURE(state);
        Attempt attempt;
        attempt.operation = "authorise";
        attempt.state = state;
        add_evidence(attempt, said("reply", state));
        CHECK_FALSE(needs_another_reversal(attempt));
        SUBCASE("that comes late") {
            add_evidence(attempt, said("late_reply", "approved"));
        }
        SUBCASE("that comes in time, after another answer") {
            add_evidence(attempt, said("reply", "approved"));
        }
        CHECK(needs_another_reversal(attempt));
        add_evidence(attempt, said("reversal_intent", "late_approval", "at_1"));
        CHECK_FALSE(needs_another_reversal(attempt));
        add_evidence(attempt, said("late_reply", "approved", "again"));
        CHECK_FALSE(needs_another_reversal(attempt));
    }
}

TEST_CASE("a refusal beside the answer that is waited for does not get ahead of it") {
    for (char const* const before : {"", "not_sent"}) {
        CAPTURE(before);
        Attempt attempt;
        attempt.operation = "authorise";
        if (*before != '\0') {
            add_evidence(attempt, said("reply", before));
        }
        add_evidence(attempt, said("late_reply", "declined"));
        CHECK(verdict_of(attempt) != Verdict::declined);
        add_evidence(attempt, said("reply", "unknown"));
        CHECK(verdict_of(attempt) == Verdict::declined);
    }
}

TEST_CASE("after ten reversals that found nothing somebody has to ask the bank") {
    Attempt attempt;
    attempt.operation = "authorise";
    attempt.state = "reversed";
    for (int i = 0; i < 10; ++i) {
        CHECK_FALSE(is_reversed_in_vain(attempt));
        add_evidence(
            attempt, said("reversal_intent", "late_approval", ("at_" + std::to_string(i)).c_str())
        );
        add_evidence(attempt, said("late_reply", "approved", std::to_string(i + 2).c_str()));
        CHECK(needs_another_reversal(attempt) == (i < 9));
    }
    CHECK(is_reversed_in_vain(attempt));
}

TEST_CASE("what is booked at the bank though it was given up is refunded, once") {
    Attempt attempt;
    attempt.operation = "authorise";
    attempt.state = "approved";
    add_evidence(attempt, said("report_line", "approved"));
    CHECK_FALSE(has_stray_capture(attempt));
    for (char const* const state : {"declined", "not_sent", "reversed"}) {
        CAPTURE(state);
        attempt.state = state;
        CHECK(has_stray_capture(attempt));
        // Not twice, by both ways.
        add_evidence(attempt, said("late_reply", "approved"));
        CHECK_FALSE(needs_another_reversal(attempt));
    }
    // A refund that is booked though it was declined is not refunded.
    attempt.operation = "refund";
    CHECK_FALSE(has_stray_capture(attempt));
    attempt.operation = "authorise";
    add_evidence(attempt, said("refund_intent", "", "at_1"));
    CHECK_FALSE(has_stray_capture(attempt));
    CHECK_FALSE(needs_another_reversal(attempt));
}

TEST_CASE("each reversal is over by its own acknowledgements, or by any that found the payment") {
    Attempt attempt;
    add_evidence(attempt, said("reversal_ack", "not_found", reversal_reference("at_1", 1).c_str()));
    add_evidence(attempt, said("reversal_ack", "not_found", reversal_reference("at_1", 2).c_str()));
    CHECK(is_reversal_over(attempt, "at_1"));
    CHECK_FALSE(is_reversal_over(attempt, "at_2"));
    add_evidence(attempt, said("reversal_ack", "not_found", reversal_reference("at_2", 1).c_str()));
    CHECK_FALSE(is_reversal_over(attempt, "at_2"));
    add_evidence(attempt, said("reversal_ack", "reversed", reversal_reference("at_1", 3).c_str()));
    CHECK(is_reversal_over(attempt, "at_2"));
}

TEST_CASE("one more word to the same effect takes the place of the last") {
    Attempt attempt;
    refresh_evidence(attempt, said("reply", "unknown", "1"));
    refresh_evidence(attempt, said("reply", "not_sent", "2"));
    refresh_evidence(attempt, said("reply", "unknown", "3"));
    REQUIRE(attempt.evidence.size() == 2);
    CHECK(attempt.evidence[0].reference == "3");
    CHECK(verdict_name(verdict_of(attempt)) == verdict_name(Verdict::unknown));
}
