// Driving: what must arrive is repeated until it is answered, timers fire, and what a crash left
// open is taken up again.
#include "daemon/flow/payments.h"
#include "daemon/log/log.h"
#include "daemon/pause.h"
#include "ledger/base/check.h"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>

namespace florin::flow {
namespace {

namespace asio = boost::asio;
using connectors::Reply;
using model::Attempt;

constexpr std::size_t kTimersAtOnce = 64;

// Timer keys are owner, 0x00, id.
std::pair<std::string, std::string> split_key(std::string const& key) {
    auto const cut = key.find('\0');
    return {key.substr(0, cut), cut == std::string::npos ? "" : key.substr(cut + 1)};
}

}  // namespace

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

std::size_t Payments::background() const {
    std::lock_guard const lock{background_mutex_};
    return background_tasks_;
}

bool Payments::is_driven(std::string const& key) const {
    std::lock_guard const lock{driving_mutex_};
    return driving_.contains(key);
}

void Payments::in_background(asio::awaitable<void> work) {
    {
        std::lock_guard const lock{background_mutex_};
        ++background_tasks_;
    }
    asio::co_spawn(parts_.background, std::move(work), [this](std::exception_ptr const& thrown) {
        FLORIN_CHECK(!thrown, "a coroutine of the flow let an exception out");
        std::lock_guard const lock{background_mutex_};
        if (--background_tasks_ == 0) {
            background_idle_.notify_all();
        }
    });
}

void Payments::wait_idle() {
    constexpr auto kPatience = std::chrono::seconds{5};
    std::unique_lock lock{background_mutex_};
    background_idle_.wait_for(lock, kPatience, [this] { return background_tasks_ == 0; });
}

asio::awaitable<void> Payments::pause(std::uint64_t ms) const {
    return pause_unless(stopping_, ms);
}

void Payments::drive_in_background(std::string owner, Next const& next) {
    if (!next.drive_attempt.empty()) {
        in_background(drive(std::move(owner), next.drive_attempt));
    }
}

// Until what the bank said is stored. What cannot be read or stored is tried again, ever more
// rarely: somebody has to look.
asio::awaitable<void> Payments::drive(std::string owner, std::string attempt_id) {
    Driving const driving{*this, owner + "/" + attempt_id};
    if (!driving.owns()) {
        co_return;
    }
    std::uint64_t wait_ms = parts_.options.retry_first_ms;
    while (!stopping_) {
        auto const next = co_await drive_once(owner, attempt_id);
        if (next) {
            drive_in_background(owner, *next);
            // Approved, as an inquiry says: nobody else sends the capture.
            drive_in_background(owner, {.drive_attempt = next->capture_attempt});
            co_return;
        }
        log::error("attempt.stuck", {{"attempt", attempt_id}, {"what", next.error().context}});
        co_await pause(wait_ms);
        wait_ms = std::min(wait_ms * 2, parts_.options.retry_most_ms);
    }
}

asio::awaitable<Result<Payments::Next>> Payments::drive_once(
    std::string owner, std::string attempt_id
) {
    constexpr std::uint64_t kLinkPollMs = 200;
    auto const& reader = parts_.ledger.documents();
    FLORIN_CO_TRY(auto const known, load_known<Attempt>(reader, owner, attempt_id));
    auto* const connector = connector_named(known.value.connector);
    if (connector == nullptr) {
        co_return fail(
            Errc::not_found, "connector " + known.value.connector + " is not configured"
        );
    }
    // No message and no record for each try while there is no link: a long outage costs nothing.
    while (!connector->health().ready) {
        if (stopping_) {
            co_return Next{};
        }
        co_await pause(kLinkPollMs);
    }
    FLORIN_CO_TRY(OwnCase loaded, load_case(owner, attempt_id));
    Case& payment = *loaded;
    Attempt& attempt = payment.attempt.value;
    attempt.stan = stan_of(attempt);
    bool const can_ask = connector->can_inquire();
    bool const asks_first = can_ask && attempt.operation == "authorise" &&
                            attempt.state == "unknown" && !is_being_reversed(attempt);
    if (attempt.closed != 0 || (attempt.operation == "authorise" && !asks_first)) {
        co_return Next{};
    }
    if (asks_first) {
        co_return co_await ask(std::move(loaded));
    }
    if (can_ask && attempt.operation == "refund" && attempt.sends > 0) {
        Reply const answer = co_await inquire(payment);
        if (answer.outcome == connectors::Outcome::approved ||
            answer.outcome == connectors::Outcome::declined) {
            model::Evidence evidence = said(answer, attempt.sends);
            evidence.source = "inquiry";
            co_return co_await note(owner, attempt_id, evidence, answer, nullptr);
        }
    }
    CardSecrets none;
    Reply const reply = co_await send(payment, std::move(none), attempt.sends > 0);
    model::Evidence const evidence = said(reply, attempt.sends + 1);
    co_return co_await note(owner, attempt_id, evidence, reply, nullptr);
}

// An authorisation that was not answered, before it is reversed.
asio::awaitable<Result<Payments::Next>> Payments::ask(OwnCase payment) {
    Attempt const& attempt = payment->attempt.value;
    Reply const answer = co_await inquire(*payment);
    model::Evidence evidence = said(answer, attempt.sends);
    evidence.source = "inquiry";
    co_return co_await note(payment->owner, attempt.id, evidence, answer, nullptr);
}

// The key that a request left open, at a crash, is answered with what is true now.
Result<void> Payments::answer_left_key(Case& payment, Change& change) const {
    Attempt& attempt = payment.attempt.value;
    if (attempt.idempotency_key.empty()) {
        return {};
    }
    Objects const objects = payment.objects();
    Done const done{
        200, payment.refund ? parts_.renderer.refund(objects) : parts_.renderer.intent(objects)
    };
    FLORIN_TRY(
        auto const key,
        load<model::IdempotencyKey>(
            parts_.ledger.documents(), payment.owner, attempt.idempotency_key
        )
    );
    Caller const caller{
        .owner = payment.owner,
        .merchant = payment.merchant->id,
        .mode = payment.mode,
        .request_id = key ? key->value.request_id : "",
        .idempotency_key = attempt.idempotency_key,
        .fingerprint = key ? key->value.fingerprint : "",
    };
    if (key && !key->value.done) {
        complete(change, caller, done, attempt.id);
    }
    attempt.idempotency_key.clear();
    return {};
}

// A crash between intent and outcome: nobody knows what was sent.
asio::awaitable<Result<void>> Payments::recover_attempt(std::string owner, std::string attempt_id) {
    FLORIN_CO_TRY(OwnCase loaded, load_case(owner, attempt_id));
    Case& payment = *loaded;
    Attempt& attempt = payment.attempt.value;
    if (attempt.closed != 0) {
        co_return co_await recover_closed(std::move(loaded));
    }
    if (attempt.operation == "authorise" && is_being_reversed(attempt)) {
        co_return Result<void>{};  // its reversal is an open attempt of its own
    }
    Change change{owner};
    FLORIN_CO_TRY_VOID(answer_left_key(payment, change));
    Next next;
    attempt.stan = stan_of(attempt);
    bool const is_configured = connector_named(attempt.connector) != nullptr;
    bool const is_intent = attempt.state == "intent";
    if (attempt.operation != "authorise") {
        // It may have gone out, once more: an answer may be to that, and what follows is a repeat.
        ++attempt.sends;
        attempt.state = is_intent ? "unknown" : attempt.state;
        next.drive_attempt = attempt.id;
    } else if (is_configured) {
        add_evidence(attempt, said({}, 1));
        not_answered(payment, change, next);
        if (!is_being_reversed(attempt)) {
            next.drive_attempt = attempt.id;  // it is asked about, now
        }
        change.put(payment.intent.value.id, payment.intent);
    } else {
        // It stays open until its connector is back, or operators say what became of it.
        attempt.state = is_intent ? "unknown" : attempt.state;
        tell_connector_missing(attempt);
    }
    change.put(attempt.id, payment.attempt);
    FLORIN_CO_TRY_VOID(co_await commit_recovery(attempt_id, std::move(change)));
    log::warn("attempt.recovered", {{"attempt", attempt_id}, {"operation", attempt.operation}});
    drive_in_background(owner, next);
    co_return Result<void>{};
}

// What had to be given back while its connector was not configured, and what ended before the
// request that waited for it was answered.
asio::awaitable<Result<void>> Payments::recover_closed(OwnCase known) {
    Case& payment = *known;
    Attempt const& attempt = payment.attempt.value;
    Next next;
    Change change{payment.owner};
    bool const has_key = !attempt.idempotency_key.empty();
    FLORIN_CO_TRY_VOID(answer_left_key(payment, change));
    change.remove(model::Kind::open_attempt, attempt.id, 1);
    FLORIN_CO_TRY_VOID(give_second_success_back(payment, change, next));
    bool const is_owed_still = change.command.removes.empty();
    if (is_owed_still && !has_key) {
        co_return Result<void>{};
    }
    change.put(attempt.id, payment.attempt);
    if (payment.changes_original) {
        change.put(payment.original->value.id, *payment.original);
    }
    FLORIN_CO_TRY_VOID(co_await commit_recovery(attempt.id, std::move(change)));
    tell_second_success(payment, next);
    drive_in_background(payment.owner, next);
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Payments::commit_recovery(std::string attempt_id, Change change) {
    FLORIN_CO_TRY(auto const receipt, co_await submit(std::move(change)));
    if (!receipt.committed()) {
        co_return fail(
            Errc::conflict,
            "recovery of " + attempt_id +
                " was refused: " + std::string{status_name(receipt.status)}
        );
    }
    co_return Result<void>{};
}

struct Payments::Recovery {
    std::vector<std::pair<std::string, std::string>> open;  // owner, attempt
    std::size_t taken = 0;
    std::size_t workers = 0;
    std::size_t failed = 0;
    std::optional<Error> fatal;
};

// One that cannot be recovered is said aloud and stays open; the others must not wait for it.
asio::awaitable<void> Payments::recover_some(std::shared_ptr<Recovery> recovery) {
    constexpr int kTriesPerAttempt = 100;
    while (recovery->taken < recovery->open.size() && !recovery->fatal) {
        auto const [owner, id] = recovery->open[recovery->taken++];
        Result<void> recovered;
        for (int tries = 0; tries < kTriesPerAttempt; ++tries) {
            recovered = co_await recover_attempt(owner, id);
            bool const may_try_again = !recovered && (recovered.error().code == Errc::conflict ||
                                                      recovered.error().code == Errc::overloaded);
            if (!may_try_again) {
                break;
            }
            co_await pause(static_cast<std::uint64_t>(tries));
        }
        if (!recovered && recovered.error().code == Errc::closed) {
            recovery->fatal = recovered.error();
        } else if (!recovered) {
            ++recovery->failed;
            log::error(
                "attempt.unrecoverable", {{"attempt", id}, {"what", recovered.error().context}}
            );
        }
    }
    --recovery->workers;
}

asio::awaitable<Result<void>> Payments::recover() {
    // Many at once share the journal's syncs.
    constexpr std::size_t kWorkers = 64;
    constexpr std::uint64_t kPollMs = 2;
    auto const recovery = std::make_shared<Recovery>();
    auto const collect = [&](ledger::Document const& document) -> Result<bool> {
        recovery->open.emplace_back(document.key.owner, document.key.id);
        return true;
    };
    FLORIN_CO_TRY_VOID(parts_.ledger.documents().each(
        static_cast<std::uint16_t>(model::Kind::open_attempt), collect
    ));
    recovery->workers = std::min(kWorkers, recovery->open.size());
    for (std::size_t i = recovery->workers; i > 0; --i) {
        in_background(recover_some(recovery));
    }
    while (recovery->workers > 0) {
        co_await pause(kPollMs);
    }
    if (recovery->fatal) {
        co_return std::unexpected{*recovery->fatal};
    }
    is_recovered_ = true;
    if (!recovery->open.empty()) {
        log::info(
            "attempts.recovered",
            {{"open", recovery->open.size()}, {"unrecoverable", recovery->failed}}
        );
    }
    co_return Result<void>{};
}

asio::awaitable<void> Payments::run_timers() {
    while (!stopping_) {
        // Those that are being driven stay due until they have an outcome: they take no places.
        auto const due =
            parts_.ledger.documents().due_timers(parts_.ids.now_ns(), kTimersAtOnce + driving());
        if (!due) {
            log::error("timers.unreadable", {{"what", due.error().context}});
        } else {
            for (ledger::TimerSet const& timer : *due) {
                co_await fire(timer);
            }
        }
        co_await pause(parts_.options.timer_tick_ms);
    }
}

asio::awaitable<void> Payments::fire(ledger::TimerSet timer) {
    auto const [owner, id] = split_key(timer.key);
    Change change{owner};
    change.command.clear_timers.push_back({timer.due_ns, timer.kind, timer.key});
    switch (static_cast<TimerKind>(timer.kind)) {
        case TimerKind::attempt_retry: {
            if (is_driven(owner + "/" + id)) {
                co_return;
            }
            auto const known = load<Attempt>(parts_.ledger.documents(), owner, id);
            bool const is_its_own = !known || (*known && (*known)->value.closed == 0 &&
                                               (*known)->value.timer_ns == timer.due_ns);
            if (is_its_own) {
                // Its own outcome clears the timer and sets the next.
                in_background(drive(owner, id));
                co_return;
            }
            break;
        }
        case TimerKind::authorisation_expiry:
            if (!is_driven(owner + "/" + id)) {
                in_background(expire(timer));
            }
            co_return;
        case TimerKind::idempotency_expiry: {
            auto const key = load<model::IdempotencyKey>(parts_.ledger.documents(), owner, id);
            if (!key || !*key || !(*key)->value.done) {
                break;
            }
            if (!(*key)->value.attempt.empty()) {
                auto const attempt =
                    load<Attempt>(parts_.ledger.documents(), owner, (*key)->value.attempt);
                if (!attempt || (*attempt && (*attempt)->value.closed == 0)) {
                    // What it asked for is not over: whoever asks again must get the same answer.
                    constexpr std::uint64_t kLaterNs = 3'600ULL * 1'000'000'000;
                    change.command.set_timers.push_back(
                        {parts_.ids.now_ns() + kLaterNs, timer.kind, timer.key}
                    );
                    break;
                }
            }
            change.remove(model::Kind::idempotency_key, id, (*key)->version);
            break;
        }
    }
    static_cast<void>(co_await submit(std::move(change)));
}

// An authorisation that was not captured in time is given back. Where that does not work now, it is
// tried again later: a timer that is gone while the payment still names it would be in the way of
// capture and cancel.
asio::awaitable<void> Payments::expire(ledger::TimerSet timer) {
    constexpr std::uint64_t kLaterNs = 60ULL * 1'000'000'000;
    auto const [owner, id] = split_key(timer.key);
    Driving const driving{*this, owner + "/" + id};
    if (!driving.owns()) {
        co_return;
    }
    Caller const caller{
        .owner = owner,
        .merchant = owner.substr(0, owner.find('/')),
        .mode = owner.ends_with("/live") ? model::Mode::live : model::Mode::test,
        .request_id = {},
        .idempotency_key = {},
        .fingerprint = {},
    };
    Render const nobody = [](Objects const&) { return Done{}; };
    auto const done = co_await cancel(caller, id, "automatic", nobody);
    if (done) {
        co_return;  // cancelling cleared the timer
    }
    auto intent = load<model::PaymentIntent>(parts_.ledger.documents(), owner, id);
    if (!intent) {
        log::error("expiry.unreadable", {{"payment", id}, {"what", intent.error().context}});
        co_await pause(parts_.options.retry_most_ms);
        co_return;
    }
    Change change{owner};
    change.command.clear_timers.push_back({timer.due_ns, timer.kind, timer.key});
    if (*intent && (*intent)->value.expiry_timer_ns == timer.due_ns) {
        log::warn("expiry.failed", {{"payment", id}, {"what", done.error().message}});
        bool const is_held = (*intent)->value.status == "requires_capture";
        (*intent)->value.expiry_timer_ns = is_held ? parts_.ids.now_ns() + kLaterNs : 0;
        if (is_held) {
            change.command.set_timers.push_back(
                {(*intent)->value.expiry_timer_ns, timer.kind, timer.key}
            );
        }
        change.put(id, **intent);
    }
    static_cast<void>(co_await submit(std::move(change)));
}

}  // namespace florin::flow
