// The entries of a run: one long sequence in pieces, whose memory goes from one run to the next.
//
// A run holds tens of megabytes that are written once and then given up; taking them from the
// system anew each time would cost more than deciding the transfers. Pieces come back to the pool
// from whatever thread drops the last reference to a run. Thread rule: the pool is for all threads;
// a sequence has one writer, and any readers once nobody writes.
#pragma once

#include "ledger/base/uint128.h"

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

// One transfer or expiry, with all that history needs of it. One cache line.
struct alignas(64) RunEntry {
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

class EntryPool {
public:
    static constexpr std::size_t kPieceEntries = 4'096;  // 256 KiB
    using Piece = std::unique_ptr<RunEntry[]>;

    explicit EntryPool(std::size_t pieces_kept) : pieces_kept_{pieces_kept} {}

    Piece take() {
        std::lock_guard const lock{mutex_};
        if (free_.empty()) {
            return std::make_unique<RunEntry[]>(kPieceEntries);
        }
        Piece piece = std::move(free_.back());
        free_.pop_back();
        return piece;
    }
    void give_back(std::vector<Piece> pieces) {
        std::lock_guard const lock{mutex_};
        for (Piece& piece : pieces) {
            if (free_.size() < pieces_kept_) {
                free_.push_back(std::move(piece));
            }
        }
    }

private:
    std::size_t pieces_kept_;
    std::mutex mutex_;
    std::vector<Piece> free_;
};

class RunEntries {
public:
    explicit RunEntries(std::shared_ptr<EntryPool> pool) : pool_{std::move(pool)} {}
    RunEntries(RunEntries const&) = delete;
    RunEntries& operator=(RunEntries const&) = delete;
    ~RunEntries() { pool_->give_back(std::move(pieces_)); }

    std::size_t size() const { return size_; }
    RunEntry const& operator[](std::size_t at) const {
        return pieces_[at / EntryPool::kPieceEntries][at % EntryPool::kPieceEntries];
    }
    RunEntry& operator[](std::size_t at) { return const_cast<RunEntry&>(std::as_const(*this)[at]); }
    RunEntry const& back() const { return (*this)[size_ - 1]; }
    void push_back(RunEntry const& entry) {
        if (size_ == pieces_.size() * EntryPool::kPieceEntries) {
            pieces_.push_back(pool_->take());
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

    // Cuts off what comes after.
    void shrink(std::size_t size) { size_ = size; }

private:
    std::shared_ptr<EntryPool> pool_;
    std::vector<EntryPool::Piece> pieces_;
    std::size_t size_ = 0;
};

}  // namespace florin::ledger
