// A StateStore in memory: for tests, the simulator, and verify, which rebuilds the views into one.
// Thread rule: as StateStore says; a lock serialises everything.
#pragma once

#include "ledger/state_store.h"

#include <array>
#include <map>
#include <shared_mutex>

namespace florin::ledger {

class MemoryStateStore final : public StateStore {
public:
    Result<std::optional<std::string>> get(Table table, ByteView key) const override;
    Result<void> scan(Range const& range, Visitor const& visit) const override;
    Result<void> write(std::vector<Change> const& changes) override;
    Result<void> ingest(RunSource const& run) override;
    Result<void> flush() override;
    Result<void> verify_files() const override { return {}; }

    // What a crash leaves: live tables as of the last flush.
    void crash();

private:
    using Entries = std::map<std::string, std::string, std::less<>>;
    static void apply(std::array<Entries, kTableCount>& tables, std::vector<Change> const& changes);

    mutable std::shared_mutex mutex_;
    std::array<Entries, kTableCount> tables_;
    std::array<Entries, kTableCount> flushed_;  // live tables only
};

}  // namespace florin::ledger
