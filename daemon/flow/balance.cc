#include "daemon/flow/balance.h"

#include "daemon/model/chart.h"
#include "daemon/model/settlement.h"
#include "ledger/base/check.h"

#include <algorithm>

namespace florin::flow {
namespace {

namespace asio = boost::asio;

// Currencies that one merchant may have; there are not that many.
constexpr std::size_t kCurrenciesMax = 1'000;

// Credits less debits.
std::int64_t net(ledger::Account const& account) {
    bool const is_credit = account.credits_posted >= account.debits_posted;
    u128 const size = is_credit ? account.credits_posted - account.debits_posted
                                : account.debits_posted - account.credits_posted;
    FLORIN_CHECK(size <= u128{INT64_MAX}, "a merchant's balance fits in 64 bits");
    auto const value = static_cast<std::int64_t>(size);
    return is_credit ? value : -value;
}

std::int64_t amount_of(std::vector<ledger::Account> const& accounts, u128 id) {
    auto const account = std::ranges::find(accounts, id, &ledger::Account::id);
    return account == accounts.end() ? 0 : net(*account);
}

Result<std::vector<Currency>> currencies_of(
    ledger::DocumentReader const& reader, std::string const& owner, std::string const& merchant
) {
    FLORIN_TRY(
        auto const documents,
        reader.list(
            {.kind = static_cast<std::uint16_t>(model::Kind::merchant_currency),
             .owner = owner,
             .after = {},
             .newest_first = false,
             .limit = kCurrenciesMax}
        )
    );
    std::vector<Currency> currencies;
    for (ledger::Document const& document : documents) {
        if (auto const currency = Currency::from_alphabetic(document.key.id)) {
            currencies.push_back(*currency);
        }
    }
    if (!currencies.empty()) {
        return currencies;
    }
    FLORIN_TRY(
        auto const terms,
        load_known<model::Merchant>(
            reader, model::owner_of("platform", model::mode_of(owner)), merchant
        )
    );
    auto const usual = Currency::from_alphabetic(terms.value.default_currency);
    if (!usual) {
        return fail(Errc::corrupt, "merchant " + merchant + " has an unknown default currency");
    }
    return std::vector{*usual};
}

}  // namespace

void write_row(Change& change, model::IdMaker& ids, model::BalanceTransaction& row) {
    row.id = ids.make("txn");
    change.put(row.id, row, 0);
}

void list_with_next_payout(
    Change& change, ledger::DocumentReader const& reader, model::BalanceTransaction const& row
) {
    // What cannot be read counts as absent: then the guard refuses.
    auto const known = load<model::SettlementPosition>(reader, change.owner(), row.currency);
    auto const position =
        known && *known ? **known : Stored<model::SettlementPosition>{.value = {}, .version = 0};
    change.guard(model::Kind::settlement_position, row.currency, position.version);
    change.link(
        model::Kind::payout_transaction,
        model::payout_rows(row.currency, position.value.payouts + 1),
        row.id
    );
}

asio::awaitable<Result<Balance>> read_balance(LedgerClient& ledger, std::string owner) {
    std::string const merchant = owner.substr(0, owner.find('/'));
    Balance balance{.mode = model::mode_of(owner), .currencies = {}};
    FLORIN_CO_TRY(auto const currencies, currencies_of(ledger.documents(), owner, merchant));
    ledger::LookupAccounts wanted;
    for (Currency const& currency : currencies) {
        model::Book const book{currency, balance.mode};
        wanted.ids.push_back(model::account_id(model::Role::merchant_available, merchant, book));
        wanted.ids.push_back(model::account_id(model::Role::merchant_pending, merchant, book));
    }
    std::vector<u128> const ids = wanted.ids;
    ledger::Request request{std::move(wanted)};
    FLORIN_CO_TRY(auto const answer, co_await ledger.submit(std::move(request)));
    auto const& accounts = std::get<ledger::AccountsAnswer>(answer).accounts;
    for (std::size_t i = 0; i < currencies.size(); ++i) {
        balance.currencies.push_back(
            {.currency = currencies[i],
             .available = amount_of(accounts, ids[2 * i]),
             .pending = amount_of(accounts, ids[2 * i + 1])}
        );
    }
    co_return balance;
}

}  // namespace florin::flow
