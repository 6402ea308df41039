// Attempts for operators: what was tried at banks, by which identity, what is known of it; and what
// two persons decide where no bank can tell.
#include "daemon/admin/body.h"
#include "daemon/admin/service.h"
#include "daemon/api/parameters.h"
#include "daemon/api/redact.h"
#include "daemon/flow/identity.h"
#include "daemon/http/form.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace florin::admin {
namespace {

using model::Attempt;
using nlohmann::ordered_json;

constexpr std::int64_t kAttemptsPageMost = 100;
constexpr std::int64_t kAttemptsPageUsual = 20;
constexpr std::size_t kScanMax = 20'000;

// ---- what they look like ------------------------------------------------------------------------

ordered_json summary_json(std::string const& owner, Attempt const& attempt) {
    bool const has_stan = attempt.stan != 0;  // rails without STANs know it by its id
    return {
        {"attempt", attempt.id},
        {"merchant", owner.substr(0, owner.find('/'))},
        {"operation", attempt.operation},
        {"state", attempt.state},
        {"open", attempt.closed == 0},
        {"amount_minor", attempt.amount},
        {"currency", attempt.currency},
        {"payment_intent", attempt.payment_intent},
        {"charge", attempt.charge},
        {"refund", attempt.refund},
        {"original", attempt.original},
        {"reason", attempt.reason},
        {"connector", attempt.connector},
        {"link", has_stan ? flow::link_of(attempt) : 0},
        {"stan", has_stan ? flow::stan_text(attempt) : ""},
        {"rrn", has_stan ? flow::retrieval_reference(attempt) : ""},
        {"transmission_time", attempt.transmission_time},
        {"authorization_code", attempt.authorization_code},
        {"response_code", attempt.response_code},
        {"sends", attempt.sends},
        {"created", attempt.created},
        {"closed", attempt.closed},
    };
}

ordered_json resolution_json(model::Resolution const& resolution, Attempt const& attempt) {
    bool const is_overtaken = resolution.state == "proposed" && attempt.closed != 0;
    return {
        {"resolution", resolution.id},
        {"attempt", attempt.id},
        {"outcome", resolution.outcome},
        {"reason", resolution.reason},
        {"state", is_overtaken ? "overtaken" : resolution.state},
        {"proposed_by", resolution.proposed_by},
        {"proposed_key", resolution.proposed_key},
        {"proposed", resolution.proposed},
        {"decided_by", resolution.decided_by},
        {"decided_key", resolution.decided_key},
        {"decided", resolution.decided},
        {"decided_reason", resolution.decided_reason},
    };
}

ordered_json evidence_json(model::Evidence const& evidence) {
    return {
        {"source", evidence.source},
        {"outcome", evidence.outcome},
        {"code", evidence.code},
        {"amount_minor", evidence.amount},
        {"time_ms", evidence.time_ms},
        {"reference", evidence.reference},
    };
}

// ---- finding them -------------------------------------------------------------------------------

// Every merchant's owner in this mode.
Result<std::vector<std::string>> owners_of(Call const& call) {
    std::vector<std::string> owners;
    auto const take = [&](std::string const& id, auto const&) -> Result<bool> {
        owners.push_back(model::owner_of(id, call.mode->mode));
        return true;
    };
    std::string const platform = model::owner_of("platform", call.mode->mode);
    FLORIN_TRY_VOID(flow::each_of<model::Merchant>(call.documents(), platform, "", take));
    return owners;
}

struct Found {
    std::string owner;
    Attempt attempt;
};

Result<Found> find(Call const& call) {
    FLORIN_TRY(auto const owners, owners_of(call));
    for (std::string const& owner : owners) {
        FLORIN_TRY(auto attempt, flow::load<Attempt>(call.documents(), owner, call.id()));
        if (attempt) {
            return Found{owner, std::move(attempt->value)};
        }
    }
    return fail(Errc::not_found, "no such attempt: " + api::redacted(call.id().substr(0, 60)));
}

struct WantedAttempts {
    std::string state;  // "", open, unknown, owed_back
    std::string merchant;
    std::string after;
    std::size_t limit = 0;
};

Result<WantedAttempts> wanted_attempts(Call const& call) {
    FLORIN_TRY(auto const form, http::parse_form(call.request.query));
    api::Parameters parameters{form};
    WantedAttempts wanted{
        .state = parameters.take_enum("state", {"open", "unknown", "owed_back"}).value_or(""),
        .merchant = parameters.take_string("merchant").value_or(""),
        .after = parameters.take_string("starting_after").value_or(""),
        .limit = static_cast<std::size_t>(
            parameters.take_integer("limit", 1, kAttemptsPageMost).value_or(kAttemptsPageUsual)
        ),
    };
    if (auto const error = parameters.finish()) {
        return fail(Errc::malformed, error->param + ": " + error->message);
    }
    return wanted;
}

// The next ids of all merchants together, newest first. Ids tell their time and are never the same,
// so the order of ids is the order of all, and an id is a cursor wherever it came from.
using Place = std::pair<std::string, std::string>;  // id, owner
Result<std::vector<Place>> next_ids(
    Call const& call,
    std::vector<std::string> const& owners,
    WantedAttempts const& wanted,
    std::string const& after
) {
    // What is open or owed back is listed apart, under the same ids.
    auto const kind = wanted.state.empty() ? model::Kind::attempt : model::Kind::open_attempt;
    std::vector<Place> ids;
    for (std::string const& owner : owners) {
        FLORIN_TRY(
            auto const page,
            call.documents().list(
                {.kind = static_cast<std::uint16_t>(kind),
                 .owner = owner,
                 .after = after,
                 .newest_first = true,
                 .limit = wanted.limit + 1}
            )
        );
        for (ledger::Document const& document : page) {
            ids.emplace_back(document.key.id, owner);
        }
    }
    std::ranges::sort(ids, std::greater{});
    ids.resize(std::min(ids.size(), wanted.limit + 1));
    return ids;
}

// Of those that are listed apart one may have ended since the list was read.
Result<bool> is_wanted(
    Call const& call, std::string const& state, std::string const& owner, Attempt const& attempt
) {
    bool const is_open = attempt.closed == 0;
    if (state != "owed_back") {
        return state.empty() || (is_open && (state != "unknown" || attempt.state == "unknown"));
    }
    // That of a request which is still to be answered is not about money.
    if (is_open || !attempt.idempotency_key.empty()) {
        return false;
    }
    return flow::is_there(call.documents(), model::Kind::open_attempt, owner, attempt.id);
}

Answer list_attempts(Call& call) {
    FLORIN_CO_TRY(WantedAttempts const wanted, wanted_attempts(call));
    FLORIN_CO_TRY(auto owners, owners_of(call));
    if (!wanted.merchant.empty()) {
        std::string const owner = model::owner_of(wanted.merchant, call.mode->mode);
        if (std::ranges::find(owners, owner) == owners.end()) {
            co_return fail(Errc::malformed, "merchant: no such merchant in this mode");
        }
        owners = {owner};
    }
    ordered_json found = ordered_json::array();
    bool has_more = false;
    std::string cursor = wanted.after;
    std::size_t scanned = 0;
    for (bool at_end = false; !at_end && !has_more;) {
        FLORIN_CO_TRY(auto const ids, next_ids(call, owners, wanted, cursor));
        at_end = ids.size() <= wanted.limit;
        for (auto const& [id, owner] : ids) {
            if (found.size() == wanted.limit || scanned >= kScanMax) {
                has_more = true;
                break;
            }
            ++scanned;
            cursor = id;
            FLORIN_CO_TRY(auto const stored, flow::load<Attempt>(call.documents(), owner, id));
            bool matches = false;
            if (stored) {
                FLORIN_CO_TRY(matches, is_wanted(call, wanted.state, owner, stored->value));
            }
            if (matches) {
                found.push_back(summary_json(owner, stored->value));
            }
        }
    }
    ordered_json const body = {
        {"attempts", found},
        {"has_more", has_more},
        {"next", has_more ? ordered_json(cursor) : ordered_json(nullptr)},
    };
    co_return reply(body);
}

Result<ordered_json> whole_json(
    Call const& call, std::string const& owner, Attempt const& attempt
) {
    ordered_json body = summary_json(owner, attempt);
    body["evidence"] = ordered_json::array();
    for (auto const& each : attempt.evidence) {
        body["evidence"].push_back(evidence_json(each));
    }
    body["may_become"] = ordered_json::array();
    for (std::string_view const outcome : flow::possible_outcomes(attempt)) {
        body["may_become"].push_back(outcome);
    }
    body["resolutions"] = ordered_json::array();
    FLORIN_TRY(auto const resolutions, call.services.resolutions.of(owner, attempt.id));
    for (auto const& each : resolutions) {
        body["resolutions"].push_back(resolution_json(each, attempt));
    }
    return body;
}

Answer show(Call& call) {
    FLORIN_CO_TRY(Found const found, find(call));
    FLORIN_CO_TRY(auto const body, whole_json(call, found.owner, found.attempt));
    co_return reply(body);
}

// ---- deciding -----------------------------------------------------------------------------------

// The resolution, and the attempt as it is after it.
Result<Reply> decided(Call const& call, std::string const& owner, model::Resolution const& made) {
    FLORIN_TRY(auto const now, flow::load_known<Attempt>(call.documents(), owner, call.id()));
    ordered_json body = resolution_json(made, now.value);
    body["attempt_state"] = now.value.state;
    body["attempt_open"] = now.value.closed == 0;
    body["attempt_created"] = now.value.created;
    return reply(body);
}

Answer resolutions(Call& call) {
    FLORIN_CO_TRY(Found const found, find(call));
    FLORIN_CO_TRY(auto const all, call.services.resolutions.of(found.owner, found.attempt.id));
    ordered_json list = ordered_json::array();
    for (auto const& each : all) {
        list.push_back(resolution_json(each, found.attempt));
    }
    ordered_json const body = {{"resolutions", list}};
    co_return reply(body);
}

Answer propose(Call& call) {
    FLORIN_CO_TRY(Body body, Body::parse(call.request.body));
    std::string outcome = body.require_text("outcome", 20);
    std::string reason = body.require_text("reason", Body::kReasonMax);
    FLORIN_CO_TRY_VOID(body.finish());
    FLORIN_CO_TRY(Found const found, find(call));
    flow::Person person = call.person();
    FLORIN_CO_TRY(
        auto const made,
        co_await call.services.resolutions.propose(
            found.owner, found.attempt.id, std::move(outcome), std::move(reason), std::move(person)
        )
    );
    co_return decided(call, found.owner, made);
}

using Decision = decltype(&flow::Resolutions::confirm);

Answer decide(Call& call, Decision decision) {
    FLORIN_CO_TRY(Body body, Body::parse(call.request.body));
    std::string reason = body.take_text("reason", Body::kReasonMax).value_or("");
    FLORIN_CO_TRY_VOID(body.finish());
    FLORIN_CO_TRY(Found const found, find(call));
    flow::Person person = call.person();
    FLORIN_CO_TRY(
        auto const made,
        co_await (call.services.resolutions.*decision)(
            found.owner,
            found.attempt.id,
            call.id("resolution"),
            std::move(reason),
            std::move(person)
        )
    );
    co_return decided(call, found.owner, made);
}

Answer confirm(Call& call) {
    return decide(call, &flow::Resolutions::confirm);
}

Answer withdraw(Call& call) {
    return decide(call, &flow::Resolutions::withdraw);
}

}  // namespace

void add_attempts(Rows& rows) {
    using api::Access;
    using http::Method;
    std::string const base = "/admin/v1/:mode/attempts";
    std::string const made = base + "/:id/resolutions";
    std::string const one = made + "/:resolution";
    rows.push_back({Method::get, base, "attempts", Access::read, list_attempts});
    rows.push_back({Method::get, base + "/:id", "attempts", Access::read, show});
    rows.push_back({Method::get, made, "attempts", Access::read, resolutions});
    rows.push_back({Method::post, made, "attempts", Access::write, propose});
    rows.push_back({Method::post, one + "/confirm", "attempts", Access::write, confirm});
    rows.push_back({Method::post, one + "/withdraw", "attempts", Access::write, withdraw});
}

}  // namespace florin::admin
