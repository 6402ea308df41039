// The merchant API as one handler: route, authenticate, parse, make idempotent, answer.
//
// One file per resource holds its endpoints; each adds its rows to the route table.
// Thread rule: handle() on any io thread; everything else at the start.
#pragma once

#include "connectors/bins.h"
#include "daemon/api/admission.h"
#include "daemon/api/keys.h"
#include "daemon/api/parameters.h"
#include "daemon/api/render.h"
#include "daemon/flow/payments.h"
#include "daemon/http/router.h"
#include "daemon/webhooks/secrets.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

namespace florin::api {

// What the resources about webhooks work with.
struct WebhookServices {
    webhooks::Secrets const& secrets;
    bool allow_private = false;
    // An endpoint was made, changed or removed.
    std::function<void(std::string owner, std::string endpoint)> changed;
};

// What endpoints work with. Everything outlives the service.
struct Services {
    LedgerClient& ledger;
    vault::Vault& vault;
    flow::Payments& payments;
    model::IdMaker& ids;
    ObjectRenderer const& renderer;
    Keys& keys;
    Admission& admission;
    std::string default_api_version;
    WebhookServices webhooks;
    connectors::BinTable const& bins;
};

// One authenticated request.
struct Call {
    Services& services;
    model::ApiKey const& key;  // whose rights bound what is shown
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
void add_balance_transactions(Routes& routes);
void add_events(Routes& routes);
void add_webhook_endpoints(Routes& routes);
// All of them.
Routes all_routes();

class Service {
public:
    explicit Service(Services services);
    // Everything under /v1/.
    boost::asio::awaitable<http::Response> handle(http::Request request);

    // What restricted keys can have rights to: "payment_intents".
    std::set<std::string> resources() const;
    // Answered 429 since the start.
    std::uint64_t rate_limited() const { return rate_limited_; }

private:
    // What a request holds of its key's limits until it is answered.
    struct InFlight {
        explicit InFlight(std::shared_ptr<Keys::Known> held) : key{std::move(held)} {}
        InFlight(InFlight const&) = delete;
        InFlight(InFlight&&) = default;
        InFlight& operator=(InFlight const&) = delete;
        InFlight& operator=(InFlight&&) = delete;
        ~InFlight() {
            if (key) {
                key->limiter.leave();
            }
        }
        std::shared_ptr<Keys::Known> key;
    };
    ApiResult<std::shared_ptr<Keys::Known>> authenticate(http::Request const& request) const;
    ApiResult<InFlight> limit(std::shared_ptr<Keys::Known> key);
    boost::asio::awaitable<ApiResult<flow::Done>> serve(
        http::Request const& request, bool& replayed, std::string& original_request
    );
    ApiResult<flow::Done> replayed_answer(
        model::IdempotencyKey const& stored, flow::Caller const& caller
    ) const;
    boost::asio::awaitable<ApiResult<flow::Done>> run(
        Endpoint const& endpoint,
        http::Request const& request,
        model::ApiKey const& api_key,
        flow::Caller caller,
        http::PathParameters path,
        bool& replayed,
        std::string& original_request
    );
    Services services_;
    Routes routes_;
    std::atomic<std::uint64_t> rate_limited_ = 0;
};

// "2026-10-28" or "2026-10-28.endive"
bool is_api_version(std::string_view text);

}  // namespace florin::api
