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

}  // namespace florin::connectors
