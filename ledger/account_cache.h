// Accounts in memory: a bounded cache over the stored ones, and the only home of those that have
// changed since.
//
// A slot has a number that stays while it is in the cache, so that entries of a run name accounts
// in four bytes. What may leave is up to the caller: an account that has changed since the last
// stored run must stay. Thread rule: the ledger thread only.
#pragma once

#include "ledger/types.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace florin::ledger {

struct alignas(64) AccountSlot {
    Account decided;   // every rule is checked against this
    Balances applied;  // what is durable: all that readers may see
    std::uint16_t applied_flags = 0;
    bool is_applied = false;        // false between being created and being durable
    bool is_used = false;           // looked up since the cache was last trimmed
    std::uint32_t number = 0;       // of this slot
    std::uint64_t decided_run = 0;  // the last run that changed `decided`

    // Where its applied changes are in the two newest runs that have any; run 0: in none.
    struct InRun {
        std::uint64_t run = 0;
        std::uint32_t touched = 0;  // its place among the run's accounts
        std::uint32_t newest = 0;   // its newest entry, counted from 1
    };
    InRun in_run;
    InRun in_run_before;

    // Ask for the memory of one front or the other.
    void prefetch_decided() const {
        auto const* const bytes = reinterpret_cast<char const*>(this);
        __builtin_prefetch(bytes);
        __builtin_prefetch(bytes + 64);
    }
    void prefetch_applied() const {
        auto const* const bytes = reinterpret_cast<char const*>(this);
        __builtin_prefetch(bytes + 128);
        __builtin_prefetch(bytes + 192);
    }

    // The account as far as it is durable.
    Account durable() const {
        Account account = decided;
        set_balances(account, applied);
        account.flags = applied_flags;
        return account;
    }
};

static_assert(sizeof(AccountSlot) == 256);

class AccountCache {
public:
    AccountCache() = default;
    AccountCache(AccountCache const&) = delete;
    AccountCache& operator=(AccountCache const&) = delete;

    // nullptr: not in the cache. Pointers stay valid until the slot is removed.
    AccountSlot* find(u128 id) {
        auto const found = numbers_.find(id);
        if (found == numbers_.end()) {
            return nullptr;
        }
        AccountSlot& slot = at(found->second);
        slot.is_used = true;
        return &slot;
    }
    AccountSlot& at(std::uint32_t number) {
        return chunks_[number / kChunkSlots][number % kChunkSlots];
    }
    AccountSlot& add(Account const& account);
    void remove(AccountSlot& slot);
    std::size_t size() const { return numbers_.size(); }

    // Removes slots that `may_leave` allows until no more than `target` are left or all were seen
    // twice; those that were used since the last call go last.
    void trim(std::size_t target, std::function<bool(AccountSlot const& slot)> const& may_leave);

private:
    static constexpr std::uint32_t kChunkSlots = 1024;

    boost::unordered_flat_map<u128, std::uint32_t, U128Hash> numbers_;
    std::vector<std::unique_ptr<AccountSlot[]>> chunks_;
    std::vector<std::uint32_t> free_;  // numbers without an account
    std::uint32_t next_ = 0;           // the lowest number never used
    std::uint32_t hand_ = 0;           // where trim goes on
};

}  // namespace florin::ledger
