#include "daemon/webhooks/dispatcher.h"

#include "daemon/flow/store.h"
#include "daemon/log/log.h"
#include "daemon/model/events.h"
#include "daemon/webhooks/cleanup.h"
#include "daemon/webhooks/pending.h"
#include "ledger/base/failpoint.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <deque>

namespace florin::webhooks {
namespace {

namespace asio = boost::asio;
using model::Kind;
using std::chrono::milliseconds;

constexpr auto kTick = milliseconds{50};         // between looks at the journal's head
constexpr auto kStorePause = milliseconds{200};  // between two stores of one endpoint
constexpr auto kStopPatience = std::chrono::seconds{4};
constexpr std::size_t kTailPage = 500;
constexpr std::uint64_t kPurgeEveryMs = 3'600'000;

}  // namespace

Dispatcher::Dispatcher(Parts parts)
    : parts_{std::move(parts)}, timer_{parts_.executor}, ended_{ended_promise_.get_future()} {}

void Dispatcher::start() {
    asio::co_spawn(parts_.executor, run_to_the_end(), asio::detached);
}

void Dispatcher::stop() {
    if (!ended_.valid()) {
        return;
    }
    auto const ask = [this] {
        stopping_ = true;
        parts_.sender.cancel_all();
        nudge();
    };
    asio::post(parts_.executor, ask);
    ended_.get();
}

void Dispatcher::changed(std::string owner, std::string endpoint) {
    auto const note = [this, key = LaneKey{std::move(owner), std::move(endpoint)}] {
        changes_.push_back(key);
        nudge();
    };
    asio::post(parts_.executor, note);
}

// Waits for everything that was begun, for a while: what is under way has been cancelled.
asio::awaitable<void> Dispatcher::run_to_the_end() {
    try {
        co_await run();
    } catch (std::exception const& error) {
        log::error("webhook.dispatcher_failed", {{"what", error.what()}});
    }
    stopping_ = true;
    auto const until = std::chrono::steady_clock::now() + kStopPatience;
    while (background_ > 0 && std::chrono::steady_clock::now() < until) {
        parts_.sender.cancel_all();
        co_await pause(milliseconds{10});
    }
    // The last outcomes.
    store_what_must_be();
    while (background_ > 0 && std::chrono::steady_clock::now() < until) {
        co_await pause(milliseconds{10});
    }
    ended_promise_.set_value();
}

asio::awaitable<void> Dispatcher::run() {
    if (auto const loaded = load_all(); !loaded) {
        log::error("webhook.load_failed", {{"what", loaded.error().context}});
    }
    while (!stopping_) {
        take_changes();
        if (auto const read = read_tail(); !read) {
            log::error("webhook.read_failed", {{"what", read.error().context}});
        }
        send_what_can_be();
        store_what_must_be();
        for (LaneKey& queue : std::exchange(to_sweep_, {})) {
            in_background(sweep(std::move(queue)));
        }
        if (now_ms() >= purge_at_ms_ && !is_purging_) {
            is_purging_ = true;
            in_background(purge());
        }
        show_figures();
        co_await pause(kTick);
    }
}

asio::awaitable<void> Dispatcher::pause(milliseconds length) {
    boost::system::error_code ignored;
    auto token = asio::redirect_error(asio::use_awaitable, ignored);
    timer_.expires_after(length);
    co_await timer_.async_wait(token);
}

void Dispatcher::in_background(asio::awaitable<void> work) {
    ++background_;
    auto const done = [this](std::exception_ptr error) {
        --background_;
        if (error) {
            log::error("webhook.task_failed", {{"what", "an exception"}});
        }
        nudge();
    };
    asio::co_spawn(parts_.executor, std::move(work), done);
}

// ---- who is there -------------------------------------------------------------------------------

// Every queue there is: of an endpoint that is enabled, or to be removed. The journal is followed
// from its end on; what came before is looked for by each lane itself.
Result<void> Dispatcher::load_all() {
    tail_ = {.sequence = parts_.ledger.ledger().head().sequence + 1, .owner = {}};
    auto const add = [&](ledger::Document const& document) -> Result<bool> {
        FLORIN_TRY(
            auto const queue, model::from_text<model::WebhookQueue>(document.body.value_or(""))
        );
        if (queue.dropped) {
            to_sweep_.emplace_back(document.key.owner, document.key.id);
        } else {
            changes_.emplace_back(document.key.owner, queue.endpoint);
        }
        return true;
    };
    return parts_.ledger.documents().each(static_cast<std::uint16_t>(Kind::webhook_queue), add);
}

void Dispatcher::take_changes() {
    for (LaneKey const& key : std::exchange(changes_, {})) {
        auto const loaded = load(key.first, key.second);
        if (!loaded && loaded.error().code != Errc::not_found) {
            log::error(
                "webhook.load_failed", {{"endpoint", key.second}, {"what", loaded.error().context}}
            );
        }
    }
}

// A lane that is replaced or removed goes when the last try of it is over.
Result<void> Dispatcher::load(std::string const& owner, std::string const& id) {
    auto const& reader = parts_.ledger.documents();
    LaneKey const key{owner, id};
    auto const known = lanes_.find(key);
    FLORIN_TRY(auto endpoint, flow::load<model::WebhookEndpoint>(reader, owner, id));
    std::string const queue = endpoint ? endpoint->value.queue : "";
    if (known != lanes_.end()) {
        if (!queue.empty() && known->second->endpoint().queue == queue) {
            known->second->update(std::move(endpoint->value));
            return {};
        }
        to_sweep_.emplace_back(owner, known->second->endpoint().queue);
        lanes_.erase(known);
    }
    if (queue.empty()) {
        return {};
    }
    FLORIN_TRY(
        auto lane, Lane::open(reader, parts_.options.lane, owner, std::move(endpoint->value))
    );
    lanes_.emplace(key, std::move(lane));
    return {};
}

// Wakes the lanes of whoever something happened to.
Result<void> Dispatcher::read_tail() {
    std::uint64_t const head = parts_.ledger.ledger().head().sequence;
    if (lanes_.empty()) {
        // Who comes later looks from their own start on.
        tail_ = {.sequence = head + 1, .owner = {}};
        return {};
    }
    for (std::size_t pages = 0; pages < 100; ++pages) {
        FLORIN_TRY(auto const owners, parts_.ledger.documents().event_owners(tail_, kTailPage));
        for (auto const& [sequence, owner] : owners) {
            tail_ = {.sequence = sequence, .owner = owner + '\0'};
            auto lane = lanes_.lower_bound({owner, ""});
            for (; lane != lanes_.end() && lane->first.first == owner; ++lane) {
                lane->second->wake();
            }
        }
        if (owners.size() < kTailPage) {
            return {};
        }
    }
    return {};
}

// ---- sending ------------------------------------------------------------------------------------

// An owner and the lanes that may have something to send, beginning with the one after the last
// that had a turn.
struct Dispatcher::Turn {
    std::string owner;
    Share* share = nullptr;
    std::deque<LanePointer> lanes;
};

// Beginning with the owner after the last that had a turn.
std::vector<Dispatcher::Turn> Dispatcher::turns(std::uint64_t now) {
    std::vector<Turn> found;
    for (auto const& [key, lane] : lanes_) {
        if (!lane->may_have_work(now)) {
            continue;
        }
        if (found.empty() || found.back().owner != key.first) {
            found.push_back({.owner = key.first, .share = &shares_[key.first], .lanes = {}});
        }
        found.back().lanes.push_back(lane);
    }
    for (Turn& turn : found) {
        auto const had_turn = [&](LanePointer const& lane) {
            return lane->endpoint().id <= turn.share->last_endpoint;
        };
        std::ranges::rotate(turn.lanes, std::ranges::find_if_not(turn.lanes, had_turn));
    }
    auto const had_turn = [&](Turn const& turn) { return turn.owner <= last_owner_; };
    std::ranges::rotate(found, std::ranges::find_if_not(found, had_turn));
    return found;
}

// One try for each owner in turn, until nobody has one or no place is left.
void Dispatcher::send_what_can_be() {
    if (stopping_ || lanes_.empty()) {
        return;
    }
    std::uint64_t const now = now_ms();
    for (std::vector<Turn> able = turns(now); !able.empty();) {
        std::vector<Turn> again;
        for (Turn& turn : able) {
            if (send_one_of(turn, now)) {
                last_owner_ = turn.owner;
                again.push_back(std::move(turn));
            }
        }
        able = std::move(again);
    }
}

bool Dispatcher::has_place_for(Share const& share) const {
    std::size_t const all = parts_.options.concurrency;
    std::size_t const kept = share.under_way > 0 ? all / 8 : 0;
    return share.under_way < parts_.options.owner_concurrency && under_way_ + kept < all;
}

// One delivery, of the first of its lanes that has one. False: none of them has.
bool Dispatcher::send_one_of(Turn& turn, std::uint64_t now) {
    while (!turn.lanes.empty() && has_place_for(*turn.share)) {
        LanePointer lane = std::move(turn.lanes.front());
        turn.lanes.pop_front();
        if (send_one_of(lane, now)) {
            turn.share->last_endpoint = lane->endpoint().id;
            turn.lanes.push_back(std::move(lane));
            return true;
        }
    }
    return false;
}

// False: it has none that is due, or may not send one.
bool Dispatcher::send_one_of(LanePointer const& lane, std::uint64_t now) {
    if (lane->is_down() && under_way_down_ >= parts_.options.concurrency / 2) {
        return false;
    }
    std::uint64_t const given_up = lane->given_up();
    auto attempt = lane->next(now);
    shown_.given_up += lane->given_up() - given_up;
    if (!attempt) {
        log::error(
            "webhook.read_failed",
            {{"endpoint", lane->endpoint().id}, {"what", attempt.error().context}}
        );
        return false;
    }
    if (!*attempt) {
        return false;
    }
    // Counted here: the coroutine begins later.
    ++under_way_;
    ++shares_[lane->owner()].under_way;
    under_way_down_ += lane->is_down() ? 1U : 0U;
    in_background(deliver(lane, std::move(**attempt), lane->is_down()));
    return true;
}

asio::awaitable<void> Dispatcher::deliver(LanePointer lane, Try attempt, bool was_down) {
    bool is_forgotten = false;
    SendOutcome const outcome = co_await send(lane, attempt, is_forgotten);
    --under_way_;
    --shares_[lane->owner()].under_way;
    under_way_down_ -= was_down ? 1U : 0U;
    if (stopping_ && !outcome.is_delivered()) {
        lane->abandoned(attempt);
        co_return;
    }
    auto const result = is_forgotten             ? Lane::Outcome::forgotten
                        : outcome.is_put_off     ? Lane::Outcome::put_off
                        : outcome.is_delivered() ? Lane::Outcome::delivered
                                                 : Lane::Outcome::failed;
    std::uint64_t const given_up = lane->given_up();
    auto const turn = lane->finished(attempt, result, now_ms());
    auto const target = parse_url(lane->endpoint().url);
    std::string const host = target ? target->host_header : "";
    if (result == Lane::Outcome::delivered) {
        ++shown_.delivered;
        log::debug(
            "webhook.delivered",
            {{"endpoint", lane->endpoint().id}, {"event_id", attempt.event.id}, {"host", host}}
        );
    } else if (result == Lane::Outcome::failed) {
        ++shown_.failed;
        log::info(
            lane->given_up() != given_up ? "webhook.given_up" : "webhook.failed",
            {{"endpoint", lane->endpoint().id},
             {"event_id", attempt.event.id},
             {"host", host},
             {"attempt", attempt.attempts + 1},
             {"status", outcome.status},
             {"problem", outcome.problem}}
        );
    }
    if (result == Lane::Outcome::put_off) {
        ++shown_.put_off;
        log::debug(
            "webhook.put_off",
            {{"endpoint", lane->endpoint().id}, {"host", host}, {"problem", outcome.problem}}
        );
    }
    shown_.given_up += lane->given_up() - given_up;
    if (turn != Lane::Turn::none) {
        log::warn(
            turn == Lane::Turn::down ? "webhook.endpoint_down" : "webhook.endpoint_up",
            {{"endpoint", lane->endpoint().id}, {"host", host}, {"waiting", lane->waiting()}}
        );
    }
}

asio::awaitable<SendOutcome> Dispatcher::send(LanePointer lane, Try attempt, bool& is_forgotten) {
    auto message = message_for(*lane, attempt.event, is_forgotten);
    if (is_forgotten) {
        co_return SendOutcome{};
    }
    if (!message) {
        log::error(
            "webhook.message_failed",
            {{"endpoint", lane->endpoint().id}, {"what", message.error().context}}
        );
        co_return SendOutcome{.status = 0, .problem = "the message could not be made"};
    }
    FLORIN_FAILPOINT("webhook", "before_send");
    SendOutcome outcome = co_await parts_.sender.send(std::move(*message));
    FLORIN_FAILPOINT("webhook", "sent");
    co_return outcome;
}

// Signed anew for each try: receivers refuse old signatures.
Result<Message> Dispatcher::message_for(
    Lane const& lane, ledger::Event const& event, bool& is_forgotten
) {
    model::WebhookEndpoint const& endpoint = lane.endpoint();
    Message message;
    message.owner = event.owner;
    FLORIN_TRY(message.target, parse_url(endpoint.url));
    FLORIN_TRY(auto const pending, PendingEndpoints::load(parts_.ledger.documents(), event.owner));
    FLORIN_TRY(auto const count, pending.count(event));
    FLORIN_TRY(auto text, flow::event_text(parts_.ledger.ledger(), parts_.renderer, event, count));
    if (!text) {
        is_forgotten = true;
        return message;
    }
    message.body = std::move(*text);
    auto const now_s = static_cast<std::int64_t>(now_ms() / 1'000);
    std::vector<SigningSecret> secrets;
    FLORIN_TRY(auto secret, parts_.secrets.open(endpoint.secret, event.owner, endpoint.id));
    secrets.push_back(std::move(secret));
    if (now_s < endpoint.old_secret_until) {
        FLORIN_TRY(auto old, parts_.secrets.open(endpoint.old_secret, event.owner, endpoint.id));
        secrets.push_back(std::move(old));
    }
    message.headers = {
        {"Content-Type", "application/json; charset=utf-8"},
        {"User-Agent", parts_.options.user_agent},
        {"Stripe-Signature", signature_header(secrets, now_s, message.body)},
    };
    return message;
}

// ---- storing ------------------------------------------------------------------------------------

void Dispatcher::store_what_must_be() {
    for (auto const& [key, lane] : lanes_) {
        if (lane->is_storing()) {
            continue;
        }
        if (auto command = lane->to_store()) {
            in_background(store(lane, std::move(*command)));
        }
    }
}

asio::awaitable<void> Dispatcher::store(LanePointer lane, ledger::Command command) {
    auto const receipt = co_await parts_.ledger.submit_command(std::move(command));
    bool const committed = receipt && receipt->committed();
    FLORIN_FAILPOINT("webhook", "outcome_durable");
    if (receipt && !committed) {
        // Disabled or removed meanwhile; otherwise the lane begins anew from what is stored.
        log::info(
            "webhook.store_refused",
            {{"endpoint", lane->endpoint().id}, {"status", status_name(receipt->status)}}
        );
        LaneKey const key{lane->owner(), lane->endpoint().id};
        auto const known = lanes_.find(key);
        if (known != lanes_.end() && known->second == lane) {
            lanes_.erase(known);
            changes_.push_back(key);
        }
        co_return;
    }
    if (!stopping_) {
        // Many outcomes in one record, however fast they come.
        asio::steady_timer timer{parts_.executor, kStorePause};
        boost::system::error_code ignored;
        auto token = asio::redirect_error(asio::use_awaitable, ignored);
        co_await timer.async_wait(token);
    }
    lane->stored(committed);
}

// ---- removing -----------------------------------------------------------------------------------

// What belonged to a queue that nobody wants any more, and then the queue.
asio::awaitable<void> Dispatcher::sweep(LaneKey queue) {
    std::function<Result<ledger::Command>()> const next = [this, queue] {
        return next_to_sweep(parts_.ledger.documents(), queue.first, queue.second);
    };
    if (auto const swept = co_await remove_all(next); !swept) {
        // The next start goes on.
        log::warn("webhook.sweep_failed", {{"what", swept.error().context}});
    }
}

// What was given up is forgotten with the events it is about.
asio::awaitable<void> Dispatcher::purge() {
    std::vector<LaneKey> queues;
    for (auto const& [key, lane] : lanes_) {
        queues.emplace_back(lane->owner(), lane->endpoint().queue);
    }
    for (LaneKey const& queue : queues) {
        std::function<Result<ledger::Command>()> const next = [this, queue] {
            std::uint64_t const now_ns = parts_.clock.wall_ns();
            return next_to_purge(parts_.ledger.documents(), queue.first, queue.second, now_ns);
        };
        if (auto const purged = co_await remove_all(next); !purged) {
            log::warn("webhook.purge_failed", {{"what", purged.error().context}});
        }
    }
    purge_at_ms_ = now_ms() + kPurgeEveryMs;
    is_purging_ = false;
}

asio::awaitable<Result<void>> Dispatcher::remove_all(std::function<Result<ledger::Command>()> next
) {
    while (!stopping_) {
        FLORIN_CO_TRY(ledger::Command command, next());
        if (command.removes.empty()) {
            break;
        }
        FLORIN_CO_TRY_VOID(
            co_await parts_.ledger.commit(std::move(command), "removing from a webhook queue")
        );
    }
    co_return Result<void>{};
}

// ---- figures ------------------------------------------------------------------------------------

void Dispatcher::show_figures() {
    std::uint64_t waiting = 0;
    std::uint64_t down = 0;
    std::uint64_t oldest = 0;
    for (auto const& [key, lane] : lanes_) {
        waiting += static_cast<std::uint64_t>(std::max<std::int64_t>(lane->waiting(), 0));
        down += lane->is_down() ? 1U : 0U;
        std::uint64_t const untried = lane->oldest_untried_ms();
        if (untried != 0) {
            oldest = oldest == 0 ? untried : std::min(oldest, untried);
        }
    }
    std::uint64_t const now = now_ms();
    shown_.waiting = waiting;
    shown_.down = down;
    shown_.endpoints = lanes_.size();
    shown_.lag_ms = oldest != 0 && oldest < now ? now - oldest : 0;
}

Dispatcher::Figures Dispatcher::figures() const {
    return {
        .delivered = shown_.delivered,
        .failed = shown_.failed,
        .given_up = shown_.given_up,
        .put_off = shown_.put_off,
        .waiting = shown_.waiting,
        .endpoints = shown_.endpoints,
        .down = shown_.down,
        .lag_ms = shown_.lag_ms,
    };
}

}  // namespace florin::webhooks
