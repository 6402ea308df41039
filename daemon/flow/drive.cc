// Sending: one place builds every message. Then what must arrive is repeated, what came late is
// taken in, and what a crash left open is taken up again.
#include "connectors/iso8583/response_codes.h"
#include "daemon/flow/identity.h"
#include "daemon/flow/payments.h"
#include "daemon/log/log.h"
#include "ledger/base/check.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
namespace florin::flow {
namespace {

namespace asio = boost::asio;
using connectors::Outcome;
using connectors::Reply;
using model::Attempt;

constexpr std::size_t kTimersAtOnce = 64;

connectors::Identity identity_of(Attempt const& attempt) {
    return {
        .attempt = AttemptId{attempt.id},
        .stan = static_cast<std::uint32_t>(attempt.stan),
        .rrn = retrieval_reference(attempt),
        .transmission_time = attempt.transmission_time,
    };
}

connectors::OriginalReference reference_to(Attempt const& original) {
    char const* const mti = original.operation == "authorise" ? "0100"
                            : original.operation == "capture" ? "0220"
                            : original.operation == "refund"  ? "0200"
                                                              : "0420";
    return {
        .mti = mti,
        .stan = static_cast<std::uint32_t>(original.stan),
        .transmission_time = original.transmission_time,
        .rrn = retrieval_reference(original),
        .authorization_code = original.authorization_code,
    };
}

// Timer keys are owner, 0x00, id.
std::pair<std::string, std::string> split_key(std::string const& key) {
    auto const cut = key.find('\0');
    return {key.substr(0, cut), cut == std::string::npos ? "" : key.substr(cut + 1)};
}

}  // namespace

model::Evidence Payments::said(Reply const& reply, std::int64_t send_number) const {
    return {
        .source = "reply",
        .outcome = std::string{connectors::outcome_name(reply.outcome)},
        .code = reply.response_code,
        .amount = reply.approved ? reply.approved->minor : 0,
        .time_ms = parts_.ids.now_ms(),
        .reference = std::to_string(send_number),
    };
}

std::uint32_t Payments::stan_of(Attempt const& attempt) const {
    if (attempt.stan != 0) {
        return static_cast<std::uint32_t>(attempt.stan);
    }
    auto const held = parts_.ledger.documents().held("stan/" + attempt.connector);
    if (held) {
        for (auto const& each : *held) {
            if (each.holder == attempt.id) {
                return static_cast<std::uint32_t>(each.value);
            }
        }
    }
    return 0;
}

asio::awaitable<Reply> Payments::send(Case const& payment, Cvv cvc, bool repeat) {
    Attempt const& attempt = payment.attempt.value;
    auto* const connector = connector_named(attempt.connector);
    Reply failed{
        .outcome = Outcome::not_sent,
        .approved = {},
        .response_code = {},
        .authorization_code = {},
        .detail = {}
    };
    if (connector == nullptr) {
        failed.detail = "connector " + attempt.connector + " is not configured";
        co_return failed;
    }
    VaultToken token{payment.method.vault_token};
    auto pan = co_await parts_.vault.get(payment.owner, std::move(token));
    if (!pan) {
        log::error("vault.read_failed", {{"attempt", attempt.id}, {"what", pan.error().context}});
        failed.detail = "the card cannot be read from the vault";
        co_return failed;
    }
    auto const currency = Currency::from_alphabetic(attempt.currency);
    FLORIN_CHECK(currency.has_value(), "a stored attempt's currency is known");
    Money const amount{attempt.amount, *currency};
    connectors::Card card{
        .pan = std::move(*pan),
        .exp_month = static_cast<int>(payment.method.exp_month),
        .exp_year = static_cast<int>(payment.method.exp_year),
        .cvv = {},
    };
    connectors::Terminal terminal{
        .terminal_id = payment.merchant.terminal_id,
        .acceptor_id = payment.merchant.acceptor_id,
        .name_location = payment.merchant.name.substr(0, 40),
        .category_code = payment.merchant.category_code,
    };
    if (attempt.operation == "authorise") {
        card.cvv = std::move(cvc);
        connectors::AuthoriseRequest request{
            identity_of(attempt), amount, std::move(card), std::move(terminal)
        };
        co_return co_await connector->authorise(std::move(request));
    }
    FLORIN_CHECK(payment.original.has_value(), "this operation is about another one");
    connectors::OriginalReference original = reference_to(payment.original->value);
    if (attempt.operation == "capture") {
        connectors::CaptureRequest request{
            identity_of(attempt),
            amount,
            std::move(card),
            std::move(terminal),
            std::move(original),
            repeat
        };
        co_return co_await connector->capture(std::move(request));
    }
    if (attempt.operation == "refund") {
        connectors::RefundRequest request{
            identity_of(attempt),
            amount,
            std::move(card),
            std::move(terminal),
            std::move(original),
            repeat
        };
        co_return co_await connector->refund(std::move(request));
    }
    connectors::ReversalReason const reason =
        attempt.reason == "canceled"        ? connectors::ReversalReason::cancelled
        : attempt.reason == "late_approval" ? connectors::ReversalReason::late_approval
                                            : connectors::ReversalReason::no_answer;
    connectors::ReverseRequest request{
        .identity = identity_of(attempt),
        .amount = amount,
        .remaining = std::nullopt,
        .card = std::move(card),
        .terminal = std::move(terminal),
        .original = std::move(original),
        .reason = reason,
        .repeat = repeat,
    };
    co_return co_await connector->reverse(std::move(request));
}

Payments::Driving::Driving(Payments& payments, std::string key)
    : payments_{payments}, key_{std::move(key)} {
    std::lock_guard const lock{payments_.driving_mutex_};
    owns_ = payments_.driving_.insert(key_).second;
}

Payments::Driving::~Driving() {
    if (owns_) {
        std::lock_guard const lock{payments_.driving_mutex_};
        payments_.driving_.erase(key_);
    }
}

std::size_t Payments::driving() const {
    std::lock_guard const lock{driving_mutex_};
    return driving_.size();
}

void Payments::drive_in_background(std::string owner, std::string attempt_id, bool recovered) {
    asio::co_spawn(
        parts_.background, drive(std::move(owner), std::move(attempt_id), recovered), asio::detached
    );
}

asio::awaitable<void> Payments::drive(std::string owner, std::string attempt_id, bool recovered) {
    Driving const driving{*this, owner + "/" + attempt_id};
    if (!driving.owns() || stopping_) {
        co_return;
    }
    auto payment = load_case(owner, attempt_id);
    if (!payment) {
        log::error(
            "attempt.unreadable", {{"attempt", attempt_id}, {"what", payment.error().context}}
        );
        co_return;
    }
    Attempt& attempt = payment->attempt.value;
    if (attempt.closed != 0 || attempt.operation == "authorise") {
        co_return;
    }
    attempt.stan = stan_of(attempt);
    bool const repeat = recovered || attempt.sends > 0;
    Cvv no_cvc;
    Reply const reply = co_await send(*payment, std::move(no_cvc), repeat);
    model::Evidence evidence = said(reply, attempt.sends + 1);
    auto const next = co_await note(owner, attempt_id, std::move(evidence), reply, nullptr);
    if (!next) {
        log::error(
            "attempt.outcome_refused", {{"attempt", attempt_id}, {"what", next.error().context}}
        );
    } else if (!next->drive_attempt.empty()) {
        drive_in_background(owner, next->drive_attempt, false);
    }
}

// A crash between intent and outcome: nobody knows what was sent. The key that the request left
// open is answered with what is true now, then the attempt goes its way.
asio::awaitable<Result<void>> Payments::recover_attempt(std::string owner, std::string attempt_id) {
    FLORIN_CO_TRY(Case payment, load_case(owner, attempt_id));
    Attempt& attempt = payment.attempt.value;
    if (attempt.closed != 0) {
        co_return Result<void>{};
    }
    bool const has_reversal = attempt.state == "unknown";
    if (attempt.operation == "authorise" && has_reversal) {
        co_return Result<void>{};  // its reversal is an open attempt of its own
    }
    Change change{owner};
    if (!attempt.idempotency_key.empty()) {
        Objects const objects = payment.objects();
        Done const done{
            200, payment.refund ? parts_.renderer.refund(objects) : parts_.renderer.intent(objects)
        };
        FLORIN_CO_TRY(
            auto const key,
            load<model::IdempotencyKey>(parts_.ledger.documents(), owner, attempt.idempotency_key)
        );
        Caller const caller{
            .owner = owner,
            .merchant = payment.merchant.id,
            .mode = payment.mode,
            .request_id = key ? key->value.request_id : "",
            .idempotency_key = attempt.idempotency_key,
            .fingerprint = key ? key->value.fingerprint : "",
        };
        if (key && !key->value.done) {
            complete(change, caller, done);
        }
        attempt.idempotency_key.clear();
    }
    Next next;
    attempt.stan = stan_of(attempt);
    if (attempt.operation == "authorise") {
        add_evidence(attempt, said({}, 1));
        attempt.state = "unknown";
        start_reversal(payment, "no_answer", change, next);
        change.put(payment.intent.value.id, payment.intent);
    } else {
        next.drive_attempt = attempt.id;
    }
    change.put(attempt.id, payment.attempt);
    FLORIN_CO_TRY(
        auto const receipt, co_await parts_.ledger.submit_command(std::move(change.command))
    );
    if (!receipt.committed()) {
        co_return fail(
            Errc::conflict,
            "recovery of " + attempt_id +
                " was refused: " + std::string{status_name(receipt.status)}
        );
    }
    log::warn("attempt.recovered", {{"attempt", attempt_id}, {"operation", attempt.operation}});
    drive_in_background(owner, next.drive_attempt, true);
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Payments::recover() {
    std::vector<std::pair<std::string, std::string>> open;
    auto const collect = [&](ledger::Document const& document) -> Result<bool> {
        open.emplace_back(document.key.owner, document.key.id);
        return true;
    };
    FLORIN_CO_TRY_VOID(parts_.ledger.documents().each(
        static_cast<std::uint16_t>(model::Kind::open_attempt), collect
    ));
    for (auto const& [owner, id] : open) {
        FLORIN_CO_TRY_VOID(co_await recover_attempt(owner, id));
    }
    co_return Result<void>{};
}

asio::awaitable<void> Payments::run_timers() {
    constexpr auto kTick = std::chrono::milliseconds{100};
    asio::steady_timer tick{co_await asio::this_coro::executor};
    while (!stopping_) {
        auto const due = parts_.ledger.documents().due_timers(parts_.ids.now_ns(), kTimersAtOnce);
        if (!due) {
            log::error("timers.unreadable", {{"what", due.error().context}});
        } else {
            for (ledger::TimerSet const& timer : *due) {
                co_await fire(timer);
            }
        }
        tick.expires_after(kTick);
        boost::system::error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        co_await tick.async_wait(token);
    }
}

asio::awaitable<void> Payments::fire(ledger::TimerSet timer) {
    auto const [owner, id] = split_key(timer.key);
    Change change{owner};
    change.command.clear_timers.push_back({timer.due_ns, timer.kind, timer.key});
    switch (static_cast<TimerKind>(timer.kind)) {
        case TimerKind::attempt_retry:
            // Its own outcome clears the timer and sets the next.
            drive_in_background(owner, id, false);
            co_return;
        case TimerKind::authorisation_expiry: {
            Caller const caller{
                .owner = owner,
                .merchant = owner.substr(0, owner.find('/')),
                .mode = owner.ends_with("/live") ? model::Mode::live : model::Mode::test,
                .request_id = {},
                .idempotency_key = {},
                .fingerprint = {},
            };
            auto const nobody = [](Objects const&) { return Done{}; };
            auto const done = co_await cancel(caller, id, "automatic", nobody);
            if (done) {
                co_return;  // cancelling cleared the timer
            }
            break;
        }
        case TimerKind::idempotency_expiry: {
            auto const key = load<model::IdempotencyKey>(parts_.ledger.documents(), owner, id);
            if (key && *key && (*key)->value.done) {
                change.remove(model::Kind::idempotency_key, id, (*key)->version);
            }
            break;
        }
    }
    static_cast<void>(co_await parts_.ledger.submit_command(std::move(change.command)));
}

void Payments::late_reply(connectors::LateReply reply) {
    asio::co_spawn(parts_.background, take_late_reply(std::move(reply)), asio::detached);
}

// Only an authorisation's late answer changes anything: advices and reversals are repeated until
// they are answered anyway.
asio::awaitable<void> Payments::take_late_reply(connectors::LateReply late) {
    if (late.mti != "0110") {
        co_return;
    }
    auto const held = parts_.ledger.documents().held("stan/" + late.connector.text());
    std::string attempt_id;
    if (held) {
        for (auto const& each : *held) {
            if (each.value == late.stan) {
                attempt_id = each.holder;
            }
        }
    }
    std::string owner;
    auto const find = [&](ledger::Document const& document) -> Result<bool> {
        if (document.key.id == attempt_id) {
            owner = document.key.owner;
        }
        return owner.empty();
    };
    if (!attempt_id.empty()) {
        static_cast<void>(parts_.ledger.documents().each(
            static_cast<std::uint16_t>(model::Kind::open_attempt), find
        ));
    }
    if (owner.empty()) {
        log::warn("late_reply.unmatched", {{"connector", late.connector}, {"stan", late.stan}});
        co_return;
    }
    model::Evidence evidence = said(late.reply, 1);
    evidence.source = "late_reply";
    auto const next = co_await note(owner, attempt_id, evidence, late.reply, nullptr);
    if (next && !next->drive_attempt.empty()) {
        drive_in_background(owner, next->drive_attempt, false);
    }
}

}  // namespace florin::flow
