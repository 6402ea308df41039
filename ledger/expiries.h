// Open pending transfers with a timeout, earliest first: all that expire soon, and all that are
// newer than the stored runs. The rest stays in the store until its time comes nearer.
//
// Thread rule: the ledger thread only.
#pragma once

#include "ledger/run.h"
#include "ledger/state_store.h"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace florin::ledger {

// Keys and values of table expiry.
std::string expiry_store_key(Expiry const& expiry);

class Expiries {
public:
    // Whether a stored pending transfer has been resolved by a run that is not stored yet.
    using IsResolved = std::function<bool(std::uint64_t pending_timestamp)>;

    Expiries(StateStore const& store, std::size_t window, IsResolved is_resolved)
        : store_{store}, window_{window}, is_resolved_{std::move(is_resolved)} {}

    // Reads the earliest stored ones.
    Result<void> load() { return read_more(); }

    void add(Expiry const& expiry) { known_.insert(expiry); }
    // Answers it with its location where it was in memory; else it has none, and need not be added
    // again where the removal is taken back.
    Expiry remove(Expiry const& expiry) {
        auto node = known_.extract(expiry);
        return node ? node.value() : expiry;
    }

    // The earliest that is due at `clock`, at most `limit` of them.
    Result<std::vector<Expiry>> due(std::uint64_t clock, std::size_t limit);
    // No expiry comes before this time; nullopt: none is open.
    std::optional<std::uint64_t> next() const;

    // Everything up to this record is in the store: what is far away need not be here.
    void trim(Sequence stored);

    // How many are in memory.
    std::size_t size() const { return known_.size(); }

private:
    Result<void> read_more();

    StateStore const& store_;
    std::size_t window_;
    IsResolved is_resolved_;
    std::set<Expiry> known_;
    // Stored ones up to and with this one are known; unset: none was read yet.
    std::optional<Expiry> horizon_;
    bool has_more_ = true;  // there may be stored ones after the horizon
};

}  // namespace florin::ledger
