#include "tools/florin/export_names.h"

#include "daemon/model/chart.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace florin;
using namespace florin::tools;
using ledger::LedgerKind;

namespace {

ledger::Account account(std::uint16_t code, std::uint32_t number, std::uint16_t flags = 0) {
    ledger::Account account;
    account.id = kU128Max - 1;
    account.ledger = number;
    account.code = code;
    account.flags = flags;
    return account;
}

// "merchant_in_transit" -> "MerchantInTransit"
std::string camel(std::string_view words) {
    std::string text;
    bool is_first = true;
    for (char const c : words) {
        if (c != '_') {
            text += is_first ? static_cast<char>(c - 'a' + 'A') : c;
        }
        is_first = c == '_';
    }
    return text;
}

}  // namespace

TEST_CASE("every account of the chart has a name, and no other code has one") {
    std::ifstream chart{FLORIN_SOURCE_DIR "/conf/chart_of_accounts.csv"};
    std::string line;
    REQUIRE(std::getline(chart, line));
    std::size_t rows = 0;
    while (std::getline(chart, line)) {
        CAPTURE(line);
        std::istringstream cells{line};
        std::string code;
        std::string role;
        std::string owner;
        std::string side;
        std::getline(cells, code, ',');
        std::getline(cells, role, ',');
        std::getline(cells, owner, ',');
        std::getline(cells, side, ',');
        auto const entry = chart_entry(static_cast<std::uint16_t>(std::stoul(code)));
        REQUIRE(entry);
        CHECK(entry->role == camel(role));
        CHECK(role == model::role_name(static_cast<model::Role>(entry->code)));
        bool const is_debit =
            entry->root == "Assets" || entry->root == "Expenses" || entry->root == "Equity";
        CHECK((side == "debit") == is_debit);
        ++rows;
    }
    std::size_t known = 0;
    for (unsigned code = 0; code <= 65535; ++code) {
        known += chart_entry(static_cast<std::uint16_t>(code)).has_value() ? 1U : 0U;
    }
    CHECK(known == rows);
}

TEST_CASE("an account's name says what it is and which it is") {
    std::string const id = "340282366920938463463374607431768211454";
    auto const full = [](ledger::Account const& it) { return account_name(LedgerKind::full, it); };
    auto const kernel = [](ledger::Account const& it) {
        return account_name(LedgerKind::kernel_only, it);
    };
    CHECK(full(account(21, 978)) == "Liabilities:MerchantAvailable:EUR:" + id);
    CHECK(full(account(10, 100'392)) == "Assets:Receivable:JPY-TEST:" + id);
    CHECK(full(account(99, 978)) == "Equity:Code99:EUR:" + id);
    CHECK(kernel(account(21, 978)) == "Equity:L978:" + id);
    CHECK(
        kernel(account(1, 4'294'967'295, ledger::debits_must_not_exceed_credits)) ==
        "Liabilities:L4294967295:" + id
    );
    CHECK(kernel(account(1, 1, ledger::credits_must_not_exceed_debits)) == "Assets:L1:" + id);
}

TEST_CASE("a ledger number of the switch is a currency and a mode") {
    struct Row {
        LedgerKind kind;
        std::uint32_t ledger;
        char const* name;
        unsigned digits;
        char const* quoted;
    };
    Row const rows[] = {
        {LedgerKind::full, 978, "EUR", 2, "EUR"},
        {LedgerKind::full, 100'978, "EUR-TEST", 2, "\"EUR-TEST\""},
        {LedgerKind::full, 392, "JPY", 0, "JPY"},
        {LedgerKind::full, 100'414, "KWD-TEST", 3, "\"KWD-TEST\""},
        {LedgerKind::full, 1, "L1", 0, "\"L1\""},
        {LedgerKind::full, 200'978, "L200978", 0, "\"L200978\""},
        {LedgerKind::full, 66'514, "L66514", 0, "\"L66514\""},  // 978 + 65536
        {LedgerKind::kernel_only, 978, "L978", 0, "\"L978\""},
    };
    for (Row const& row : rows) {
        auto const commodity = commodity_of(row.kind, row.ledger);
        CHECK(commodity.name == row.name);
        CHECK(commodity.digits == row.digits);
        CHECK(quoted(commodity) == row.quoted);
    }
    // The daemon numbers them this way.
    auto const eur = *Currency::from_alphabetic("EUR");
    model::Book const test{eur, model::Mode::test};
    model::Book const live{eur, model::Mode::live};
    CHECK(commodity_of(LedgerKind::full, test.ledger()).name == "EUR-TEST");
    CHECK(commodity_of(LedgerKind::full, live.ledger()).name == "EUR");
}

TEST_CASE("amounts have the currency's decimals, balances a sign") {
    CHECK(amount_text(0, 0) == "0");
    CHECK(amount_text(0, 2) == "0.00");
    CHECK(amount_text(5, 2) == "0.05");
    CHECK(amount_text(12345, 2) == "123.45");
    CHECK(amount_text(1, 4) == "0.0001");
    CHECK(amount_text(kU128Max, 3) == "340282366920938463463374607431768211.455");
    CHECK(balance_text(5, 7, 2) == "-0.02");
    CHECK(balance_text(7, 5, 0) == "2");
    CHECK(balance_text(0, kU128Max, 0) == "-340282366920938463463374607431768211455");
    CHECK(balance_text(3, 3, 2) == "0.00");
}
