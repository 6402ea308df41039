#include "ledger/overlay_store.h"

#include <algorithm>
#include <vector>

namespace florin::ledger {
namespace {

using Overlaid = std::vector<std::pair<std::string, std::optional<std::string>>>;

}  // namespace

Result<std::optional<std::string>> OverlayStateStore::get(Table table, ByteView key) const {
    if (auto const entries = over_.find(table); entries != over_.end()) {
        if (auto const found = entries->second.find(key); found != entries->second.end()) {
            return found->second;
        }
    }
    return base_.get(table, key);
}

Result<void> OverlayStateStore::scan(Range const& range, Visitor const& visit) const {
    // What lies over the range, in the order of the scan; then the two are merged.
    Overlaid over;
    if (auto const entries = over_.find(range.table); entries != over_.end()) {
        for (auto const& [key, value] : entries->second) {
            if (key >= range.from && (range.to.empty() || key < range.to)) {
                over.emplace_back(key, value);
            }
        }
    }
    if (range.reverse) {
        std::ranges::reverse(over);
    }
    auto next = over.begin();
    bool go_on = true;
    auto const is_before = [&](ByteView a, ByteView b) { return range.reverse ? a > b : a < b; };
    auto const visit_over = [&]() -> Result<void> {
        if (next->second) {
            FLORIN_TRY(go_on, visit(next->first, *next->second));
        }
        ++next;
        return {};
    };
    auto const merge = [&](ByteView key, ByteView value) -> Result<bool> {
        while (go_on && next != over.end() && is_before(next->first, key)) {
            FLORIN_TRY_VOID(visit_over());
        }
        if (go_on && next != over.end() && next->first == key) {
            FLORIN_TRY_VOID(visit_over());
        } else if (go_on) {
            FLORIN_TRY(go_on, visit(key, value));
        }
        return go_on;
    };
    FLORIN_TRY_VOID(base_.scan(range, merge));
    while (go_on && next != over.end()) {
        FLORIN_TRY_VOID(visit_over());
    }
    return {};
}

Result<void> OverlayStateStore::write(std::vector<Change> const& changes) {
    for (Change const& change : changes) {
        over_[change.table].insert_or_assign(change.key, change.value);
    }
    return {};
}

}  // namespace florin::ledger
