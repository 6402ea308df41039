#include "ledger/id_filter.h"

#include <algorithm>
#include <bit>

namespace florin::ledger {
namespace {

constexpr std::size_t kPrefetchAhead = 16;
constexpr unsigned kProbes = 4;
constexpr unsigned kBitsPerProbe = 9;  // 512 bits of a block
// A larger filter is begun when this one is half full. With so many stored ids for each new one it
// has them all by the time this one is full.
constexpr std::size_t kMovedPerAdded = 2;

}  // namespace

IdHash IdHash::of(u128 id) {
    std::uint64_t const hash = U128Hash{}(id);
    // The lowest 24 bits choose bits within a block and must not depend on the block.
    return {((hash >> 40U) << 24U) | (hash & 0xffffff)};
}

IdHash IdHash::at(ByteView value, std::size_t index) {
    IdHash hash;
    std::memcpy(&hash.bits, value.data() + index * kBytes, kBytes);
    return hash;
}

std::string id_hash_key(std::uint64_t boundary, std::uint32_t piece) {
    std::string key;
    ByteWriter out{key};
    out.big(boundary);
    out.big(piece);
    return key;
}

IdFilter::IdFilter(unsigned block_bits, unsigned block_bits_max)
    : block_bits_{block_bits},
      block_bits_max_{block_bits_max},
      ids_max_{(std::size_t{1} << block_bits) * kWordsPerBlock * 64 / kBitsPerId},
      block_{(std::size_t{1} << block_bits) * kWordsPerBlock * sizeof(std::uint64_t)},
      words_{block_.as<std::uint64_t>()} {}

bool IdFilter::may_contain(IdHash hash) const {
    std::size_t const first = first_word(hash);
    std::uint64_t bits = hash.bits * 0x9e3779b97f4a7c15ULL;
    for (unsigned probe = 0; probe < kProbes; ++probe, bits <<= kBitsPerProbe) {
        auto const at = static_cast<std::size_t>(bits >> (64U - kBitsPerProbe));
        std::uint64_t const word =
            std::atomic_ref{words_[first + at / 64]}.load(std::memory_order_relaxed);
        if ((word >> (at % 64) & 1U) == 0) {
            return false;
        }
    }
    return true;
}

void IdFilter::add(IdHash hash) {
    std::size_t const first = first_word(hash);
    std::uint64_t bits = hash.bits * 0x9e3779b97f4a7c15ULL;
    for (unsigned probe = 0; probe < kProbes; ++probe, bits <<= kBitsPerProbe) {
        auto const at = static_cast<std::size_t>(bits >> (64U - kBitsPerProbe));
        std::atomic_ref const word{words_[first + at / 64]};
        // One writer: nobody else changes the word in between.
        word.store(
            word.load(std::memory_order_relaxed) | (std::uint64_t{1} << (at % 64)),
            std::memory_order_relaxed
        );
    }
    ++ids_;
}

Result<void> IdFilter::add_all_of(ByteView value) {
    if (value.empty() || value.size() % IdHash::kBytes != 0) {
        return fail(Errc::corrupt, "state: a piece of table id_hash");
    }
    std::size_t const hashes = value.size() / IdHash::kBytes;
    for (std::size_t i = 0; i < hashes; ++i) {
        prefetch(IdHash::at(value, std::min(i + kPrefetchAhead, hashes - 1)));
        add(IdHash::at(value, i));
    }
    return {};
}

Result<std::shared_ptr<IdFilter>> IdFilter::build(StateStore const& store, std::size_t bytes_max) {
    StateStore::Range const all{.table = Table::id_hash, .from = {}, .to = {}};
    std::size_t ids = 0;
    auto const count = [&](ByteView, ByteView value) -> Result<bool> {
        ids += value.size() / IdHash::kBytes;
        return true;
    };
    FLORIN_TRY_VOID(store.scan(all, count));
    std::size_t const blocks_max = std::bit_floor(std::max<std::size_t>(bytes_max / 64, 16));
    std::size_t const wanted = std::bit_ceil(2 * ids * kBitsPerId / 512 + 1024);
    auto const block_bits_max =
        std::min<unsigned>(static_cast<unsigned>(std::countr_zero(blocks_max)), kBlockBitsMax);
    auto const block_bits =
        std::min<unsigned>(static_cast<unsigned>(std::countr_zero(wanted)), block_bits_max);
    std::shared_ptr<IdFilter> filter{new IdFilter{block_bits, block_bits_max}};
    auto const add = [&](ByteView, ByteView value) -> Result<bool> {
        FLORIN_TRY_VOID(filter->add_all_of(value));
        return true;
    };
    FLORIN_TRY_VOID(store.scan(all, add));
    return filter;
}

Result<std::shared_ptr<IdFilter>> IdFilter::grown(
    std::shared_ptr<IdFilter> filter, StateStore const& store, std::size_t ids_added
) {
    if (filter->block_bits_ == filter->block_bits_max_ || filter->ids_ < filter->ids_max_ / 2) {
        return filter;
    }
    if (!filter->larger_) {
        filter->larger_.reset(new IdFilter{filter->block_bits_ + 1, filter->block_bits_max_});
    }
    IdFilter& larger = *filter->larger_;
    std::string& next_key = filter->larger_next_key_;
    std::size_t const enough = larger.ids_ + kMovedPerAdded * ids_added;
    bool has_all = true;
    auto const add = [&](ByteView key, ByteView value) -> Result<bool> {
        if (larger.ids_ >= enough) {
            next_key = key;
            has_all = false;
            return false;
        }
        FLORIN_TRY_VOID(larger.add_all_of(value));
        return true;
    };
    FLORIN_TRY_VOID(store.scan({.table = Table::id_hash, .from = next_key, .to = {}}, add));
    return has_all ? filter->larger_ : filter;
}

}  // namespace florin::ledger
