// /v1/balance: what the ledger says of a merchant's accounts, per currency.
#include "daemon/flow/balance.h"

#include "daemon/api/objects.h"

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;

asio::awaitable<ApiResult<Done>> retrieve_balance(Call& call) {
    auto const expand = finish(call, ObjectKind::balance);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto const balance = co_await flow::read_balance(call.services.ledger, call.owner());
    if (!balance) {
        co_return std::unexpected{internal_error(balance.error().context)};
    }
    co_return Done{200, call.services.renderer.balance_json(*balance).text()};
}

}  // namespace

void add_balance(Routes& routes) {
    routes.add(http::Method::get, "/v1/balance", retrieve_balance);
}

}  // namespace florin::api
