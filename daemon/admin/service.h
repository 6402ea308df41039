// The operators' API under /admin/v1: JSON in, JSON out, for whoever has an admin key.
//
//   GET  /admin/v1                               what there is: {"modes":["test"]}
//   POST /admin/v1/:mode/settlement/runs         starts one: {"job":"settlement-1"}
//   GET  /admin/v1/:mode/settlement/batches      newest first
//   GET  /admin/v1/:mode/settlement/batches/:id  with its payouts
//   POST /admin/v1/:mode/recon/imports           begins or goes on with a statement
//   POST /admin/v1/:mode/recon/lines             {"statement":{…},"lines":[…]}
//   POST /admin/v1/:mode/recon/completions       {"statement":{…}}
//   POST /admin/v1/:mode/recon/runs              starts one
//   GET  /admin/v1/:mode/recon/breaks            open ones; /recon/breaks/all with the resolved
//   GET  /admin/v1/jobs/:id                      {"state":"running"|"done"|"failed", …}
//   /admin/v1/keys, /admin/v1/merchants          see keys.h and merchants.h
//
// An error is {"error":{"code":…,"message":…}} with the code of ledger/base/result.h.
// Thread rule: handle() on any io thread; the work is done on the background executor.
#pragma once

#include "daemon/admin/jobs.h"
#include "daemon/admin/keys.h"
#include "daemon/admin/merchants.h"
#include "daemon/http/router.h"
#include "daemon/recon/reconciliation.h"
#include "daemon/settlement/settlement.h"
#include "ledger/base/secret.h"

#include <functional>
#include <map>
#include <string>

namespace florin::admin {

// What one mode has.
struct ModeParts {
    settlement::Settlement& settlement;
    recon::Reconciliation& reconciliation;
};

class Service {
public:
    struct Parts {
        LedgerClient& ledger;
        api::Keys& keys;
        model::IdMaker& ids;
        std::set<std::string> merchant_resources;  // api::Service::resources()
        boost::asio::any_io_executor background;
        std::map<std::string, ModeParts, std::less<>> modes;  // "test", "live"
    };
    explicit Service(Parts parts);

    // Everything under /admin/v1.
    boost::asio::awaitable<http::Response> handle(http::Request request);
    // After the ledger has stopped: returns when no job runs any more.
    void wait() { jobs_.wait(); }

private:
    // One authenticated request.
    struct Call {
        http::Request const& request;
        http::PathParameters const& path;
        model::ApiKey const& key;
        ModeParts* mode = nullptr;

        std::string const& id() const { return path.find("id")->second; }
    };
    using Answer = boost::asio::awaitable<Result<std::string>>;
    using Endpoint = Answer (Service::*)(Call call);

    Result<std::shared_ptr<api::Keys::Known>> authenticate(http::Request const& request) const;
    Answer overview(Call call);
    Answer job(Call call);
    Answer start_settlement(Call call);
    Answer batches(Call call);
    Answer batch(Call call);
    Answer begin_import(Call call);
    Answer add_lines(Call call);
    Answer complete_import(Call call);
    Answer start_reconciliation(Call call);
    Answer open_breaks(Call call);
    Answer all_breaks(Call call);
    Answer create_key(Call call);
    Answer list_keys(Call call);
    Answer show_key(Call call);
    Answer roll_key(Call call);
    Answer revoke_key(Call call);
    Answer create_merchant(Call call);
    Answer list_merchants(Call call);
    Answer show_merchant(Call call);
    Answer update_merchant(Call call);

    Parts parts_;
    KeyDesk key_desk_;
    MerchantDesk merchant_desk_;
    Jobs jobs_;
    http::Router<Endpoint> routes_;
};

}  // namespace florin::admin
