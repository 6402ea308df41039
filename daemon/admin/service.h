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
//
// An error is {"error":{"code":…,"message":…}} with the code of ledger/base/result.h.
// Thread rule: handle() on any io thread; the work is done on the background executor.
#pragma once

#include "daemon/admin/jobs.h"
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
        KeyBytes const& key_pepper;
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
        ModeParts* mode = nullptr;
    };
    using Answer = boost::asio::awaitable<Result<std::string>>;
    using Endpoint = Answer (Service::*)(Call call);

    Result<void> authenticate(http::Request const& request) const;
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

    Parts parts_;
    Jobs jobs_;
    http::Router<Endpoint> routes_;
};

}  // namespace florin::admin
