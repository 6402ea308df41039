#include "daemon/flow/identity.h"

#include "ledger/base/calendar.h"

#include <fmt/format.h>

namespace florin::flow {

std::string retrieval_reference(model::Attempt const& attempt) {
    std::tm const utc = utc_of(attempt.created);
    return fmt::format(
        "{}{:03}{:02}{:06}", utc.tm_year % 10, utc.tm_yday + 1, utc.tm_hour, attempt.stan
    );
}

std::string stan_text(model::Attempt const& attempt) {
    return fmt::format("{:06}", attempt.stan);
}

}  // namespace florin::flow
