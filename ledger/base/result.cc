#include "ledger/base/result.h"

namespace florin {

std::string_view errc_name(Errc code) {
    switch (code) {
        case Errc::malformed: return "malformed";
        case Errc::not_found: return "not_found";
        case Errc::io: return "io";
        case Errc::corrupt: return "corrupt";
        case Errc::overloaded: return "overloaded";
        case Errc::timeout: return "timeout";
        case Errc::closed: return "closed";
        case Errc::unsupported: return "unsupported";
        case Errc::already_held: return "already_held";
        case Errc::out_of_range: return "out_of_range";
        case Errc::refused: return "refused";
        case Errc::conflict: return "conflict";
    }
    return "unknown";
}

std::string to_string(Error const& error) {
    return std::string{errc_name(error.code)} + ": " + error.context;
}

}  // namespace florin
