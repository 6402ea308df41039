#include "ledger/account_cache.h"

#include "ledger/base/check.h"

#include <utility>

namespace florin::ledger {

AccountSlot& AccountCache::add(Account const& account) {
    std::uint32_t number = next_;
    if (!free_.empty()) {
        number = free_.back();
        free_.pop_back();
    } else {
        ++next_;
        if (number / kChunkSlots == chunks_.size()) {
            chunks_.push_back(std::make_unique<AccountSlot[]>(kChunkSlots));
            usage_.resize(chunks_.size() * kChunkSlots);
        }
    }
    AccountSlot& slot = at(number);
    slot = AccountSlot{};
    slot.decided = account;
    slot.applied_flags = account.flags;
    usage_[number] = {.decided_run = 0, .is_used = true};
    slot.number = number;
    if (++size_ * 2 > cells_.size()) {
        grow();
    }
    put(account.id, number);
    return slot;
}

void AccountCache::put(u128 id, std::uint32_t number) {
    std::uint64_t const hash = U128Hash{}(id);
    std::size_t place = hash & mask_;
    while (cells_[place].number != 0) {
        place = (place + 1) & mask_;
    }
    cells_[place] = {tag_of(hash), number + 1};
}

void AccountCache::grow() {
    std::vector<Cell> const before = std::exchange(cells_, std::vector<Cell>(cells_.size() * 2));
    mask_ = cells_.size() - 1;
    for (Cell const cell : before) {
        if (cell.number != 0) {
            put(at(cell.number - 1).decided.id, cell.number - 1);
        }
    }
}

void AccountCache::remove(AccountSlot& slot) {
    std::size_t hole = U128Hash{}(slot.decided.id) & mask_;
    while (cells_[hole].number != slot.number + 1) {
        FLORIN_CHECK(cells_[hole].number != 0, "an account that is removed is in the cache");
        hole = (hole + 1) & mask_;
    }
    // What stands further from its home than the hole moves into it, and leaves a hole itself.
    for (std::size_t place = (hole + 1) & mask_; cells_[place].number != 0;
         place = (place + 1) & mask_) {
        std::size_t const home = U128Hash{}(at(cells_[place].number - 1).decided.id) & mask_;
        if (((place - home) & mask_) >= ((place - hole) & mask_)) {
            cells_[hole] = cells_[place];
            hole = place;
        }
    }
    cells_[hole] = {};
    --size_;
    free_.push_back(slot.number);
    slot.decided.id = 0;  // the mark of an empty slot: no account has id 0
}

void AccountCache::trim(std::size_t target, std::uint64_t unsaved) {
    for (std::uint64_t seen = 0; size() > target && seen < 2 * std::uint64_t{next_}; ++seen) {
        AccountSlot& slot = at(hand_);
        Usage& usage = usage_[hand_];
        hand_ = hand_ + 1 == next_ ? 0 : hand_ + 1;
        if (slot.decided.id == 0 || !slot.is_applied || usage.decided_run >= unsaved) {
            continue;
        }
        if (usage.is_used) {
            usage.is_used = false;
        } else {
            remove(slot);
        }
    }
}

}  // namespace florin::ledger
