#include "ledger/memory_state_store.h"

#include "ledger/base/check.h"

#include <algorithm>
#include <mutex>

namespace florin::ledger {

Result<std::optional<std::string>> MemoryStateStore::get(Table table, ByteView key) const {
    std::shared_lock const lock{mutex_};
    Entries const& entries = tables_[static_cast<std::size_t>(table)];
    auto const found = entries.find(key);
    return found == entries.end() ? std::nullopt : std::optional{found->second};
}

Result<void> MemoryStateStore::scan(Range const& range, Visitor const& visit) const {
    // Copied, so that the visitor may read the store and a scan sees one moment.
    std::vector<std::pair<std::string, std::string>> entries;
    {
        std::shared_lock const lock{mutex_};
        Entries const& table = tables_[static_cast<std::size_t>(range.table)];
        auto const end = range.to.empty() ? table.end() : table.lower_bound(range.to);
        for (auto at = table.lower_bound(range.from); at != end && at != table.end(); ++at) {
            if (!range.to.empty() && at->first >= range.to) {
                break;
            }
            entries.emplace_back(at->first, at->second);
        }
    }
    if (range.reverse) {
        std::ranges::reverse(entries);
    }
    for (auto const& [key, value] : entries) {
        FLORIN_TRY(bool const go_on, visit(key, value));
        if (!go_on) {
            break;
        }
    }
    return {};
}

void MemoryStateStore::apply(
    std::array<Entries, kTableCount>& tables, std::vector<Change> const& changes
) {
    for (Change const& change : changes) {
        Entries& entries = tables[static_cast<std::size_t>(change.table)];
        if (change.value) {
            entries.insert_or_assign(change.key, *change.value);
        } else {
            entries.erase(change.key);
        }
    }
}

Result<void> MemoryStateStore::write(std::vector<Change> const& changes) {
    std::unique_lock const lock{mutex_};
    for (Change const& change : changes) {
        FLORIN_CHECK(!is_run_table(change.table), "write is for live tables");
    }
    apply(tables_, changes);
    return {};
}

Result<void> MemoryStateStore::ingest(RunSource const& run) {
    std::vector<Change> changes = changes_of(run);
    std::unique_lock const lock{mutex_};
    apply(tables_, changes);
    return {};
}

Result<void> MemoryStateStore::flush() {
    std::unique_lock const lock{mutex_};
    for (std::size_t table = 0; table < kTableCount; ++table) {
        if (!is_run_table(static_cast<Table>(table))) {
            flushed_[table] = tables_[table];
        }
    }
    return {};
}

void MemoryStateStore::crash() {
    std::unique_lock const lock{mutex_};
    for (std::size_t table = 0; table < kTableCount; ++table) {
        if (!is_run_table(static_cast<Table>(table))) {
            tables_[table] = flushed_[table];
        }
    }
}

}  // namespace florin::ledger
