#include "ledger/run_entries.h"

#include <algorithm>
#include <cstring>

namespace florin::ledger {
namespace {

// Short runs take little; long ones take whole huge pages.
constexpr std::size_t kPieceEntriesMin = 1'024;
constexpr std::size_t kPieceEntriesMax = 32'768;
// Tables of ids kept: of the run being filled and the one being stored.
constexpr std::size_t kCellsKept = 2;

}  // namespace

RunMemory::RunMemory(std::size_t run_transfers)
    : piece_entries_{std::clamp(
          std::bit_ceil(run_transfers / 8 + 1), kPieceEntriesMin, kPieceEntriesMax
      )},
      pieces_kept_{2 * run_transfers / piece_entries_ + 2} {}

LargeMemory RunMemory::take_piece() {
    {
        std::lock_guard const lock{mutex_};
        if (!pieces_.empty()) {
            LargeMemory piece = std::move(pieces_.back());
            pieces_.pop_back();
            return piece;
        }
    }
    return LargeMemory{piece_entries_ * sizeof(RunEntry)};
}

LargeMemory RunMemory::take_cells(std::size_t bytes) {
    LargeMemory cells;
    {
        std::lock_guard const lock{mutex_};
        auto const fits = [&](LargeMemory const& each) { return each.bytes() == bytes; };
        auto const found = std::ranges::find_if(cells_, fits);
        if (found != cells_.end()) {
            cells = std::move(*found);
            cells_.erase(found);
        }
    }
    if (cells.bytes() == 0) {
        return LargeMemory{bytes};
    }
    std::ranges::fill(cells.as<char>(), '\0');
    return cells;
}

void RunMemory::give_back(std::vector<LargeMemory> pieces, LargeMemory cells) {
    std::lock_guard const lock{mutex_};
    for (LargeMemory& piece : pieces) {
        if (pieces_.size() < pieces_kept_) {
            pieces_.push_back(std::move(piece));
        }
    }
    if (cells.bytes() > 0 && cells_.size() < kCellsKept) {
        cells_.push_back(std::move(cells));
    }
}

LargeMemory RunMemory::take_scratch(std::size_t bytes) {
    {
        std::lock_guard const lock{mutex_};
        if (scratch_.bytes() >= bytes) {
            return std::exchange(scratch_, {});
        }
    }
    return LargeMemory{bytes};
}

void RunMemory::give_back_scratch(LargeMemory scratch) {
    std::lock_guard const lock{mutex_};
    scratch_ = std::move(scratch);
}

}  // namespace florin::ledger
