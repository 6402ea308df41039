#include "daemon/flow/identity.h"

#include <fmt/format.h>

#include <ctime>

namespace florin::flow {

std::string retrieval_reference(model::Attempt const& attempt) {
    std::time_t const time = static_cast<std::time_t>(attempt.created);
    std::tm utc{};
    gmtime_r(&time, &utc);
    return fmt::format(
        "{}{:03}{:02}{:06}", utc.tm_year % 10, utc.tm_yday + 1, utc.tm_hour, attempt.stan
    );
}

std::string stan_text(model::Attempt const& attempt) {
    return fmt::format("{:06}", attempt.stan);
}

}  // namespace florin::flow
