// Late replies: an answer that came when nobody waited for it any more finds its attempt, and is
// evidence like any other.
#include "daemon/flow/identity.h"
#include "daemon/flow/payments.h"
#include "daemon/log/log.h"

#include <fmt/format.h>

#include <algorithm>

namespace florin::flow {

namespace asio = boost::asio;
using connectors::Outcome;
using connectors::Reply;
using model::Attempt;

void Payments::late_reply(connectors::LateReply reply) {
    in_background(take_late_reply(std::move(reply)));
}

ledger::DocumentKey given_up_key(Attempt const& attempt) {
    std::string id = attempt.stan == 0
                         ? attempt.id
                         : fmt::format("{}/{:06}", attempt.transmission_time, attempt.stan);
    if (std::uint32_t const link = link_of(attempt); link != 1) {
        id += fmt::format("/{}", link);
    }
    return model::key_of(model::Kind::given_up, fmt::format("connector/{}", attempt.connector), id);
}

// It may be remembered already, and after a year another attempt may have its number and its time.
void Payments::remember_given_up(Attempt const& attempt, Change& change) const {
    auto const key = given_up_key(attempt);
    auto const known = load<model::GivenUp>(parts_.ledger.documents(), key.owner, key.id);
    bool const is_known = known && *known;
    if (is_known && (*known)->value.attempt == attempt.id) {
        return;
    }
    change.command.puts.push_back(
        {.key = key,
         .expected_version = is_known ? (*known)->version : 0,
         .body = model::to_text(model::GivenUp{change.owner(), attempt.id})}
    );
}

// What was not given up yet is open.
Result<std::optional<model::GivenUp>> Payments::open_attempt_of(std::string const& id) const {
    std::optional<model::GivenUp> found;
    auto const find = [&](ledger::Document const& document) -> Result<bool> {
        if (document.key.id == id) {
            found = model::GivenUp{document.key.owner, document.key.id};
        }
        return !found;
    };
    FLORIN_TRY_VOID(
        parts_.ledger.documents().each(static_cast<std::uint16_t>(model::Kind::open_attempt), find)
    );
    return found;
}

// The answer may have come over another link than the one whose STAN it has.
Result<std::optional<model::GivenUp>> Payments::attempt_of(connectors::LateReply const& late
) const {
    std::uint32_t const links = late.stan == 0 ? 1 : connectors::kLinksMax;
    for (std::uint32_t link = 1; link <= links; ++link) {
        FLORIN_TRY(auto found, attempt_of(late, link));
        if (found) {
            return found;
        }
    }
    return std::nullopt;
}

// By everything that the bank repeats: a STAN alone may be somebody else's by now.
Result<std::optional<model::GivenUp>> Payments::attempt_of(
    connectors::LateReply const& late, std::uint32_t link
) const {
    auto const& reader = parts_.ledger.documents();
    std::string const& connector = late.connector.text();
    bool const has_stan = late.stan != 0;
    Attempt wanted;
    wanted.id = late.attempt.text();
    wanted.connector = connector;
    wanted.link = link;
    wanted.transmission_time = late.transmission_time;
    wanted.stan = late.stan;
    auto const key = given_up_key(wanted);
    FLORIN_TRY(auto const known, load<model::GivenUp>(reader, key.owner, key.id));
    std::optional<model::GivenUp> found;
    if (known) {
        found = known->value;
    } else if (has_stan) {
        // Not given up yet: it holds its number.
        FLORIN_TRY(auto const held, reader.held(stan_counter(wanted)));
        auto const holder =
            std::ranges::find(held, late.stan, &ledger::DocumentReader::Held::value);
        if (holder == held.end()) {
            return std::nullopt;
        }
        FLORIN_TRY(found, open_attempt_of(holder->holder));
    } else {
        FLORIN_TRY(found, open_attempt_of(late.attempt.text()));
    }
    if (!found) {
        return std::nullopt;
    }
    FLORIN_TRY(auto attempt, load_known<Attempt>(reader, found->owner, found->attempt));
    if (attempt.value.operation != "authorise" || attempt.value.connector != connector) {
        return std::nullopt;
    }
    attempt.value.stan = late.stan;
    bool const is_same =
        !has_stan || (link_of(attempt.value) == link &&
                      attempt.value.transmission_time == late.transmission_time &&
                      (late.rrn.empty() || retrieval_reference(attempt.value) == late.rrn));
    if (!is_same) {
        return std::nullopt;
    }
    return found;
}

// Only an authorisation's late answer changes anything: advices and reversals are repeated until
// they are answered anyway.
asio::awaitable<void> Payments::take_late_reply(connectors::LateReply late) {
    if (late.mti != "0110") {
        co_return;
    }
    auto const found = attempt_of(late);
    if (!found || !*found) {
        log::warn("late_reply.unmatched", {{"connector", late.connector}, {"stan", late.stan}});
        co_return;
    }
    auto const [owner, attempt_id] = **found;
    auto const attempt = load_known<Attempt>(parts_.ledger.documents(), owner, attempt_id);
    Reply reply = late.reply;
    bool const is_odd = attempt && reply.approved &&
                        (reply.approved->currency.alphabetic() != attempt->value.currency ||
                         reply.approved->minor > attempt->value.amount);
    if (is_odd) {
        reply.outcome = Outcome::unknown;  // what it approves is not what was asked for
    }
    model::Evidence evidence = said(reply, 1);
    evidence.source = "late_reply";
    auto const next = co_await note(owner, attempt_id, evidence, reply, nullptr);
    if (!next) {
        log::error("late_reply.refused", {{"attempt", attempt_id}, {"what", next.error().context}});
        co_return;
    }
    drive_in_background(owner, *next);
    // Approved before it was given up: nobody else sends the capture.
    drive_in_background(owner, {.drive_attempt = next->capture_attempt});
}

}  // namespace florin::flow
