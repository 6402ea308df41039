// Idempotency keys: who has one, and the answer that is kept under it.
#include "daemon/flow/payments.h"

#include <algorithm>

namespace florin::flow {

void Payments::claim(Change& change, Caller const& caller) const {
    if (caller.idempotency_key.empty()) {
        return;
    }
    model::IdempotencyKey const key{
        .fingerprint = caller.fingerprint,
        .request_id = caller.request_id,
        .created = parts_.ids.now_s(),
    };
    change.put(caller.idempotency_key, key, 0);
}

// The key is looked at first: whoever comes second with it is told so, and not that what the first
// one did is in the way.
void Payments::answer_at_once(Change& change, Caller const& caller, Done const& done) const {
    if (caller.idempotency_key.empty()) {
        return;
    }
    change.put(caller.idempotency_key, answered_key(caller, done, {}), 0);
    auto& puts = change.command.puts;
    std::ranges::rotate(puts, puts.end() - 1);
    keep_answer(change, caller);
}

void Payments::complete(
    Change& change, Caller const& caller, Done const& done, std::string const& attempt_id
) const {
    if (caller.idempotency_key.empty()) {
        return;
    }
    std::uint64_t version = caller.key_version;
    if (version == 0) {
        auto const stored = load<model::IdempotencyKey>(
            parts_.ledger.documents(), caller.owner, caller.idempotency_key
        );
        version = stored && *stored ? (*stored)->version : 0;
    }
    change.put(caller.idempotency_key, answered_key(caller, done, attempt_id), version);
    keep_answer(change, caller);
}

model::IdempotencyKey Payments::answered_key(
    Caller const& caller, Done const& done, std::string const& attempt_id
) const {
    return {
        .fingerprint = caller.fingerprint,
        .request_id = caller.request_id,
        .done = true,
        .status = done.status,
        .body = done.body,
        .sealed = done.sealed,
        .created = parts_.ids.now_s(),
        .attempt = attempt_id,
    };
}

void Payments::keep_answer(Change& change, Caller const& caller) const {
    std::uint64_t const kept_ns = parts_.options.idempotency_keep_s * 1'000'000'000;
    std::string const timer_key = caller.owner + '\0' + caller.idempotency_key;
    change.command.set_timers.push_back(
        {.due_ns = parts_.ids.now_ns() + kept_ns,
         .kind = static_cast<std::uint16_t>(TimerKind::idempotency_expiry),
         .key = timer_key}
    );
}

}  // namespace florin::flow
