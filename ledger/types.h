// Accounts and transfers: the objects of the ledger kernel, exactly as they are stored.
//
// 128 bytes each, little-endian, no padding; these structs are the journal's bytes, the wire of the
// batch protocol and the argument of every rule. Amounts are unsigned 128-bit in ISO 4217 minor
// units; timestamps are nanoseconds since 1970-01-01T00:00:00Z. Thread rule: values.
#pragma once

#include "ledger/base/uint128.h"

#include <cstdint>
#include <type_traits>

namespace florin::ledger {

// Bits of Account::flags.
enum AccountFlag : std::uint16_t {
    account_linked = 1U << 0U,
    debits_must_not_exceed_credits = 1U << 1U,
    credits_must_not_exceed_debits = 1U << 2U,
    account_history = 1U << 3U,
    account_imported = 1U << 4U,
    account_closed = 1U << 5U,
};
inline constexpr std::uint16_t kAccountFlagsKnown = 0x3f;

// Bits of Transfer::flags.
enum TransferFlag : std::uint16_t {
    transfer_linked = 1U << 0U,
    transfer_pending = 1U << 1U,
    post_pending_transfer = 1U << 2U,
    void_pending_transfer = 1U << 3U,
    balancing_debit = 1U << 4U,
    balancing_credit = 1U << 5U,
    closing_debit = 1U << 6U,
    closing_credit = 1U << 7U,
    transfer_imported = 1U << 8U,
};
inline constexpr std::uint16_t kTransferFlagsKnown = 0x1ff;

struct Account {
    u128 id = 0;
    u128 debits_pending = 0;
    u128 debits_posted = 0;
    u128 credits_pending = 0;
    u128 credits_posted = 0;
    u128 user_data_128 = 0;
    std::uint64_t user_data_64 = 0;
    std::uint32_t user_data_32 = 0;
    std::uint32_t reserved = 0;
    std::uint32_t ledger = 0;
    std::uint16_t code = 0;
    std::uint16_t flags = 0;
    std::uint64_t timestamp = 0;

    bool has(AccountFlag flag) const { return (flags & flag) != 0; }
    friend bool operator==(Account const&, Account const&) = default;
};

// The four amounts of an account that move.
struct Balances {
    u128 debits_pending = 0;
    u128 debits_posted = 0;
    u128 credits_pending = 0;
    u128 credits_posted = 0;
    friend bool operator==(Balances const&, Balances const&) = default;
};
inline Balances balances_of(Account const& account) {
    return {
        .debits_pending = account.debits_pending,
        .debits_posted = account.debits_posted,
        .credits_pending = account.credits_pending,
        .credits_posted = account.credits_posted,
    };
}
inline void set_balances(Account& account, Balances const& balances) {
    account.debits_pending = balances.debits_pending;
    account.debits_posted = balances.debits_posted;
    account.credits_pending = balances.credits_pending;
    account.credits_posted = balances.credits_posted;
}

struct Transfer {
    u128 id = 0;
    u128 debit_account_id = 0;
    u128 credit_account_id = 0;
    u128 amount = 0;
    u128 pending_id = 0;
    u128 user_data_128 = 0;
    std::uint64_t user_data_64 = 0;
    std::uint32_t user_data_32 = 0;
    std::uint32_t timeout = 0;  // seconds; only for pending transfers, 0 never expires
    std::uint32_t ledger = 0;
    std::uint16_t code = 0;
    std::uint16_t flags = 0;
    std::uint64_t timestamp = 0;

    bool has(TransferFlag flag) const { return (flags & flag) != 0; }
    bool resolves_pending() const {
        return (flags & (post_pending_transfer | void_pending_transfer)) != 0;
    }
    friend bool operator==(Transfer const&, Transfer const&) = default;
};

static_assert(sizeof(Account) == 128 && sizeof(Transfer) == 128);
static_assert(std::is_trivially_copyable_v<Account> && std::is_trivially_copyable_v<Transfer>);
static_assert(std::has_unique_object_representations_v<Account>);
static_assert(std::has_unique_object_representations_v<Transfer>);

// What became of a pending transfer. Stored; never renumber.
enum class PendingState : std::uint8_t { open = 0, posted = 1, voided = 2, expired = 3 };

inline constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
inline constexpr std::uint64_t kTimestampMax = (std::uint64_t{1} << 63U) - 1;
inline constexpr std::size_t kBatchEventsMax = 8'189;

// 0 where the transfer never expires.
inline std::uint64_t expires_at(Transfer const& pending) {
    return pending.timeout == 0
               ? 0
               : pending.timestamp + std::uint64_t{pending.timeout} * kNanosecondsPerSecond;
}

}  // namespace florin::ledger
