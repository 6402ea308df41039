// Merchants as operators make and change them. Test and live are separate worlds: a merchant may be
// in one of them or in both, with the same id.
//
//   POST /admin/v1/merchants      {"id","name","modes":["test","live"],…}; both modes if not said
//   GET  /admin/v1/merchants      every merchant in every mode, by id
//   GET  /admin/v1/merchants/:id  its terms in each mode
//   POST /admin/v1/merchants/:id  changes what is named; where: "modes"
//
// Members are those of [[merchant]] in the configuration and may be the same things. Id, country
// and default currency do not change any more. Needs the right "merchants". Thread rule: any
// thread; what a coroutine gets by reference outlives the service.
#pragma once

#include "daemon/flow/merchants.h"
#include "daemon/flow/store.h"
#include "daemon/ledger_client.h"
#include "daemon/model/ids.h"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

namespace florin::admin {

class MerchantDesk {
public:
    struct Parts {
        LedgerClient& ledger;
        flow::Merchants& merchants;  // told what changes
        model::IdMaker& ids;
    };
    using Answer = boost::asio::awaitable<Result<std::string>>;

    explicit MerchantDesk(Parts parts) : parts_{parts} {}

    // `by`: the key of the operator who asks.
    Answer create(model::ApiKey by, std::string body);
    Answer list(model::ApiKey by);
    Answer show(model::ApiKey by, std::string id);
    Answer update(model::ApiKey by, std::string id, std::string body);

private:
    struct InMode {
        model::Mode mode;
        flow::Stored<model::Merchant> stored;
    };
    // In each mode that has it.
    Result<std::vector<InMode>> load(std::string const& id) const;
    boost::asio::awaitable<Result<void>> store(std::vector<InMode> merchants);

    Parts parts_;
};

}  // namespace florin::admin
