// Noting evidence: what somebody said about an attempt becomes one command, with all that follows
// from it, and is tried until it is stored. What follows is decided beside this:
// outcome_authorisation.cc for authorisations and their reversals, outcome_capture.cc for captures
// and refunds, second_success.cc for what a bank has though it was given up.
#include "daemon/flow/identity.h"
#include "daemon/flow/payments.h"
#include "daemon/log/log.h"
#include "daemon/model/reconciliation.h"
#include "ledger/base/check.h"
#include "ledger/base/failpoint.h"

namespace florin::flow {
namespace {

namespace asio = boost::asio;
using connectors::Outcome;
using connectors::Reply;
using model::Attempt;
using model::Kind;

// Tries of a commit against others that change the same documents, before they are spaced out, and
// before somebody has to look.
constexpr int kTriesAtOnce = 16;
constexpr int kOutcomeTriesMax = 10'000;
constexpr std::uint64_t kTryPauseMs = 5;

// Operators decided one thing and the bank says another: somebody has to look at it.
void warn_of_contradiction(
    Attempt const& attempt, Reply const& reply, model::Evidence const& evidence
) {
    // How much the bank has booked nobody can say. An authorisation's is given back.
    bool const is_other =
        reply.approves_otherwise && attempt.operation != "authorise" && is_given_up(attempt);
    if (is_other) {
        log::error(
            "attempt.approved_otherwise",
            {{"attempt", attempt.id},
             {"operation", attempt.operation},
             {"connector", attempt.connector},
             {"decided", attempt.state},
             {"code", evidence.code},
             {"amount_minor", attempt.amount},
             {"said_minor", evidence.amount}}
        );
    }
    bool const denies = attempt.state == "approved" && reply.outcome == Outcome::declined;
    bool const affirms = attempt.state == "declined" && reply.outcome == Outcome::approved;
    // An authorisation's is given back (give_second_success_back).
    // And a refund's is booked (book_stray_refund).
    bool const is_told =
        is_decided_by_operators(attempt) || (attempt.operation == "refund" && denies);
    if (is_told && (denies || affirms)) {
        log::error(
            is_decided_by_operators(attempt) ? "attempt.contradicts_operators"
                                             : "attempt.contradicts_itself",
            {{"attempt", attempt.id},
             {"decided", attempt.state},
             {"bank", connectors::outcome_name(reply.outcome)},
             {"code", reply.response_code}}
        );
    }
}

std::uint64_t retry_ms(FlowOptions const& options, std::int64_t sends) {
    std::uint64_t delay = options.retry_first_ms;
    for (std::int64_t i = 1; i < sends && delay < options.retry_most_ms; ++i) {
        delay *= 2;
    }
    return std::min(delay, options.retry_most_ms);
}

}  // namespace

Result<Payments::OwnCase> Payments::load_case(
    std::string const& owner, std::string const& attempt_id
) const {
    auto const& reader = parts_.ledger.documents();
    auto loaded = std::make_unique<Case>();
    Case& payment = *loaded;
    payment.owner = owner;
    payment.mode = owner.ends_with("/live") ? model::Mode::live : model::Mode::test;
    FLORIN_TRY(payment.attempt, load_known<Attempt>(reader, owner, attempt_id));
    Attempt const& attempt = payment.attempt.value;
    FLORIN_TRY(
        payment.intent, load_known<model::PaymentIntent>(reader, owner, attempt.payment_intent)
    );
    FLORIN_TRY(payment.charge, load_known<model::Charge>(reader, owner, attempt.charge));
    FLORIN_TRY(
        payment.method, load_known<model::PaymentMethod>(reader, owner, attempt.payment_method)
    );
    if (!attempt.refund.empty()) {
        FLORIN_TRY(payment.refund, load_known<model::Refund>(reader, owner, attempt.refund));
    }
    if (!attempt.original.empty()) {
        FLORIN_TRY(payment.original, load_known<Attempt>(reader, owner, attempt.original));
    }
    FLORIN_TRY(payment.merchant, merchant_of(owner));
    return loaded;
}

Result<std::shared_ptr<model::Merchant const>> Payments::merchant_of(std::string const& owner
) const {
    model::Mode const mode = owner.ends_with("/live") ? model::Mode::live : model::Mode::test;
    return merchants_.terms(owner.substr(0, owner.find('/')), mode);
}

u128 Payments::transfer_of(std::string const& text) {
    auto const id = parse_u128(text);
    FLORIN_CHECK(id.has_value(), "a stored transfer id is a number");
    return *id;
}

asio::awaitable<Result<Payments::Next>> Payments::note(
    std::string owner,
    std::string attempt_id,
    model::Evidence evidence,
    Reply reply,
    Waiter* waiter,
    connectors::Connector* other,
    Also const* also,
    OwnCase known
) {
    bool is_timer_missing = false;
    for (int tries = 0; tries < kOutcomeTriesMax; ++tries) {
        if (tries >= kTriesAtOnce) {
            co_await pause(kTryPauseMs);
        }
        if (tries > 0 || known == nullptr) {
            FLORIN_CO_TRY(known, load_case(owner, attempt_id));
            if (waiter != nullptr) {
                waiter->caller.key_version = 0;  // known no better than the rest
            }
        }
        Case& payment = *known;
        Attempt& attempt = payment.attempt.value;
        attempt.stan = stan_of(attempt);
        Next next;
        Change change{owner, waiter != nullptr ? waiter->caller.cause() : model::Cause{}};
        if (also != nullptr) {
            FLORIN_CO_TRY_VOID((*also)(attempt, change));
        }
        // Who waits has the key: what others say meanwhile takes it nowhere else.
        bool const was_closed = attempt.closed != 0;
        std::string const key = attempt.idempotency_key;
        if (waiter == nullptr) {
            attempt.idempotency_key.clear();
        }
        bool const is_reply = evidence.source == "reply";
        if (is_reply) {
            FLORIN_FAILPOINT(attempt.operation, "answered");
        }
        bool const is_undecided = reply.outcome == Outcome::unknown ||
                                  reply.outcome == Outcome::not_sent ||
                                  reply.outcome == Outcome::pending;
        // So that what is repeated for days does not grow the document.
        bool const is_refused_repeat = reply.outcome == Outcome::declined && attempt.sends > 0;
        bool const is_repeated = attempt.operation != "authorise" && is_reply;
        bool const is_repeatable = is_undecided ? evidence.source == "inquiry" || is_repeated
                                                : is_refused_repeat && is_repeated;
        if (is_repeatable) {
            refresh_evidence(attempt, evidence);
        } else if (!add_evidence(attempt, evidence) && waiter == nullptr) {
            co_return next;
        }
        if (is_reply) {
            attempt.response_code = evidence.code;
        }
        bool const is_asked = attempt.operation == "authorise" && evidence.source == "inquiry";
        if (is_asked || (is_reply && reply.outcome != Outcome::not_sent)) {
            ++attempt.sends;
        }
        Verdict const verdict = verdict_of(attempt);
        bool const goes_on = other != nullptr && attempt.closed == 0 &&
                             attempt.operation == "authorise" &&
                             (verdict == Verdict::declined || verdict == Verdict::not_sent);
        if (goes_on) {
            go_elsewhere(payment, verdict, reply, *other, change, next);
        } else if (attempt.closed == 0) {
            if (attempt.operation == "authorise") {
                outcome_of_authorisation(payment, verdict, reply, change, next);
            } else if (attempt.operation == "capture") {
                outcome_of_capture(payment, verdict, change, next);
            } else if (attempt.operation == "refund") {
                outcome_of_refund(payment, verdict, reply, change);
            } else {
                FLORIN_CO_TRY_VOID(outcome_of_void(payment, verdict, reply, change, next));
            }
        } else {
            warn_of_contradiction(attempt, reply, evidence);
        }
        // The waiting request gets the first outcome; what follows at once has its own.
        bool const is_followed = !next.capture_attempt.empty() || !next.authorise_attempt.empty();
        bool const answers = waiter != nullptr && !is_followed;
        if (waiter == nullptr) {
            attempt.idempotency_key = key;
        }
        if (!key.empty()) {
            FLORIN_CO_TRY_VOID(mind_left_key(payment, waiter != nullptr, was_closed, change));
        }
        FLORIN_CO_TRY_VOID(give_second_success_back(payment, change, next));
        std::optional<Done> done;
        if (answers && payment.intent.value.status == "processing") {
            announce(payment, "payment_intent.processing", change);
        }
        if (answers) {
            Objects objects = payment.objects();
            objects.refused = !payment.intent.value.last_payment_error.empty() &&
                              attempt.operation == "authorise" &&
                              payment.charge.value.status == "failed";
            done = waiter->render(objects);
            complete(change, waiter->caller, *done, attempt.id);
        }
        if (waiter != nullptr) {
            attempt.idempotency_key.clear();
        }
        change.put(attempt.id, payment.attempt);
        change.put(payment.intent.value.id, payment.intent);
        change.put(payment.charge.value.id, payment.charge);
        if (payment.is_method_changed) {
            change.put(payment.method.value.id, payment.method);
        }
        if (payment.refund) {
            change.put(payment.refund->value.id, *payment.refund);
        }
        if (payment.changes_original) {
            change.put(payment.original->value.id, *payment.original);
        }
        if (is_timer_missing) {
            // A timer of ours that is gone must not keep an outcome from being stored; one that is
            // left over is cleared when it fires.
            log::error("attempt.timer_missing", {{"attempt", attempt.id}});
            change.command.clear_timers.clear();
        }
        FLORIN_FAILPOINT(attempt.operation, "outcome_decided");
        auto const receipt = co_await submit(std::move(change));
        if (!receipt) {
            if (receipt.error().code == Errc::overloaded) {
                co_await pause(kTryPauseMs);
                continue;
            }
            co_return std::unexpected{receipt.error()};
        }
        is_timer_missing = receipt->status == ledger::CommandStatus::timer_missing;
        if (receipt->committed()) {
            FLORIN_FAILPOINT(attempt.operation, "outcome_durable");
            {
                std::lock_guard const lock{stans_mutex_};
                stans_.erase(attempt.id);
            }
            if (waiter != nullptr && done) {
                waiter->done = std::move(done);
            }
            log::info(
                "attempt.outcome",
                {{"attempt", attempt.id},
                 {"operation", attempt.operation},
                 {"payment", payment.intent.value.id},
                 {"verdict", verdict_name(verdict)},
                 {"code", evidence.code}}
            );
            tell_second_success(payment, next);
            if (payment.capture) {
                next.capture = case_of_capture(std::move(known));
            }
            co_return next;
        }
        // Numbers of a link come back when what holds them is closed.
        bool const may_try_again = receipt->status == ledger::CommandStatus::document_conflict ||
                                   receipt->status == ledger::CommandStatus::counter_exhausted ||
                                   is_timer_missing;
        if (!may_try_again) {
            co_return fail(
                Errc::conflict,
                "the outcome of " + attempt_id +
                    " was refused: " + std::string{status_name(receipt->status)} + ", " +
                    std::string{ledger::status_name(receipt->transfer_status)}
            );
        }
    }
    co_return fail(Errc::conflict, "the outcome of " + attempt_id + " found no quiet moment");
}

asio::awaitable<Result<void>> Payments::take_evidence(
    std::string owner, std::string attempt_id, model::Evidence evidence, Also also
) {
    FLORIN_CO_TRY(OwnCase const loaded, load_case(owner, attempt_id));
    Case const& payment = *loaded;
    Attempt const& attempt = payment.attempt.value;
    bool const needs_reversal = attempt.operation == "capture" && evidence.outcome == "declined";
    if (needs_reversal && connector_named(attempt.connector) == nullptr) {
        co_return fail(
            Errc::conflict,
            "connector " + attempt.connector +
                " is not configured: what it authorised cannot be given back"
        );
    }
    Reply reply{
        .outcome = evidence.outcome == "approved"   ? Outcome::approved
                   : evidence.outcome == "declined" ? Outcome::declined
                                                    : Outcome::unknown,
        .approved = Money{attempt.amount, payment.book().currency},
        .response_code = evidence.code,
        .authorization_code = attempt.authorization_code,
        .network_transaction_id = {},
        .detail = {},
    };
    FLORIN_CO_TRY(
        Next const next,
        co_await note(
            std::move(owner),
            std::move(attempt_id),
            std::move(evidence),
            std::move(reply),
            nullptr,
            nullptr,
            also ? &also : nullptr
        )
    );
    drive_in_background(payment.owner, next);
    co_return Result<void>{};
}

void Payments::tell_connector_missing(Attempt const& attempt) {
    log::error(
        "attempt.connector_missing", {{"attempt", attempt.id}, {"connector", attempt.connector}}
    );
}

api::ApiError Payments::bank_missing(Attempt const& attempt) {
    tell_connector_missing(attempt);
    api::ApiError error;
    error.http_status = 503;
    error.type = api::ErrorType::api_error;
    error.message = "The bank of this payment, " + attempt.connector +
                    ", is not configured now, and only it can do this. Nothing was changed; try "
                    "again when it is configured again.";
    error.should_retry = false;  // it takes a person
    return error;
}

// It stays among the open attempts, where a start takes it up (recover_closed).
Result<void> Payments::keep_open(Case const& payment, Change& change) const {
    Attempt const& attempt = payment.attempt.value;
    auto const key = model::key_of(Kind::open_attempt, payment.owner, attempt.id);
    auto const is_its_own = [&](ledger::DocumentRemove const& each) { return each.key == key; };
    if (std::erase_if(change.command.removes, is_its_own) != 0) {
        return {};  // closed by this very change
    }
    FLORIN_TRY(bool const is_open, is_among_open(payment));
    if (!is_open) {
        change.mark(Kind::open_attempt, attempt.id);
    }
    return {};
}

Result<bool> Payments::is_among_open(Case const& payment) const {
    return is_there(
        parts_.ledger.documents(), Kind::open_attempt, payment.owner, payment.attempt.value.id
    );
}

// An attempt may end before the request that waits for it has its answer, by what came in another
// way. A crash in between must not leave the request's key without an answer.
Result<void> Payments::mind_left_key(
    Case const& payment, bool is_heard, bool was_closed, Change& change
) const {
    Attempt const& attempt = payment.attempt.value;
    if (attempt.closed == 0) {
        return {};
    }
    if (!is_heard) {
        return was_closed ? Result<void>{} : keep_open(payment, change);
    }
    if (!was_closed) {
        return {};  // closing it took it from there
    }
    FLORIN_TRY(bool const is_open, is_among_open(payment));
    if (is_open) {
        change.remove(Kind::open_attempt, attempt.id, 1);
    }
    return {};
}

void Payments::close_attempt(Stored<Attempt>& attempt, std::string state, Change& change) const {
    Attempt& value = attempt.value;
    value.state = std::move(state);
    value.closed = parts_.ids.now_s();
    change.remove(Kind::open_attempt, value.id, 1);
    if (value.state != "approved" && value.stan != 0 && is_reported(value)) {
        change.remove_for(
            model::connector_owner(value.connector, model::mode_of(change.owner())),
            Kind::expected_line,
            value.id,
            1
        );
    }
    if (value.stan != 0) {
        change.command.release_counters.push_back(
            {.counter = stan_counter(value), .value = value.stan}
        );
    }
    clear_retry(value, change);
}

void Payments::clear_retry(Attempt& attempt, Change& change) {
    if (attempt.timer_ns != 0) {
        change.command.clear_timers.push_back(
            {.due_ns = attempt.timer_ns,
             .kind = static_cast<std::uint16_t>(TimerKind::attempt_retry),
             .key = change.owner() + '\0' + attempt.id}
        );
        attempt.timer_ns = 0;
    }
}

void Payments::set_retry(Attempt& attempt, Change& change) const {
    std::string const key = change.owner() + '\0' + attempt.id;
    auto const kind = static_cast<std::uint16_t>(TimerKind::attempt_retry);
    clear_retry(attempt, change);
    attempt.timer_ns = parts_.ids.now_ns() + retry_ms(parts_.options, attempt.sends) * 1'000'000;
    change.command.set_timers.push_back({attempt.timer_ns, kind, key});
}

void Payments::announce(Case const& payment, std::string type, Change& change) const {
    auto const about = [&](Kind kind, std::string const& id) {
        change.event_about(parts_.ids, std::move(type), kind, id);
    };
    if (type.starts_with("refund.")) {
        about(Kind::refund, payment.refund->value.id);
    } else if (type.starts_with("charge.")) {
        about(Kind::charge, payment.charge.value.id);
    } else if (type.starts_with("payment_method.")) {
        about(Kind::payment_method, payment.method.value.id);
    } else {
        announce_intent(payment.objects(), std::move(type), change);
    }
}

// An error shows the payment method as it was, which is another document: that is written out.
void Payments::announce_intent(Objects const& objects, std::string type, Change& change) const {
    if (objects.intent.last_payment_error.empty()) {
        change.event_about(parts_.ids, std::move(type), Kind::payment_intent, objects.intent.id);
    } else {
        change.event(parts_.ids, std::move(type), parts_.renderer.intent(objects));
    }
}

}  // namespace florin::flow
