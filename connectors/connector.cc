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

boost::asio::awaitable<Reply> Connector::inquire(InquireRequest) {
    Reply reply;
    reply.detail = "nobody can be asked";
    co_return reply;
}

}  // namespace florin::connectors
