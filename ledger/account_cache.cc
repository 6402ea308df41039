#include "ledger/account_cache.h"

#include "ledger/base/check.h"

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
        }
    }
    AccountSlot& slot = at(number);
    slot = AccountSlot{};
    slot.decided = account;
    slot.applied_flags = account.flags;
    slot.is_used = true;
    slot.number = number;
    bool const is_new = numbers_.emplace(account.id, number).second;
    FLORIN_CHECK(is_new, "an account is in the cache once");
    return slot;
}

void AccountCache::remove(AccountSlot& slot) {
    bool const was_there = numbers_.erase(slot.decided.id) == 1;
    FLORIN_CHECK(was_there, "an account that is removed is in the cache");
    free_.push_back(slot.number);
    slot.decided.id = 0;  // the mark of an empty slot: no account has id 0
}

void AccountCache::trim(
    std::size_t target, std::function<bool(AccountSlot const& slot)> const& may_leave
) {
    for (std::uint64_t seen = 0; size() > target && seen < 2 * std::uint64_t{next_}; ++seen) {
        AccountSlot& slot = at(hand_);
        hand_ = hand_ + 1 == next_ ? 0 : hand_ + 1;
        if (slot.decided.id == 0 || !may_leave(slot)) {
            continue;
        }
        if (slot.is_used) {
            slot.is_used = false;
        } else {
            remove(slot);
        }
    }
}

}  // namespace florin::ledger
