// Late replies: an answer that came when nobody waited for it any more finds its attempt, and is
// evidence like any other.
#include "daemon/flow/identity.h"
#include "daemon/flow/payments.h"
#include "daemon/log/log.h"
#include "ledger/base/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace florin::flow {

namespace asio = boost::asio;
using connectors::Reply;
using model::Attempt;

namespace {

// What a bank may make one attempt's document grow by.
constexpr std::ptrdiff_t kLateRepliesMost = 20;

// Of an answer; reversals are repeated until they are answered anyway.
std::string_view operation_of(std::string_view mti) {
    return mti == "0110" ? "authorise" : mti == "0210" ? "refund" : mti == "0230" ? "capture" : "";
}

}  // namespace

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
    if (attempt.value.operation != operation_of(late.mti) || attempt.value.connector != connector) {
        return std::nullopt;
    }
    if (!has_stan) {
        return found;
    }
    attempt.value.stan = late.stan;
    FLORIN_TRY(auto const merchant, merchant_of(found->owner));
    bool const is_same = link_of(attempt.value) == link &&
                         attempt.value.transmission_time == late.transmission_time &&
                         retrieval_reference(attempt.value) == late.rrn &&
                         (late.terminal_id.empty() || late.terminal_id == merchant->terminal_id);
    if (!is_same) {
        return std::nullopt;
    }
    return found;
}

// A bank may send any number of them.
void Payments::tell_late_reply_unused(connectors::LateReply const& late, std::string_view event) {
    constexpr std::int64_t kPauseMs = 1'000;
    std::uint64_t unsaid = 0;
    {
        std::lock_guard const lock{late_replies_mutex_};
        std::int64_t const now_ms = parts_.ids.now_ms();
        if (now_ms < late_replies_silent_until_ms_) {
            ++late_replies_unsaid_;
            return;
        }
        late_replies_silent_until_ms_ = now_ms + kPauseMs;
        unsaid = std::exchange(late_replies_unsaid_, 0);
    }
    log::warn(event, {{"connector", late.connector}, {"stan", late.stan}, {"more_before", unsaid}});
}

asio::awaitable<void> Payments::take_late_reply(connectors::LateReply late) {
    if (operation_of(late.mti).empty()) {
        co_return;
    }
    auto const found = attempt_of(late);
    if (!found || !*found) {
        tell_late_reply_unused(late, "late_reply.unmatched");
        co_return;
    }
    auto const [owner, attempt_id] = **found;
    // Looked at first: a send counts among `sends` before it is not under way any more. One that
    // was under way at a crash is counted when the attempt is recovered.
    bool const is_sent_now = !is_recovered_ || is_driven(owner + "/" + attempt_id);
    auto const loaded = load_known<Attempt>(parts_.ledger.documents(), owner, attempt_id);
    if (!loaded) {
        log::error(
            "late_reply.refused", {{"attempt", attempt_id}, {"what", loaded.error().context}}
        );
        co_return;
    }
    Attempt const& attempt = loaded->value;
    if (std::ranges::count(attempt.evidence, "late_reply", &model::Evidence::source) >=
        kLateRepliesMost) {
        tell_late_reply_unused(late, "late_reply.too_many");
        co_return;
    }
    bool const is_authorisation = attempt.operation == "authorise";
    Reply reply = late.reply;
    connectors::hold_against(reply, amount_of(attempt), is_authorisation);
    // An answer does not say whether it is to the first message or to its repeat: where a repeat is
    // under way it may be to that.
    std::int64_t const sends = attempt.sends + (is_sent_now ? 1 : 0);
    model::Evidence evidence = said(reply, std::max<std::int64_t>(sends, 1));
    evidence.source = "late_reply";
    if (reply.approves_otherwise) {
        evidence.outcome = kApprovedOtherwise;
    }
    if (is_authorisation) {
        evidence.reference = late_reference(reversals_begun(attempt));
    }
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
