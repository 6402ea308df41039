// The merchant API as one handler: route, authenticate, parse, make idempotent, answer.
//
// One file per resource holds its endpoints; each adds its rows to the route table.
// Thread rule: handle() on any io thread; everything else at the start.
#pragma once

#include "connectors/bins.h"
#include "daemon/api/parameters.h"
#include "daemon/api/render.h"
#include "daemon/flow/payments.h"
#include "daemon/http/router.h"

#include <functional>
#include <memory>

namespace florin::api {

// What endpoints work with. Everything outlives the service.
struct Services {
    LedgerClient& ledger;
    vault::Vault& vault;
    flow::Payments& payments;
    model::IdMaker& ids;
    ObjectRenderer const& renderer;
    KeyBytes const& key_pepper;
    std::string default_api_version;
    connectors::BinTable const& bins;
};

// One authenticated request.
struct Call {
    Services& services;
    flow::Caller caller;
    http::PathParameters path;
    Parameters& parameters;

    std::string const& owner() const { return caller.owner; }
    ledger::DocumentReader const& documents() const { return services.ledger.documents(); }
    std::string const& id() const { return path.find("id")->second; }
};

// Answers status and body; an ApiError that was not stored leaves the idempotency key free.
using Endpoint = std::function<boost::asio::awaitable<ApiResult<flow::Done>>(Call& call)>;
using Routes = http::Router<Endpoint>;

void add_customers(Routes& routes);
void add_payment_intents(Routes& routes);
void add_payment_operations(Routes& routes);
void add_payment_methods(Routes& routes);
void add_charges(Routes& routes);
void add_refunds(Routes& routes);
void add_balance(Routes& routes);

class Service {
public:
    explicit Service(Services services);
    // Everything under /v1/.
    boost::asio::awaitable<http::Response> handle(http::Request request);

private:
    ApiResult<flow::Caller> authenticate(http::Request const& request) const;
    boost::asio::awaitable<ApiResult<flow::Done>> run(
        Endpoint const& endpoint,
        http::Request const& request,
        flow::Caller caller,
        http::PathParameters path,
        bool& replayed,
        std::string& original_request
    );
    Services services_;
    Routes routes_;
};

}  // namespace florin::api
