// API keys as operators make and end them.
//
//   POST /admin/v1/keys             {"kind","merchant","mode","name","rights":{…},"expires_in_s",
//                                    "requests_per_second","burst_requests","in_flight_max"}
//   GET  /admin/v1/keys             every key, newest first
//   GET  /admin/v1/keys/:id
//   POST /admin/v1/keys/:id/roll    {"overlap_s","expires_in_s"}: a new key like this one, which
//                                   ends after overlap_s (a day, where it is not given)
//   POST /admin/v1/keys/:id/revoke  at once
//
// A key is shown without its hash; the answers to create and roll have its text in "key", once.
// Needs the right "keys". Nobody gives an operator rights that they do not have themselves; an
// operator's key is rolled by the person whose it is and by nobody else, with all that key's
// rights. Thread rule: any thread; what a coroutine gets by reference outlives the service.
#pragma once

#include "daemon/api/keys.h"
#include "daemon/ledger_client.h"
#include "daemon/model/ids.h"

#include <boost/asio/awaitable.hpp>

#include <set>
#include <string>
#include <vector>

namespace florin::admin {

// Everybody who had a key in their hands: who made or rolled it, and those behind that person's
// key.
std::vector<std::string> makers_behind(model::ApiKey const& key);

class KeyDesk {
public:
    struct Parts {
        LedgerClient& ledger;
        api::Keys& keys;
        model::IdMaker& ids;
        std::set<std::string> merchant_resources;  // what restricted keys can have rights to
    };
    using Answer = boost::asio::awaitable<Result<std::string>>;

    explicit KeyDesk(Parts parts) : parts_{std::move(parts)} {}

    // `by`: the key of the operator who asks.
    Answer create(model::ApiKey by, std::string body);
    Answer list(model::ApiKey by);
    Answer show(model::ApiKey by, std::string id);
    Answer roll(model::ApiKey by, std::string id, std::string body);
    Answer revoke(model::ApiKey by, std::string id);

private:
    Result<model::ApiKey> wanted(std::string const& body) const;
    Result<void> check_rights(model::ApiKey const& wanted) const;
    Result<void> check_merchant(model::ApiKey const& wanted) const;
    Result<flow::Stored<model::ApiKey>> load(std::string const& id) const;
    boost::asio::awaitable<Result<void>> store(flow::Change change, std::vector<std::string> ids);

    Parts parts_;
};

}  // namespace florin::admin
