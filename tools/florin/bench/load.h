// What the ledger benchmarks send: batches of transfers, and what the books must say afterwards.
// Thread rule: one thread.
#pragma once

#include "ledger/command.h"
#include "tools/florin/bench/measure.h"

#include <cstdint>
#include <string>
#include <vector>

namespace florin::tools {

enum class IdOrder {
    time_ordered,  // 48 bits of milliseconds, then increasing: what clients are told to use
    random,        // 128 random bits: the worst case for every index
};

struct LoadShape {
    IdOrder ids = IdOrder::time_ordered;
    std::uint32_t accounts = 10'000;
    bool two_phase = false;  // a batch of pending transfers, then a batch that posts them
    std::uint32_t batch = ledger::kBatchEventsMax;
};

// Makes transfers between random accounts, and keeps what they add up to.
class Load {
public:
    explicit Load(LoadShape const& shape, std::uint64_t seed);

    // Accounts 1 to n of ledger 1, in batches.
    std::vector<ledger::CreateAccounts> accounts() const;
    // The next batch of at most `count` transfers.
    ledger::CreateTransfers next(std::uint64_t count);
    std::uint64_t made() const { return made_; }

    // What the ledger must hold once everything made was created.
    struct Sums {
        std::uint64_t debits_pending = 0;
        std::uint64_t debits_posted = 0;
        std::uint64_t credits_pending = 0;
        std::uint64_t credits_posted = 0;
    };
    std::vector<Sums> const& sums() const { return sums_; }  // of account i + 1
    // Some of the transfers, as they were sent.
    std::vector<ledger::Transfer> const& samples() const { return samples_; }

private:
    u128 next_id();
    ledger::Transfer next_single();
    Sums& sums_of(u128 account_id) { return sums_[static_cast<std::size_t>(account_id) - 1]; }

    LoadShape shape_;
    FastRandom random_;
    u128 last_id_ = 0;
    std::uint64_t made_ = 0;
    std::vector<ledger::Transfer> pending_;  // reserved by the batch before
    std::vector<Sums> sums_;
    std::vector<ledger::Transfer> samples_;
};

}  // namespace florin::tools
