// /v1/balance: what the ledger says of a merchant's accounts, per currency.
#include "daemon/api/service.h"
#include "ledger/base/check.h"
#include "ledger/base/money.h"

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;

// Credits less debits; a merchant's balance may be below zero.
std::int64_t net(ledger::Account const& account) {
    bool const is_credit = account.credits_posted >= account.debits_posted;
    u128 const size = is_credit ? account.credits_posted - account.debits_posted
                                : account.debits_posted - account.credits_posted;
    FLORIN_CHECK(size <= u128{INT64_MAX}, "a merchant's balance fits in 64 bits");
    auto const value = static_cast<std::int64_t>(size);
    return is_credit ? value : -value;
}

// What a fee leaves may be finer than the surface's own unit (MGA: ISO has two decimals, the wire
// none): rounded down, so that the wire never shows more than there is.
std::int64_t wire_floor(std::int64_t amount, Currency const& currency) {
    if (auto const exact = convert_minor(amount, currency.digits(), currency.stripe_digits())) {
        return *exact;
    }
    std::int64_t scale = 1;
    for (unsigned i = currency.stripe_digits(); i < currency.digits(); ++i) {
        scale *= 10;
    }
    std::int64_t const rest = ((amount % scale) + scale) % scale;
    auto const floor = convert_minor(amount - rest, currency.digits(), currency.stripe_digits());
    FLORIN_CHECK(floor.has_value(), "a whole amount converts");
    return *floor;
}

Json entry(std::int64_t amount, Currency const& currency) {
    std::int64_t const wire = wire_floor(amount, currency);
    return {{"amount", wire}, {"currency", currency.lower()}, {"source_types", {{"card", wire}}}};
}

asio::awaitable<ApiResult<Done>> retrieve(Call& call) {
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    if (auto const expand = Expansions::make(ObjectKind::balance, paths); !expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const currencies = call.documents().list(
        {.kind = static_cast<std::uint16_t>(model::Kind::merchant_currency),
         .owner = call.owner(),
         .after = {},
         .newest_first = false,
         .limit = 1'000}
    );
    auto const merchant = flow::load_known<model::Merchant>(
        call.documents(), model::owner_of("platform", call.caller.mode), call.caller.merchant
    );
    if (!currencies || !merchant) {
        co_return std::unexpected{internal_error("a merchant's currencies cannot be read")};
    }
    std::vector<Currency> wanted;
    for (auto const& document : *currencies) {
        if (auto const currency = Currency::from_alphabetic(document.key.id)) {
            wanted.push_back(*currency);
        }
    }
    if (wanted.empty()) {
        wanted.push_back(*Currency::from_alphabetic(merchant->value.default_currency));
    }
    Json available = Json::array();
    Json pending = Json::array();
    for (Currency const& currency : wanted) {
        model::Book const book{currency, call.caller.mode};
        auto const amount_of = [&](ledger::AccountsAnswer const& answer, model::Role role) {
            u128 const id = model::account_id(role, call.caller.merchant, book);
            for (ledger::Account const& account : answer.accounts) {
                if (account.id == id) {
                    return net(account);
                }
            }
            return std::int64_t{0};
        };
        ledger::Request request{ledger::LookupAccounts{
            {model::account_id(model::Role::merchant_available, call.caller.merchant, book),
             model::account_id(model::Role::merchant_pending, call.caller.merchant, book)}
        }};
        auto const answer = co_await call.services.ledger.submit(std::move(request));
        if (!answer) {
            co_return std::unexpected{internal_error(answer.error().context)};
        }
        auto const& accounts = std::get<ledger::AccountsAnswer>(*answer);
        available.push_back(entry(amount_of(accounts, model::Role::merchant_available), currency));
        pending.push_back(entry(amount_of(accounts, model::Role::merchant_pending), currency));
    }
    Json const balance = {
        {"object", "balance"},
        {"available", available},
        {"livemode", call.caller.mode == model::Mode::live},
        {"pending", pending},
    };
    co_return Done{200, to_body(balance)};
}

}  // namespace

void add_balance(Routes& routes) {
    routes.add(http::Method::get, "/v1/balance", retrieve);
}

}  // namespace florin::api
