#include "daemon/flow/identity.h"

#include "ledger/base/calendar.h"

#include <fmt/format.h>

namespace florin::flow {

std::uint32_t link_of(model::Attempt const& attempt) {
    return attempt.link == 0 ? 1 : static_cast<std::uint32_t>(attempt.link);
}

std::string stan_counter(std::string_view connector, std::uint32_t link) {
    return link == 1 ? fmt::format("stan/{}", connector)
                     : fmt::format("stan/{}/{}", connector, link);
}

std::string stan_counter(model::Attempt const& attempt) {
    return stan_counter(attempt.connector, link_of(attempt));
}

std::string transmission_time_of(std::int64_t created_s, connectors::LinkChoice choice) {
    std::int64_t const early = (created_s + choice.links - (choice.link - 1)) % choice.links;
    return utc_transmission_time(created_s - early);
}

std::string retrieval_reference(model::Attempt const& attempt) {
    static_assert(24 * connectors::kLinksMax <= 100, "two digits tell hours and links apart");
    std::tm const utc = utc_of(attempt.created);
    return fmt::format(
        "{}{:03}{:02}{:06}",
        utc.tm_year % 10,
        utc.tm_yday + 1,
        static_cast<unsigned>(utc.tm_hour) + 24 * (link_of(attempt) - 1),
        attempt.stan
    );
}

std::string stan_text(model::Attempt const& attempt) {
    return fmt::format("{:06}", attempt.stan);
}

}  // namespace florin::flow
