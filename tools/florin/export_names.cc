#include "tools/florin/export_names.h"

#include "ledger/base/currency.h"

#include <algorithm>
#include <array>

namespace florin::tools {
namespace {

// conf/chart_of_accounts.csv, with the root that a bookkeeper looks under.
constexpr std::array<ChartEntry, 13> kChart{{
    {10, "Assets", "Receivable"},
    {11, "Expenses", "Costs"},
    {12, "Assets", "Clearing"},
    {13, "Assets", "Bank"},
    {20, "Liabilities", "MerchantPending"},
    {21, "Liabilities", "MerchantAvailable"},
    {22, "Liabilities", "MerchantReserve"},
    {23, "Liabilities", "MerchantInTransit"},
    {30, "Income", "FeeRevenue"},
    {31, "Liabilities", "TaxPayable"},
    {32, "Assets", "Disputes"},
    {33, "Equity", "FxTrading"},
    {34, "Assets", "Suspense"},
}};

// Without a chart, what an account's limit says about it.
std::string_view root_by_limit(ledger::Account const& account) {
    if (account.has(ledger::debits_must_not_exceed_credits)) {
        return "Liabilities";
    }
    return account.has(ledger::credits_must_not_exceed_debits) ? "Assets" : "Equity";
}

}  // namespace

std::optional<ChartEntry> chart_entry(std::uint16_t code) {
    auto const found = std::ranges::find(kChart, code, &ChartEntry::code);
    return found == kChart.end() ? std::nullopt : std::optional{*found};
}

Commodity commodity_of(ledger::LedgerKind kind, std::uint32_t ledger) {
    constexpr std::uint32_t kTest = 100'000;
    if (kind == ledger::LedgerKind::full && ledger < 2 * kTest) {
        std::uint32_t const numeric = ledger % kTest;
        auto const currency = numeric < 1000
                                  ? Currency::from_numeric(static_cast<std::uint16_t>(numeric))
                                  : std::nullopt;
        if (currency) {
            std::string const name{currency->alphabetic()};
            return {ledger < kTest ? name : name + "-TEST", currency->digits()};
        }
    }
    return {"L" + std::to_string(ledger), 0};
}

std::string quoted(Commodity const& commodity) {
    bool const is_plain =
        std::ranges::all_of(commodity.name, [](char c) { return c >= 'A' && c <= 'Z'; });
    return is_plain ? commodity.name : "\"" + commodity.name + "\"";
}

std::string account_name(ledger::LedgerKind kind, ledger::Account const& account) {
    std::string name;
    if (kind == ledger::LedgerKind::full) {
        if (auto const entry = chart_entry(account.code)) {
            name = std::string{entry->root} + ":" + std::string{entry->role};
        } else {
            name = "Equity:Code" + std::to_string(account.code);
        }
    } else {
        name = root_by_limit(account);
    }
    return name + ":" + commodity_of(kind, account.ledger).name + ":" + to_string(account.id);
}

std::string amount_text(u128 minor, unsigned digits) {
    std::string text = to_string(minor);
    if (digits == 0) {
        return text;
    }
    if (text.size() <= digits) {
        text.insert(0, digits + 1 - text.size(), '0');
    }
    text.insert(text.size() - digits, 1, '.');
    return text;
}

std::string balance_text(u128 debits, u128 credits, unsigned digits) {
    return debits >= credits ? amount_text(debits - credits, digits)
                             : "-" + amount_text(credits - debits, digits);
}

}  // namespace florin::tools
