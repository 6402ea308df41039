// Balance history: what happened to one account, in blocks of small deltas.
//
// Every account has a history, whether or not it asked for one. A block opens with the four
// balances before its first change; every change is a delta, so the balances after any of them
// follow from the block alone.
//
//   key of table history := account id u128 big-endian, timestamp of the first change u64
//   big-endian,
//                           sequence of the first change u64 big-endian, block number u32
//                           big-endian
//   value                := debits_pending, debits_posted, credits_pending, credits_posted,
//                           count, change{count}
//   change               := timestamp less the one before, kind u8, sequence less the one before,
//                           index, amount, [amount released from pending: kinds 2 to 4]
//   All numbers without a width are LEB128. Bit 7 of kind: credit side.
//
// Thread rule: values.
#pragma once

#include "ledger/command.h"
#include "ledger/journal.h"
#include "ledger/run_entries.h"

#include <cstdint>
#include <string>
#include <vector>

namespace florin::ledger {

struct BalanceChange {
    std::uint64_t timestamp = 0;
    ChangeKind kind = ChangeKind::posted;
    bool credit = false;
    Sequence sequence = 0;    // the record that holds it
    std::uint32_t index = 0;  // the transfer in that record; 0 for expired
    u128 amount = 0;
    u128 released = 0;
};

// Adds a change to the balances of its side, or takes it away again. `Holder`: Balances or Account.
template <class Holder>
void apply_change(Holder& holder, bool credit, ChangeKind kind, u128 amount, u128 released) {
    u128& pending = credit ? holder.credits_pending : holder.debits_pending;
    u128& posted = credit ? holder.credits_posted : holder.debits_posted;
    switch (kind) {
        case ChangeKind::posted: posted += amount; break;
        case ChangeKind::reserved: pending += amount; break;
        case ChangeKind::post_pending:
            pending -= released;
            posted += amount;
            break;
        case ChangeKind::void_pending:
        case ChangeKind::expired: pending -= released; break;
    }
}
template <class Holder>
void take_back_change(Holder& holder, bool credit, ChangeKind kind, u128 amount, u128 released) {
    // Unsigned arithmetic wraps: adding the negative is taking away.
    apply_change(holder, credit, kind, u128{0} - amount, u128{0} - released);
}

// Makes a stored block out of changes, oldest first.
class HistoryBlock {
public:
    bool empty() const { return count_ == 0; }
    // Of the changes so far.
    std::size_t bytes() const { return changes_.size(); }
    // `before`: the balances that the change acts on.
    void add(Balances const& before, BalanceChange const& change);
    std::string key(u128 account_id, std::uint32_t number) const;
    std::string value() const;
    void clear();

private:
    Balances opening_;
    std::uint64_t first_timestamp_ = 0;
    Sequence first_sequence_ = 0;
    std::uint64_t last_timestamp_ = 0;
    Sequence last_sequence_ = 0;
    std::uint64_t count_ = 0;
    std::string changes_;
};

struct HistoryEntry {
    BalanceChange change;
    Balances after;
};

// All entries of a stored block, oldest first. Errc::corrupt names the account.
Result<std::vector<HistoryEntry>> decode_history(ByteView key, ByteView value);

std::string history_key_prefix(u128 account_id);
std::string history_key_from(u128 account_id, Sequence sequence);

// Big-endian keys of the run tables.
std::string key_of(u128 id);
std::string key_of(std::uint64_t number);
u128 u128_from_key(ByteView key);
std::uint64_t u64_from_key(ByteView key);

}  // namespace florin::ledger
