#include "tools/florin/bench/load.h"

#include <algorithm>
#include <chrono>

namespace florin::tools {
namespace {

constexpr std::uint64_t kSampleEvery = 4'999;
constexpr std::size_t kSamplesMax = 4'096;

u128 now_as_id() {
    auto const now = std::chrono::system_clock::now().time_since_epoch();
    auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    return u128{static_cast<std::uint64_t>(ms)} << 80U;
}

}  // namespace

Load::Load(LoadShape const& shape, std::uint64_t seed)
    : shape_{shape}, random_{seed}, last_id_{now_as_id()}, sums_(shape.accounts) {}

std::vector<ledger::CreateAccounts> Load::accounts() const {
    std::vector<ledger::CreateAccounts> batches;
    for (std::uint32_t i = 0; i < shape_.accounts; ++i) {
        if (i % ledger::kBatchEventsMax == 0) {
            batches.emplace_back();
        }
        ledger::Account account;
        account.id = i + 1;
        account.ledger = 1;
        account.code = 1;
        batches.back().events.push_back(account);
    }
    return batches;
}

u128 Load::next_id() {
    if (shape_.ids == IdOrder::random) {
        return make_u128(random_.next(), random_.next());
    }
    // Increasing by a random step, as the random part of a time-ordered id does.
    last_id_ += 1 + (random_.next() >> 40U);
    return last_id_;
}

ledger::Transfer Load::next_single() {
    ledger::Transfer transfer;
    transfer.id = next_id();
    std::uint32_t const debit = random_.below(shape_.accounts);
    std::uint32_t credit = random_.below(shape_.accounts - 1);
    credit += credit >= debit ? 1 : 0;
    transfer.debit_account_id = debit + 1;
    transfer.credit_account_id = credit + 1;
    transfer.amount = random_.below(10'000) + 1;
    transfer.ledger = 1;
    transfer.code = 1;
    return transfer;
}

ledger::CreateTransfers Load::next(std::uint64_t count) {
    ledger::CreateTransfers request;
    auto& events = request.events;
    bool const posts = !pending_.empty();
    auto const wanted = static_cast<std::size_t>(std::min<std::uint64_t>(count, shape_.batch));
    events.reserve(wanted);
    if (posts) {
        for (ledger::Transfer const& pending : pending_) {
            ledger::Transfer post;
            post.id = next_id();
            post.pending_id = pending.id;
            post.amount = kU128Max;
            post.flags = ledger::post_pending_transfer;
            events.push_back(post);
            auto const amount = static_cast<std::uint64_t>(pending.amount);
            Sums& debit = sums_of(pending.debit_account_id);
            Sums& credit = sums_of(pending.credit_account_id);
            debit.debits_pending -= amount;
            debit.debits_posted += amount;
            credit.credits_pending -= amount;
            credit.credits_posted += amount;
        }
        pending_.clear();
    } else {
        for (std::size_t i = 0; i < wanted; ++i) {
            events.push_back(next_single());
            auto& event = events.back();
            if (shape_.two_phase) {
                event.flags = ledger::transfer_pending;
            }
            auto const amount = static_cast<std::uint64_t>(event.amount);
            Sums& debit = sums_of(event.debit_account_id);
            Sums& credit = sums_of(event.credit_account_id);
            (shape_.two_phase ? debit.debits_pending : debit.debits_posted) += amount;
            (shape_.two_phase ? credit.credits_pending : credit.credits_posted) += amount;
            if ((made_ + i) % kSampleEvery == 0 && samples_.size() < kSamplesMax) {
                samples_.push_back(event);
            }
        }
        if (shape_.two_phase) {
            pending_ = events;
        }
    }
    made_ += events.size();
    return request;
}

}  // namespace florin::tools
