// The names of flags, in the order of their bits: what the JSON of accounts, transfers and filters
// is read and written by. Thread rule: constants.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace florin::ledger {

using FlagNames = std::span<std::string_view const>;

inline constexpr std::array<std::string_view, 6> kAccountFlags{
    "linked",
    "debits_must_not_exceed_credits",
    "credits_must_not_exceed_debits",
    "history",
    "imported",
    "closed",
};
inline constexpr std::array<std::string_view, 9> kTransferFlags{
    "linked",
    "pending",
    "post_pending_transfer",
    "void_pending_transfer",
    "balancing_debit",
    "balancing_credit",
    "closing_debit",
    "closing_credit",
    "imported",
};
inline constexpr std::array<std::string_view, 3> kAccountFilterFlags{
    "debits", "credits", "reversed"
};
inline constexpr std::array<std::string_view, 1> kQueryFlags{"reversed"};

// Anything that stands for a flag which does not exist.
inline constexpr std::uint64_t kUnknownFlag = 1U << 15U;

}  // namespace florin::ledger
