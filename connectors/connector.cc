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

void hold_against(Reply& reply, Money asked, bool may_be_partial) {
    if (reply.outcome != Outcome::approved) {
        return;
    }
    if (reply.approved && !reply.said_minor) {
        // Of a rail that tells money, not fields.
        reply.said_minor = reply.approved->minor;
        reply.said_currency = reply.approved->currency;
        reply.is_partial = may_be_partial && reply.approved->minor < asked.minor;
    }
    std::int64_t const minor = reply.said_minor.value_or(asked.minor);
    bool const is_part = reply.said_minor.has_value() && minor > 0 && minor <= asked.minor;
    char const* wrong = nullptr;
    if (reply.said_currency.value_or(asked.currency) != asked.currency) {
        wrong = "approved in another currency";
    } else if (reply.is_partial && !may_be_partial) {
        wrong = "approved in part, which only an authorisation can be";
    } else if (reply.is_partial ? !is_part : minor != asked.minor) {
        wrong = "approved another amount than was asked for";
    }
    if (wrong != nullptr) {
        reply.outcome = Outcome::unknown;
        reply.approves_otherwise = true;
        reply.approved.reset();
        reply.detail += (reply.detail.empty() ? "" : ": ") + std::string{wrong};
        return;
    }
    reply.approved = Money{minor, asked.currency};
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
