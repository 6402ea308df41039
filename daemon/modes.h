// What exists once for each mode (test, live): routing, settlement, reconciliation, and the totals
// of its banks.
// Thread rule: made at the start, on the main thread.
#pragma once

#include "daemon/app.h"
#include "daemon/flow/payments.h"
#include "daemon/flow/routing.h"
#include "daemon/ledger_client.h"
#include "daemon/recon/reconciliation.h"
#include "daemon/settlement/settlement.h"
#include "daemon/totals/comparison.h"

#include <boost/asio/any_io_executor.hpp>

#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace florin {

struct ModeObjects {
    std::unique_ptr<settlement::Settlement> settlement;
    std::unique_ptr<recon::Reconciliation> reconciliation;
    std::unique_ptr<flow::Routing> routing;
    std::vector<std::unique_ptr<totals::Comparison>> totals;  // of connectors that compare them
};
using Modes = std::map<model::Mode, ModeObjects>;

// The connectors of each mode with their configured priorities, in the order of the configuration.
using ConnectorPriorities =
    std::map<model::Mode, std::vector<std::pair<connectors::Connector*, std::int64_t>>>;

// All of it outlives the modes.
struct ModeNeeds {
    LedgerClient& ledger;
    flow::Payments& payments;
    model::IdMaker& ids;
    flow::Renderer const& renderer;
    ConnectorPriorities const& priorities;
    boost::asio::any_io_executor background;
};

// For each mode that has a connector. Stored routing is in force and a payout file that a crash
// left half handed over is looked into when it answers; errors are those of reading and recovering.
Result<Modes> make_modes(Plan const& plan, ModeNeeds const& needs);

}  // namespace florin
