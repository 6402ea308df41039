// Which connectors new payments of a mode go through, and in which order: the configuration, and
// what operators changed of it since. A change counts from the next payment on; what is under way
// stays where it is, and a connector that is disabled still captures, refunds and reverses what it
// authorised.
//
// Thread rule: any thread; set may be awaited on any io thread and resumes there.
#pragma once

#include "daemon/flow/payments.h"
#include "daemon/flow/resolution.h"
#include "daemon/model/route_setting.h"

#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace florin::flow {

struct Route {
    connectors::Connector* connector = nullptr;
    std::int64_t configured_priority = 0;
    std::int64_t priority = 0;  // lower is tried first; below 0: only where a payment names it
    bool is_enabled = true;
    std::optional<model::RouteSetting> setting;  // who changed it; absent: nobody
};

class Routing {
public:
    struct Parts {
        LedgerClient& ledger;
        Payments& payments;
        model::IdMaker& ids;
        model::Mode mode;
        // Connector and configured priority, in the order of the configuration.
        std::vector<std::pair<connectors::Connector*, std::int64_t>> connectors;
    };
    explicit Routing(Parts parts) : parts_{std::move(parts)} {}

    // Applies what is stored: call once, before serving.
    Result<void> load() { return apply(); }

    // In the order in which they are tried; those that are not, last.
    Result<std::vector<Route>> routes() const;

    struct Wish {
        std::optional<bool> enabled;
        std::optional<std::int64_t> priority;
        std::string reason;
    };
    // Durable and in force when it answers. Errc::not_found: no such connector in this mode.
    boost::asio::awaitable<Result<Route>> set(std::string connector, Wish wish, Person person);

private:
    Result<void> apply();

    Parts parts_;
    std::mutex mutex_;  // what is applied is the latest that is stored
};

}  // namespace florin::flow
