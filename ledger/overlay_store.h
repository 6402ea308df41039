// A StateStore that lays changes in memory over another one, which it never writes: how a tool
// reads a data directory whose last records have not reached the stored views. Thread rule: one
// thread.
#pragma once

#include "ledger/state_store.h"

#include <map>

namespace florin::ledger {

class OverlayStateStore final : public StateStore {
public:
    explicit OverlayStateStore(StateStore const& base) : base_{base} {}

    Result<std::optional<std::string>> get(Table table, ByteView key) const override;
    Result<void> scan(Range const& range, Visitor const& visit) const override;
    Result<void> write(std::vector<Change> const& changes) override;
    Result<void> ingest(RunSource const& run) override { return write(changes_of(run)); }
    Result<void> flush() override { return {}; }
    Result<void> verify_files() const override { return base_.verify_files(); }

private:
    using Entries = std::map<std::string, std::optional<std::string>, std::less<>>;

    StateStore const& base_;
    std::map<Table, Entries> over_;
};

}  // namespace florin::ledger
