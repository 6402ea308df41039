#include "ledger/state_store.h"

#include "ledger/base/check.h"

namespace florin::ledger {

std::string_view table_name(Table table) {
    switch (table) {
        case Table::meta: return "meta";
        case Table::document: return "document";
        case Table::timer: return "timer";
        case Table::event: return "event";
        case Table::counter: return "counter";
        case Table::run: return "run";
        case Table::transfer_id: return "transfer_id";
        case Table::history: return "history";
        case Table::account: return "account";
        case Table::account_time: return "account_time";
        case Table::record_time: return "record_time";
        case Table::pending: return "pending";
        case Table::expiry: return "expiry";
        case Table::transfer_index: return "transfer_index";
        case Table::account_index: return "account_index";
        case Table::id_hash: return "id_hash";
    }
    return "unknown";
}

std::vector<Change> changes_of(RunSource const& run) {
    class Collector final : public RunSource::Sink {
    public:
        void put(ByteView key, ByteView value) override { add(key, std::string{value}); }
        void remove(ByteView key) override { add(key, std::nullopt); }
        void add(ByteView key, std::optional<std::string> value) {
            bool const follows =
                changes.empty() || changes.back().table != table || changes.back().key < key;
            FLORIN_CHECK(follows, "a run is sorted");
            changes.push_back({table, std::string{key}, std::move(value)});
        }
        Table table = Table::run;
        std::vector<Change> changes;
    };
    Collector collector;
    for (std::size_t i = 0; i < kTableCount; ++i) {
        collector.table = static_cast<Table>(i);
        if (is_run_table(collector.table)) {
            run.entries(collector.table, collector);
        }
    }
    return std::move(collector.changes);
}

}  // namespace florin::ledger
