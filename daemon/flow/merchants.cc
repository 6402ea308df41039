#include "daemon/flow/merchants.h"

#include "daemon/flow/store.h"

namespace florin::flow {

Result<std::shared_ptr<model::Merchant const>> Merchants::terms(
    std::string const& merchant, model::Mode mode
) {
    std::uint64_t changes = 0;
    {
        std::lock_guard const lock{mutex_};
        if (auto const known = terms_.find({mode, merchant}); known != terms_.end()) {
            return known->second;
        }
        changes = changes_;
    }
    FLORIN_TRY(
        auto stored,
        load_known<model::Merchant>(documents_, model::owner_of("platform", mode), merchant)
    );
    auto terms = std::make_shared<model::Merchant const>(std::move(stored.value));
    std::lock_guard const lock{mutex_};
    // What was read while they changed may be what was there before.
    if (changes == changes_ && terms_.size() < kKnownMax) {
        terms_.emplace(std::pair{mode, merchant}, terms);
    }
    return terms;
}

void Merchants::changed(std::string const& merchant, model::Mode mode) {
    std::lock_guard const lock{mutex_};
    ++changes_;
    terms_.erase({mode, merchant});
}

bool Merchants::has_currency(std::string const& owner, std::string const& currency) const {
    std::lock_guard const lock{mutex_};
    return currencies_.contains({owner, currency});
}

void Merchants::currency_is_stored(std::string const& owner, std::string const& currency) {
    std::lock_guard const lock{mutex_};
    if (currencies_.size() < kKnownMax) {
        currencies_.emplace(owner, currency);
    }
}

bool Merchants::has_accounts(
    std::string const& owner, std::string const& connector, std::string const& currency
) const {
    std::lock_guard const lock{mutex_};
    return accounts_.contains(std::tie(owner, connector, currency));
}

void Merchants::accounts_are_stored(
    std::string const& owner, std::string const& connector, std::string const& currency
) {
    std::lock_guard const lock{mutex_};
    if (accounts_.size() < kKnownMax) {
        accounts_.emplace(owner, connector, currency);
    }
}

}  // namespace florin::flow
