// What the ledger's accounts, ledgers and amounts are called in other programs' books
// (docs/ledger-export.md). Names are stable: they depend on what an account was created with.
// Thread rule: pure functions.
#pragma once

#include "ledger/effects.h"
#include "ledger/types.h"

#include <optional>
#include <string>
#include <string_view>

namespace florin::tools {

// A ledger number as a commodity.
struct Commodity {
    std::string name;     // "EUR", "EUR-TEST", "L700": at most 24 of A-Z, 0-9 and -, a letter first
    unsigned digits = 0;  // decimals
};
// The payment switch's ledgers are currencies and modes; a kernel-only directory's are numbers.
Commodity commodity_of(ledger::LedgerKind kind, std::uint32_t ledger);

// "EUR" or, where there is more than letters, in quotes: how ledger and hledger write it.
std::string quoted(Commodity const& commodity);

// "Liabilities:MerchantAvailable:EUR:123": one of the five roots, components that start with a
// capital letter or a digit and hold ASCII letters, digits and hyphens.
std::string account_name(ledger::LedgerKind kind, ledger::Account const& account);

// What an account code of the payment switch means; nullopt: nothing.
struct ChartEntry {
    std::uint16_t code;
    std::string_view root;
    std::string_view role;
};
std::optional<ChartEntry> chart_entry(std::uint16_t code);

// 4500 with two digits -> "45.00".
std::string amount_text(u128 minor, unsigned digits);
// The same of debits less credits, with a minus sign where credits are more.
std::string balance_text(u128 debits, u128 credits, unsigned digits);

}  // namespace florin::tools
