#include "ledger/run.h"

#include "ledger/base/check.h"

#include <bit>

namespace florin::ledger {

IdTable::IdTable(std::size_t expected, std::shared_ptr<RunMemory> memory)
    : memory_{std::move(memory)} {
    // Room for as much again: a run grows while the one before it is being stored, and growing a
    // table would hold up everybody.
    std::size_t const cells = std::bit_ceil(std::max<std::size_t>(expected, 64) * 3);
    use(memory_->take_cells(cells * sizeof(Cell)));
}

void IdTable::use(LargeMemory block) {
    block_ = std::move(block);
    cells_ = block_.as<Cell>();
    mask_ = cells_.size() - 1;
}

void IdTable::put(std::uint64_t hash, std::uint32_t place) {
    std::size_t at = hash & mask_;
    while (cells_[at].place != 0) {
        at = (at + 1) & mask_;
    }
    cells_[at] = {tag_of(hash), place};
}

void IdTable::insert(RunEntries const& entries, std::uint32_t place) {
    if (++used_ * 3 > cells_.size() * 2) {
        LargeMemory const kept = std::exchange(block_, {});
        std::span<Cell const> const before = cells_;
        use(memory_->take_cells(2 * kept.bytes()));
        for (Cell const cell : before) {
            if (cell.place != 0) {
                put(U128Hash{}(entries[cell.place - 1].id), cell.place);
            }
        }
    }
    put(U128Hash{}(entries[place].id), place + 1);
}

void IdTable::remove(RunEntries const& entries, std::uint32_t place) {
    std::size_t hole = U128Hash{}(entries[place].id) & mask_;
    while (cells_[hole].place != place + 1) {
        FLORIN_CHECK(cells_[hole].place != 0, "an id that is taken back is there");
        hole = (hole + 1) & mask_;
    }
    // What stands further from its home than the hole moves into it, and leaves a hole itself.
    for (std::size_t at = (hole + 1) & mask_; cells_[at].place != 0; at = (at + 1) & mask_) {
        std::size_t const home = U128Hash{}(entries[cells_[at].place - 1].id) & mask_;
        if (((at - home) & mask_) >= ((at - hole) & mask_)) {
            cells_[hole] = cells_[at];
            hole = at;
        }
    }
    cells_[hole] = {};
    --used_;
}

BalanceChange Run::change_of(RunEntry const& entry, bool credit) const {
    return {
        .timestamp = entry.timestamp,
        .kind = entry.kind,
        .credit = credit,
        .sequence = first_sequence + entry.record,
        .index = entry.index,
        .amount = amount_of(entry),
        .released = released_of(entry),
    };
}

}  // namespace florin::ledger
