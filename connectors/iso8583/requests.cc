#include "connectors/iso8583/requests.h"

#include "ledger/base/failpoint.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace florin::connectors::iso8583 {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kAnsweredRemembered = 4'096;  // to tell duplicates from news

// What an answer and its request have in common. Field 37 and 41 may be filled with spaces.
std::string match_key(
    std::string_view answer_type, Message const& message, Dialect const& dialect
) {
    std::string key{answer_type};
    for (int const field : {dialect.matching_time_field(), 11, 37, 41}) {
        key += '|';
        key += message.trimmed(field);
    }
    return key;
}

}  // namespace

LinkCounters LinkFigures::read() const {
    return LinkCounters{
        .connected = connected,
        .signed_on = signed_on,
        .disconnected = disconnected,
        .sent = sent,
        .answered = answered,
        .not_sent = not_sent,
        .timed_out = timed_out,
        .cut_off = cut_off,
        .late = late,
        .duplicate = duplicate,
        .foreign = foreign,
        .malformed = malformed,
        .bad_mac = bad_mac,
        .outstanding = outstanding,
    };
}

Requests::Requests(asio::any_io_executor const& home, LinkOptions const& options)
    : options_{options},
      dialect_{dialect_of(options.packaging)},
      loads_(options.connections),
      drained_{home} {}

void Requests::describe(Pending& pending, Message const& request) const {
    pending.key = match_key(answer_mti(request.mti()), request, dialect_);
    pending.acquirer = request.get(32);
}

void Requests::add(PendingPtr pending) {
    ++loads_[pending->connection];
    payments_ += pending->is_network() ? 0U : 1U;
    auto const& key = pending->key;
    pending_.emplace(key, std::move(pending));
    figures.outstanding = pending_.size();
}

void Requests::finish(Pending& pending, Exchange::End end, std::string detail) {
    if (pending.done) {
        return;
    }
    pending.done = true;
    pending.result.end = end;
    pending.result.detail = std::move(detail);
    pending.signal.cancel();
    auto const found = pending_.find(pending.key);
    if (found != pending_.end() && found->second.get() == &pending) {
        --loads_[pending.connection];
        payments_ -= pending.is_network() ? 0U : 1U;
        pending_.erase(found);
    }
    figures.outstanding = pending_.size();
    if (payments_ == 0) {
        drained_.cancel();
    }
    switch (end) {
        case Exchange::End::not_sent: ++figures.not_sent; break;
        case Exchange::End::answered: ++figures.answered; break;
        case Exchange::End::unanswered: break;
    }
}

void Requests::cut_off(Pending& pending) {
    if (!pending.done) {
        ++figures.cut_off;
        finish(pending, Exchange::End::unanswered, "the connection ended before the answer");
    }
}

std::vector<PendingPtr> Requests::on_connection(std::size_t connection) const {
    std::vector<PendingPtr> found;
    for (auto const& [key, pending] : pending_) {
        if (pending->connection == connection) {
            found.push_back(pending);
        }
    }
    return found;
}

Requests::Fit Requests::take(Message& answer, std::size_t digest, std::size_t connection) {
    Fit const what = fit(answer, digest, connection);
    switch (what) {
        case Fit::taken: break;
        case Fit::late: ++figures.late; break;
        case Fit::duplicate: ++figures.duplicate; break;
        case Fit::foreign: ++figures.foreign; break;
    }
    return what;
}

Requests::Fit Requests::fit(Message& answer, std::size_t digest, std::size_t connection) {
    auto const type = first_mti(answer.mti());
    auto const key = match_key(type, answer, dialect_);
    bool const is_network = type[1] == '8';
    if (auto const found = pending_.find(key); found != pending_.end()) {
        auto const pending = found->second;
        auto const& acquirer = answer.get(32);
        bool const is_same_acquirer =
            acquirer.empty() || pending->acquirer.empty() || acquirer == pending->acquirer;
        bool const is_right_way = pending->connection == connection ||
                                  (options_.answers_on_any_connection && !is_network);
        if (is_same_acquirer && is_right_way) {
            FLORIN_FAILPOINT(pending->answer_mti(), "answered");
            remember(key, digest);
            pending->result.answer = std::move(answer);
            finish(*pending, Exchange::End::answered, {});
            return Fit::taken;
        }
    }
    if (is_network) {
        return Fit::foreign;
    }
    if (auto const known = answered_keys_.find(key);
        known != answered_keys_.end() && known->second == digest) {
        return Fit::duplicate;
    }
    remember(key, digest);
    return Fit::late;
}

void Requests::remember(std::string const& key, std::size_t digest) {
    if (answered_keys_.insert_or_assign(key, digest).second) {
        answered_order_.push_back(key);
    }
    if (answered_order_.size() > kAnsweredRemembered) {
        answered_keys_.erase(answered_order_.front());
        answered_order_.pop_front();
    }
}

asio::awaitable<void> Requests::drain(std::chrono::milliseconds ms) {
    if (payments_ > 0) {
        drained_.expires_after(ms);
        co_await drained_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

}  // namespace florin::connectors::iso8583
