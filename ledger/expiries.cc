#include "ledger/expiries.h"

#include "ledger/books.h"

namespace florin::ledger {

std::string expiry_store_key(Expiry const& expiry) {
    std::string key;
    ByteWriter out{key};
    out.big(expiry.expires_at);
    out.big(expiry.pending_timestamp);
    return key;
}

Result<void> Expiries::read_more() {
    std::size_t read = 0;
    std::string from;
    if (horizon_) {
        from = expiry_store_key(*horizon_);
        from.push_back('\0');  // the least key after it
    }
    auto const add = [&](ByteView key, ByteView value) -> Result<bool> {
        ByteReader in{key, "state: key of table expiry"};
        Expiry expiry;
        FLORIN_TRY(expiry.expires_at, in.big<std::uint64_t>());
        FLORIN_TRY(expiry.pending_timestamp, in.big<std::uint64_t>());
        FLORIN_TRY(expiry.location, decode_location(value));
        if (!is_resolved_(expiry.pending_timestamp)) {
            known_.insert(expiry);
        }
        horizon_ = expiry;
        return ++read < window_;
    };
    FLORIN_TRY_VOID(store_.scan({.table = Table::expiry, .from = from, .to = {}}, add));
    has_more_ = read == window_;
    return {};
}

std::optional<std::uint64_t> Expiries::next() const {
    std::optional<std::uint64_t> next;
    if (!known_.empty()) {
        next = known_.begin()->expires_at;
    }
    if (has_more_) {
        std::uint64_t const unknown_from = horizon_ ? horizon_->expires_at : 0;
        next = next ? std::min(*next, unknown_from) : unknown_from;
    }
    return next;
}

Result<std::vector<Expiry>> Expiries::due(std::uint64_t clock, std::size_t limit) {
    // Everything stored that is due must be known, and one that is not due as a proof.
    while (has_more_ && (!horizon_ || horizon_->expires_at <= clock) && known_.size() < 2 * limit) {
        FLORIN_TRY_VOID(read_more());
    }
    std::vector<Expiry> due;
    for (Expiry const& expiry : known_) {
        bool const is_certain = !has_more_ || !horizon_ || !(*horizon_ < expiry);
        if (expiry.expires_at > clock || due.size() >= limit || !is_certain) {
            break;
        }
        due.push_back(expiry);
    }
    return due;
}

void Expiries::trim(Sequence stored) {
    if (known_.size() <= 2 * window_) {
        return;
    }
    auto const last_kept = std::next(known_.begin(), static_cast<std::ptrdiff_t>(window_) - 1);
    Expiry const horizon = *last_kept;
    for (auto at = std::next(last_kept); at != known_.end();) {
        at = at->location.sequence <= stored ? known_.erase(at) : std::next(at);
    }
    if (!has_more_ || !horizon_ || horizon < *horizon_) {
        horizon_ = horizon;
    }
    has_more_ = true;
}

}  // namespace florin::ledger
