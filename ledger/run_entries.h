// The entries of a run: one long sequence in pieces, whose memory goes from one run to the next.
//
// A run holds tens of megabytes that are written once and then given up; taking them from the
// system anew each time would cost more than deciding the transfers. Pieces come back
// from whatever thread drops the last reference to a run. Thread rule: RunMemory is for all
// threads; a sequence has one writer, and any readers once nobody writes.
#pragma once

#include "ledger/base/large_memory.h"
#include "ledger/base/uint128.h"

#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace florin::ledger {

// Stored in bits 0 to 2 of a history entry; never renumber.
enum class ChangeKind : std::uint8_t {
    posted = 0,        // a single-phase transfer
    reserved = 1,      // a pending transfer
    post_pending = 2,  // pending released, amount posted
    void_pending = 3,  // pending released
    expired = 4,       // pending released, no transfer of its own
};

inline constexpr std::uint32_t kTransfersPerRecordMax = (1U << 20U) - 1;

// One transfer or expiry, with all that history needs of it. One cache line, as LargeMemory starts
// on one; the type itself does not ask for it, because g++ 12 ignores a large alignment on the
// stack frames of -fsanitize=address with detect_stack_use_after_return.
struct RunEntry {
    u128 id = 0;  // 0: an expiry, which has no transfer of its own
    std::uint64_t timestamp = 0;
    std::uint64_t amount = 0;    // posted or reserved; where `is_wide`, a place in Run::wide
    std::uint64_t released = 0;  // from the pending amounts
    std::uint32_t debit = 0;     // numbers of account slots
    std::uint32_t credit = 0;
    std::uint32_t debit_before = 0;  // the debited account's entry before, counted from 1; 0: none
    std::uint32_t credit_before = 0;
    std::uint32_t record = 0;      // sequence less the run's first
    std::uint32_t index : 20 = 0;  // in its record
    ChangeKind kind : 4 = ChangeKind::posted;
    bool is_wide : 1 = false;
    bool closes_debit : 1 = false;  // closes the account, or reopens it where the kind releases
    bool closes_credit : 1 = false;
};
static_assert(sizeof(RunEntry) == 64);

// Memory of entries and of tables of ids, given up by one run and taken by the next.
class RunMemory {
public:
    // For runs of about so many transfers.
    explicit RunMemory(std::size_t run_transfers);

    // Entries in one piece, a power of two.
    std::size_t piece_entries() const { return piece_entries_; }
    LargeMemory take_piece();
    // Cells of a table of ids: zeroed.
    LargeMemory take_cells(std::size_t bytes);
    void give_back(std::vector<LargeMemory> pieces, LargeMemory cells);
    // What storing a run needs while it lasts; not zeroed.
    LargeMemory take_scratch(std::size_t bytes);
    void give_back_scratch(LargeMemory scratch);

private:
    std::size_t piece_entries_;
    std::size_t pieces_kept_;
    std::mutex mutex_;
    std::vector<LargeMemory> pieces_;
    std::vector<LargeMemory> cells_;
    LargeMemory scratch_;
};

class RunEntries {
public:
    explicit RunEntries(std::shared_ptr<RunMemory> memory)
        : memory_{std::move(memory)},
          shift_{static_cast<unsigned>(std::countr_zero(memory_->piece_entries()))} {}
    RunEntries(RunEntries const&) = delete;
    RunEntries& operator=(RunEntries const&) = delete;
    ~RunEntries() { memory_->give_back(std::move(pieces_), {}); }

    std::size_t size() const { return size_; }
    RunEntry const& operator[](std::size_t at) const {
        return starts_[at >> shift_][at & ((std::size_t{1} << shift_) - 1)];
    }
    RunEntry& operator[](std::size_t at) { return const_cast<RunEntry&>(std::as_const(*this)[at]); }
    RunEntry const& back() const { return (*this)[size_ - 1]; }
    void push_back(RunEntry const& entry) {
        if (size_ == pieces_.size() << shift_) {
            pieces_.push_back(memory_->take_piece());
            starts_.push_back(pieces_.back().as<RunEntry>().data());
        }
        (*this)[size_++] = entry;
    }
    void pop_back() { --size_; }
    class Iterator {
    public:
        Iterator(RunEntries const& entries, std::size_t at) : entries_{&entries}, at_{at} {}
        RunEntry const& operator*() const { return (*entries_)[at_]; }
        Iterator& operator++() {
            ++at_;
            return *this;
        }
        friend bool operator==(Iterator const&, Iterator const&) = default;

    private:
        RunEntries const* entries_;
        std::size_t at_;
    };
    Iterator begin() const { return {*this, 0}; }
    Iterator end() const { return {*this, size_}; }

    std::shared_ptr<RunMemory> const& memory() const { return memory_; }
    // Cuts off what comes after.
    void shrink(std::size_t size) { size_ = size; }

private:
    std::shared_ptr<RunMemory> memory_;
    unsigned shift_;
    std::vector<LargeMemory> pieces_;
    std::vector<RunEntry*> starts_;  // of the pieces
    std::size_t size_ = 0;
};

}  // namespace florin::ledger
