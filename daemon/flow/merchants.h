// What every payment asks for and hardly anything changes: the merchant's terms, decoded, and which
// currencies he has accounts in. Thread rule: any thread.
#pragma once

#include "daemon/model/documents.h"
#include "ledger/base/result.h"
#include "ledger/documents.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>

namespace florin::flow {

class Merchants {
public:
    explicit Merchants(ledger::DocumentReader const& documents) : documents_{documents} {}

    // Errc::corrupt where there is none: who asks has his key.
    Result<std::shared_ptr<model::Merchant const>> terms(
        std::string const& merchant, model::Mode mode
    );
    // To be told when new terms are stored, before that is answered.
    void changed(std::string const& merchant, model::Mode mode);

    // True: it is known to be stored as a MerchantCurrency of this owner, which nothing removes.
    bool has_currency(std::string const& owner, std::string const& currency) const;
    void currency_is_stored(std::string const& owner, std::string const& currency);

    // True: the accounts that payments of this owner through a connector need in a currency are
    // known to be in the ledger, which never loses one.
    bool has_accounts(
        std::string const& owner, std::string const& connector, std::string const& currency
    ) const;
    void accounts_are_stored(
        std::string const& owner, std::string const& connector, std::string const& currency
    );

private:
    // More are read each time again: whoever has so many merchants has not all of them at once.
    static constexpr std::size_t kKnownMax = 10'000;

    ledger::DocumentReader const& documents_;
    mutable std::mutex mutex_;
    std::map<std::pair<model::Mode, std::string>, std::shared_ptr<model::Merchant const>> terms_;
    std::uint64_t changes_ = 0;
    std::set<std::pair<std::string, std::string>> currencies_;
    std::set<std::tuple<std::string, std::string, std::string>, std::less<>> accounts_;
};

}  // namespace florin::flow
