#include "daemon/flow/resolution.h"

#include "crypto/operator_key.h"
#include "daemon/log/log.h"

#include <algorithm>

namespace florin::flow {
namespace {

namespace asio = boost::asio;
using model::Attempt;
using model::AttemptResolutions;
using model::Resolution;

// What one attempt's document may grow to.
constexpr std::size_t kResolutionsMax = 100;

bool is_among(std::vector<std::string> const& names, std::string_view name) {
    return std::ranges::any_of(names, [&](std::string const& each) {
        return is_same_person(each, name);
    });
}

Result<Stored<AttemptResolutions>> load_resolutions(
    ledger::DocumentReader const& reader, std::string const& owner, std::string const& attempt_id
) {
    FLORIN_TRY(auto found, load<AttemptResolutions>(reader, owner, attempt_id));
    return found ? std::move(*found) : Stored<AttemptResolutions>{};
}

Result<Resolution*> find(AttemptResolutions& all, std::string const& id) {
    auto const found = std::ranges::find(all.resolutions, id, &Resolution::id);
    if (found == all.resolutions.end()) {
        return fail(Errc::not_found, "no such resolution: " + id);
    }
    return &*found;
}

void log_step(std::string_view event, std::string const& attempt, Resolution const& resolution) {
    bool const is_new = resolution.state == "proposed";
    log::info(
        event,
        {{"attempt", attempt},
         {"resolution", resolution.id},
         {"outcome", resolution.outcome},
         {"person", is_new ? resolution.proposed_by : resolution.decided_by},
         {"key", is_new ? resolution.proposed_key : resolution.decided_key}}
    );
}

}  // namespace

std::vector<std::string_view> possible_outcomes(Attempt const& attempt) {
    if (attempt.closed != 0 || attempt.state != "unknown") {
        return {};
    }
    if (attempt.operation == "authorise") {
        return {"reversed", "declined"};
    }
    if (attempt.operation == "void") {
        return {"reversed"};
    }
    return {"approved", "declined"};
}

Result<void> check_outcome(Attempt const& attempt, std::string_view outcome) {
    auto const possible = possible_outcomes(attempt);
    if (attempt.closed != 0) {
        return fail(
            Errc::conflict,
            "attempt " + attempt.id + " is over: it is " + attempt.state + " already"
        );
    }
    if (possible.empty()) {
        return fail(
            Errc::conflict,
            "attempt " + attempt.id + " is under way (" + attempt.state +
                "): there is nothing to decide before it is unknown"
        );
    }
    if (std::ranges::find(possible, outcome) != possible.end()) {
        return {};
    }
    std::string list;
    for (std::string_view const each : possible) {
        list += (list.empty() ? "" : " or ") + std::string{each};
    }
    return fail(
        Errc::conflict,
        "outcome: attempt " + attempt.id + " (" + attempt.operation + ") can only be " + list
    );
}

Result<void> check_named(Person const& person) {
    if (crypto::comparable_name(person.name).empty()) {
        return fail(
            Errc::refused,
            "this key has no person's name: whoever decides about money must have one"
        );
    }
    return {};
}

bool is_same_person(std::string_view name, std::string_view other) {
    return crypto::comparable_name(name) == crypto::comparable_name(other);
}

Result<void> check_confirmation(Resolution const& resolution, Person const& person) {
    if (resolution.state != "proposed") {
        return fail(
            Errc::conflict, "resolution " + resolution.id + " is " + resolution.state + " already"
        );
    }
    FLORIN_TRY_VOID(check_named(person));
    if (is_same_person(resolution.proposed_by, person.name)) {
        return fail(
            Errc::refused,
            "resolution " + resolution.id + " was proposed by " + resolution.proposed_by +
                ": another person has to confirm it"
        );
    }
    // Whoever made a key may still have it: that person would be both.
    if (is_among(person.makers, resolution.proposed_by) ||
        is_among(resolution.proposed_makers, person.name)) {
        return fail(
            Errc::refused,
            "resolution " + resolution.id + " was proposed by " + resolution.proposed_by +
                ", and one of your two keys was made or rolled by the other person: another person "
                "has to confirm it"
        );
    }
    return {};
}

Result<std::vector<Resolution>> Resolutions::of(
    std::string const& owner, std::string const& attempt_id
) const {
    FLORIN_TRY(auto all, load_resolutions(ledger_.documents(), owner, attempt_id));
    return std::move(all.value.resolutions);
}

asio::awaitable<Result<Resolution>> Resolutions::propose(
    std::string owner,
    std::string attempt_id,
    std::string outcome,
    std::string reason,
    Person person
) {
    FLORIN_CO_TRY_VOID(check_named(person));
    auto const& reader = ledger_.documents();
    FLORIN_CO_TRY(auto const attempt, load<Attempt>(reader, owner, attempt_id));
    if (!attempt) {
        co_return fail(Errc::not_found, "no such attempt: " + attempt_id);
    }
    FLORIN_CO_TRY_VOID(check_outcome(attempt->value, outcome));
    FLORIN_CO_TRY(auto all, load_resolutions(reader, owner, attempt_id));
    auto& resolutions = all.value.resolutions;
    if (!resolutions.empty() && resolutions.back().state == "proposed") {
        Resolution const& open = resolutions.back();
        if (open.outcome != outcome) {
            co_return fail(
                Errc::conflict,
                "outcome: " + open.proposed_by + " has proposed " + open.outcome +
                    " for this attempt (" + open.id + "): confirm or withdraw that first"
            );
        }
        std::string id = open.id;
        co_return co_await confirm(
            owner, attempt_id, std::move(id), std::move(reason), std::move(person)
        );
    }
    if (resolutions.size() >= kResolutionsMax) {
        co_return fail(Errc::conflict, "attempt " + attempt_id + " has too many proposals already");
    }
    Resolution const made{
        .id = ids_.make("rs"),
        .outcome = std::move(outcome),
        .reason = std::move(reason),
        .state = "proposed",
        .proposed_by = person.name,
        .proposed_key = person.key_id,
        .proposed_makers = person.makers,
        .proposed = ids_.now_s(),
        .decided_by = {},
        .decided_key = {},
        .decided_reason = {},
    };
    resolutions.push_back(made);
    Change change{owner};
    change.put(attempt_id, all);
    std::string const what = "a proposal for " + attempt_id;
    FLORIN_CO_TRY_VOID(co_await ledger_.commit(std::move(change.command), what));
    log_step("resolution.proposed", attempt_id, made);
    co_return made;
}

asio::awaitable<Result<Resolution>> Resolutions::confirm(
    std::string owner,
    std::string attempt_id,
    std::string resolution_id,
    std::string reason,
    Person person
) {
    FLORIN_CO_TRY(auto all, load_resolutions(ledger_.documents(), owner, attempt_id));
    FLORIN_CO_TRY(Resolution const* const found, find(all.value, resolution_id));
    model::Evidence evidence{
        .source = "operator",
        .outcome = found->outcome,
        .code = {},
        .amount = 0,
        .time_ms = ids_.now_ms(),
        .reference = resolution_id,
    };
    // Decided on what the ledger has when it takes both: the attempt and the proposal are written
    // at the versions that were looked at.
    Resolution confirmed;
    Payments::Also also = [&](Attempt const& attempt, Change& change) -> Result<void> {
        FLORIN_TRY(auto now, load_resolutions(ledger_.documents(), owner, attempt_id));
        FLORIN_TRY(Resolution* const resolution, find(now.value, resolution_id));
        FLORIN_TRY_VOID(check_confirmation(*resolution, person));
        FLORIN_TRY_VOID(check_outcome(attempt, resolution->outcome));
        resolution->state = "confirmed";
        resolution->decided_by = person.name;
        resolution->decided_key = person.key_id;
        resolution->decided_reason = reason;
        resolution->decided = ids_.now_s();
        confirmed = *resolution;
        change.put(attempt_id, now);
        return {};
    };
    FLORIN_CO_TRY_VOID(
        co_await payments_.take_evidence(owner, attempt_id, std::move(evidence), std::move(also))
    );
    log_step("resolution.confirmed", attempt_id, confirmed);
    co_return confirmed;
}

asio::awaitable<Result<Resolution>> Resolutions::withdraw(
    std::string owner,
    std::string attempt_id,
    std::string resolution_id,
    std::string reason,
    Person person
) {
    FLORIN_CO_TRY_VOID(check_named(person));
    FLORIN_CO_TRY(auto all, load_resolutions(ledger_.documents(), owner, attempt_id));
    FLORIN_CO_TRY(Resolution* const resolution, find(all.value, resolution_id));
    if (resolution->state != "proposed") {
        co_return fail(
            Errc::conflict, "resolution " + resolution_id + " is " + resolution->state + " already"
        );
    }
    resolution->state = "withdrawn";
    resolution->decided_by = person.name;
    resolution->decided_key = person.key_id;
    resolution->decided_reason = std::move(reason);
    resolution->decided = ids_.now_s();
    Resolution const withdrawn = *resolution;
    Change change{owner};
    change.put(attempt_id, all);
    std::string const what = "withdrawing " + resolution_id;
    FLORIN_CO_TRY_VOID(co_await ledger_.commit(std::move(change.command), what));
    log_step("resolution.withdrawn", attempt_id, withdrawn);
    co_return withdrawn;
}

}  // namespace florin::flow
