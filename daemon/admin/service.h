// The operators' API under /admin/v1: JSON in, JSON out, for whoever has an admin key with the
// right.
//
// This is the frame: authentication, rights, routing, errors. The endpoints are in one file for
// each resource, which adds its rows to the table:
//   settlement.cc  payouts               recon.cc    statements, runs, breaks
//   ledger.cc      accounts, transfers   attempts.cc what was tried at banks, and what became of it
//   routes.cc      which bank is tried   journal.cc  position and health
//   keys.cc        API keys              merchants.cc who gets paid
//   totals.cc      totals that were compared with banks
// Each row names its resource and how far a key's right must go (api/rights.h). What the API looks
// like from outside is in openapi/*.json, one for each of these files; tests/admin compares the
// rows with it.
//
// An error is {"error":{"code":…,"message":…}}; codes are those of ledger/base/result.h, and
// unauthenticated (401: no sound admin key), forbidden (403: the key has no right to this),
// rate_limit (429: beyond what the key itself is limited to). No message repeats a card number or a
// secret key.
// Thread rule: handle() on any io thread; endpoints run on the background executor.
#pragma once

#include "daemon/admin/jobs.h"
#include "daemon/admin/keys.h"
#include "daemon/admin/merchants.h"
#include "daemon/api/rights.h"
#include "daemon/flow/resolution.h"
#include "daemon/flow/routing.h"
#include "daemon/http/router.h"
#include "daemon/recon/reconciliation.h"
#include "daemon/settlement/settlement.h"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace florin::admin {

// What one mode has.
struct ModeParts {
    model::Mode mode;
    settlement::Settlement& settlement;
    recon::Reconciliation& reconciliation;
    flow::Routing& routing;
};

// What endpoints work with. Everything outlives the service.
struct Services {
    LedgerClient& ledger;
    vault::Vault& vault;
    flow::Resolutions& resolutions;
    model::IdMaker& ids;
    api::Keys& keys;
    KeyDesk& key_desk;
    MerchantDesk& merchant_desk;
    boost::asio::any_io_executor background;
    std::map<std::string, ModeParts, std::less<>> modes;  // "test", "live"
    std::filesystem::path data_dir;
    std::string version;
    std::int64_t started_s = 0;  // seconds since 1970
    std::function<std::size_t()> attempts_driving;
};

struct Reply {
    std::string body;
    int status = 200;
};
// As text, with line breaks.
Reply reply(nlohmann::ordered_json const& body, int status = 200);
// What stands before a connector; null: nothing does.
nlohmann::ordered_json guard_json(connectors::Health const& health);
nlohmann::ordered_json links_json(connectors::Connector const& connector);
// {"error":{"code":…,"message":…}}
Reply error_reply(std::string_view code, std::string_view message, int status);

// One authenticated request. `mode` is set where the path has :mode.
struct Call {
    Services& services;
    Jobs& jobs;
    http::Request const& request;
    http::PathParameters const& path;
    model::ApiKey const& key;
    ModeParts* mode = nullptr;

    std::string const& id(std::string_view name = "id") const { return path.find(name)->second; }
    // Who asks.
    flow::Person person() const;
    ledger::DocumentReader const& documents() const { return services.ledger.documents(); }
};

// An Error becomes the status that its code has. The call lives until the answer is there.
using Answer = boost::asio::awaitable<Result<Reply>>;
using Endpoint = std::function<Answer(Call& call)>;
// For what answers JSON text.
Answer as_reply(boost::asio::awaitable<Result<std::string>> work);

// Starts `work` in the background; answers {"job":…}, under which it is asked about.
Reply start_job(
    Call& call, std::string const& name, Jobs::Work work, std::function<Jobs::Progress()> progress
);

struct Row {
    http::Method method;
    std::string path;      // "/admin/v1/:mode/attempts/:id"
    std::string resource;  // what the key needs a right to; empty: any admin key
    api::Access access;
    Endpoint endpoint;
};
using Rows = std::vector<Row>;

void add_attempts(Rows& rows);
void add_journal(Rows& rows);
void add_keys(Rows& rows);
void add_ledger(Rows& rows);
void add_merchants(Rows& rows);
void add_recon(Rows& rows);
void add_routes(Rows& rows);
void add_settlement(Rows& rows);
void add_totals(Rows& rows);
// Every row there is, in the order in which paths are looked up.
Rows all_rows();

class Service {
public:
    explicit Service(Services services);

    // Everything under /admin/v1.
    boost::asio::awaitable<http::Response> handle(http::Request request);
    // After the ledger has stopped: returns when no job runs any more.
    void wait() { jobs_.wait(); }

private:
    Result<std::shared_ptr<api::Keys::Known>> authenticate(http::Request const& request) const;
    boost::asio::awaitable<Result<Reply>> run(Row const& row, Call call);

    Services services_;
    Jobs jobs_;
    Rows rows_;
    http::Router<Row const*> routes_;
};

}  // namespace florin::admin
