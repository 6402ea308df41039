#include "connectors/connector.h"

namespace florin::connectors {

std::string_view outcome_name(Outcome outcome) {
    switch (outcome) {
        case Outcome::not_sent: return "not_sent";
        case Outcome::approved: return "approved";
        case Outcome::declined: return "declined";
        case Outcome::pending: return "pending";
        case Outcome::unknown: return "unknown";
    }
    return "unknown";
}

std::string_view breaker_state_name(BreakerState state) {
    switch (state) {
        case BreakerState::closed: return "closed";
        case BreakerState::half_open: return "half_open";
        case BreakerState::open: return "open";
    }
    return "open";
}

std::string_view credential_use_code(CredentialUse use) {
    switch (use) {
        case CredentialUse::none: break;
        case CredentialUse::cardholder_first: return "CF";
        case CredentialUse::cardholder_further: return "CS";
        case CredentialUse::merchant_further: return "MS";
    }
    return "";
}

boost::asio::awaitable<TotalsReply> Connector::compare_totals(TotalsRequest) {
    TotalsReply reply;
    reply.detail = "this rail compares no totals";
    co_return reply;
}

std::span<LinkCounterName const> link_counter_names() {
    static constexpr LinkCounterName kNames[] = {
        {"connected", "Connections made.", &LinkCounters::connected},
        {"signed_on", "Connections that the host let in.", &LinkCounters::signed_on},
        {"disconnected", "Connections that ended.", &LinkCounters::disconnected},
        {"sent", "Messages written in full, network management too.", &LinkCounters::sent},
        {"answered", "Requests that were answered in time.", &LinkCounters::answered},
        {"not_sent", "Requests of which no byte was written.", &LinkCounters::not_sent},
        {"timed_out", "Requests without an answer in time.", &LinkCounters::timed_out},
        {"cut_off", "Requests whose connection ended before the answer.", &LinkCounters::cut_off},
        {"late", "Answers that nobody waited for any more.", &LinkCounters::late},
        {"duplicate", "Answers that had come before.", &LinkCounters::duplicate},
        {"foreign", "Messages that do not belong on the link.", &LinkCounters::foreign},
        {"malformed", "Messages that could not be read.", &LinkCounters::malformed},
        {"bad_mac", "Messages whose MAC was wrong or missing.", &LinkCounters::bad_mac},
        {"outstanding", "Requests that wait for their answer.", &LinkCounters::outstanding},
    };
    return kNames;
}

boost::asio::awaitable<Reply> Connector::inquire(InquireRequest) {
    Reply reply;
    reply.detail = "nobody can be asked";
    co_return reply;
}

}  // namespace florin::connectors
