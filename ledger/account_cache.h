// Accounts in memory: a bounded cache over the stored ones, and the only home of those that have
// changed since.
//
// A slot has a number that stays while it is in the cache, so that entries of a run name accounts
// in four bytes. What may leave is up to the caller: an account that has changed since the last
// stored run must stay. Thread rule: the ledger thread only.
#pragma once

#include "ledger/types.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace florin::ledger {

struct alignas(64) AccountSlot {
    Account decided;   // every rule is checked against this
    Balances applied;  // what is durable: all that readers may see
    std::uint16_t applied_flags = 0;
    bool is_applied = false;   // false between being created and being durable
    std::uint32_t number = 0;  // of this slot

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
        std::uint64_t const hash = U128Hash{}(id);
        for (std::size_t at = hash & mask_; cells_[at].number != 0; at = (at + 1) & mask_) {
            if (cells_[at].tag != tag_of(hash)) {
                continue;
            }
            AccountSlot& slot = this->at(cells_[at].number - 1);
            if (slot.decided.id == id) {
                usage_[slot.number].is_used = true;
                return &slot;
            }
        }
        return nullptr;
    }
    // Ask for the memory that find() will need, in two steps some time apart.
    void prefetch_cell(u128 id) const { __builtin_prefetch(&cells_[U128Hash{}(id)&mask_]); }
    void prefetch_slot(u128 id) const {
        std::uint64_t const hash = U128Hash{}(id);
        Cell const cell = cells_[hash & mask_];
        if (cell.number != 0 && cell.tag == tag_of(hash)) {
            at(cell.number - 1).prefetch_decided();
        }
    }
    // The run in which the account was last changed at the decided front.
    void decided_in(AccountSlot const& slot, std::uint64_t run) {
        usage_[slot.number].decided_run = run;
    }
    AccountSlot& at(std::uint32_t number) const {
        return chunks_[number / kChunkSlots][number % kChunkSlots];
    }
    AccountSlot& add(Account const& account);
    void remove(AccountSlot& slot);
    std::size_t size() const { return size_; }

    // Removes durable accounts that no run from `unsaved` on has changed, until no more than
    // `target` are left or all were seen twice; those that were used since the last call go last.
    void trim(std::size_t target, std::uint64_t unsaved);

private:
    static constexpr std::uint32_t kChunkSlots = 1024;

    // Slots by id, at places that follow from the hash; the tag is its upper half.
    struct Cell {
        std::uint32_t tag = 0;
        std::uint32_t number = 0;  // counted from 1
    };
    static std::uint32_t tag_of(std::uint64_t hash) {
        return static_cast<std::uint32_t>(hash >> 32U);
    }
    void put(u128 id, std::uint32_t number);
    void grow();

    // Beside the slots, so that deciding touches less memory.
    struct Usage {
        std::uint64_t decided_run = 0;
        bool is_used = false;  // looked up since the cache was last trimmed
    };

    std::vector<Usage> usage_;  // by number
    std::vector<Cell> cells_ = std::vector<Cell>(64);
    std::size_t mask_ = 63;
    std::size_t size_ = 0;
    std::vector<std::unique_ptr<AccountSlot[]>> chunks_;
    std::vector<std::uint32_t> free_;  // numbers without an account
    std::uint32_t next_ = 0;           // the lowest number never used
    std::uint32_t hand_ = 0;           // where trim goes on
};

}  // namespace florin::ledger
