// A Journal in memory, for tests and the simulator: outcomes can be scripted, completions wait
// until they are pumped, and a crash may tear off what was never acknowledged. Thread rule: one
// thread.
#pragma once

#include "ledger/journal.h"

#include <deque>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace florin::ledger {

class MemoryJournal final : public Journal {
public:
    explicit MemoryJournal(std::array<unsigned char, 16> const& ledger_id) : id_{ledger_id} {}

    // What becomes of the next appends, in order; then committed.
    enum class Script {
        commit,
        unknown_written,      // answers unknown, and the group is there
        unknown_not_written,  // answers unknown, and the group is not there
        unknown_late,         // answers unknown, and the group appears at commit_late()
        not_sent,
        conflict,
        fenced,  // another process takes the lease just before
    };
    void script(Script step) { script_.push_back(step); }
    void clear_script() { script_.clear(); }
    // Completions wait for pump() instead of being called inside append().
    void hold_completions(bool hold) { hold_ = hold; }
    std::size_t pump();
    void commit_late();
    // Another process takes the lease.
    void fence() { ++epoch_; }
    // The process dies: nobody will be called any more. Where the tail is torn, what was written
    // but neither acknowledged nor found by a process that took the lease is gone. Late groups
    // never appear, appear now, or are still on their way: commit_late() will bring them, under the
    // lease they had.
    enum class Tail : bool { whole, torn };
    enum class Late { lost, appears, lingers };
    void crash(Late late, Tail tail = Tail::whole);
    void crash(bool late_groups_appear, Tail tail = Tail::whole) {
        crash(late_groups_appear ? Late::appears : Late::lost, tail);
    }

    std::size_t group_bytes_max() const override { return 16U << 20U; }
    std::array<unsigned char, 16> ledger_id() const override { return id_; }
    Result<Lease> acquire(Epoch observed) override;
    Result<void> release(Lease const& lease) override;
    void append(Lease const& lease, Position expected, Group group, AppendCompletion completion)
        override;
    Result<Head> head() const override;
    Result<void> read(Sequence from, Payloads payloads, Visitor const& visit) const override;
    Result<Transfer> transfer(Sequence sequence, std::uint32_t index) const override;
    Result<std::optional<Payload>> payload(Sequence sequence, std::uint32_t index) const override;
    Result<void> drop_payloads(std::vector<PayloadPlace> const& places) override;

    // Every stored byte may be changed by a test.
    std::vector<EncodedRecord>& records() { return records_; }

private:
    AppendOutcome store(Lease const& lease, Position const& expected, Group const& group);

    std::array<unsigned char, 16> id_;
    Epoch epoch_ = 0;
    bool is_leased_ = false;
    std::vector<EncodedRecord> records_;  // record n at n - 1
    Sequence durable_ = 0;                // somebody was told that records up to here are there
    std::set<std::pair<Sequence, std::uint32_t>> dropped_;
    std::deque<Script> script_;
    bool hold_ = false;
    struct Held {
        AppendCompletion completion;
        AppendOutcome outcome;
        Sequence last;  // of its group
    };
    std::deque<Held> held_;
    struct LateGroup {
        Lease lease;
        Position expected;
        Group group;
    };
    std::vector<LateGroup> late_;
};

}  // namespace florin::ledger
