// Identifiers that cannot be mixed up: comparing two kinds does not compile.
// Thread rule: values, no shared state.
#pragma once

#include "ledger/base/uint128.h"

#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace florin {

// A textual identifier such as "pi_3f…" or "acct_…": opaque, at most 255 of [A-Za-z0-9_].
template <class Tag>
class Id {
public:
    Id() = default;
    explicit Id(std::string text) : text_{std::move(text)} {}

    std::string const& text() const { return text_; }
    bool empty() const { return text_.empty(); }
    friend auto operator<=>(Id const&, Id const&) = default;
    friend bool operator==(Id const&, Id const&) = default;

private:
    std::string text_;
};

using MerchantId = Id<struct MerchantTag>;            // acct_…
using PaymentId = Id<struct PaymentTag>;              // pi_…
using PaymentMethodId = Id<struct PaymentMethodTag>;  // pm_…
using ChargeId = Id<struct ChargeTag>;                // ch_…
using RefundId = Id<struct RefundTag>;                // re_…
using AttemptId = Id<struct AttemptTag>;              // at_…
using ConnectorId = Id<struct ConnectorTag>;          // the name in the configuration
using VaultToken = Id<struct VaultTag>;               // tok_…

// A 128-bit identifier of the ledger kernel. 0 and 2^128-1 are refused by the kernel itself.
template <class Tag>
struct Id128 {
    u128 value = 0;
    friend auto operator<=>(Id128 const&, Id128 const&) = default;
    friend bool operator==(Id128 const&, Id128 const&) = default;
};

using AccountId = Id128<struct AccountTag>;
using TransferId = Id128<struct TransferTag>;

}  // namespace florin

template <class Tag>
struct std::hash<florin::Id<Tag>> {
    std::size_t operator()(florin::Id<Tag> const& id) const noexcept {
        return std::hash<std::string>{}(id.text());
    }
};

template <class Tag>
struct std::hash<florin::Id128<Tag>> {
    std::size_t operator()(florin::Id128<Tag> const& id) const noexcept {
        return florin::U128Hash{}(id.value);
    }
};
