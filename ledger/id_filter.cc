#include "ledger/id_filter.h"

#include <algorithm>
#include <bit>

namespace florin::ledger {
namespace {

constexpr std::size_t kPrefetchAhead = 16;
constexpr unsigned kProbes = 3;
constexpr unsigned kBitsPerProbe = 9;  // 512 bits of a block

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

IdFilter::IdFilter(unsigned block_bits, bool is_largest)
    : block_bits_{block_bits},
      is_largest_{is_largest},
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

Result<std::shared_ptr<IdFilter>> IdFilter::build(StateStore const& store, std::size_t bytes_max) {
    std::size_t ids = 0;
    auto const count = [&](ByteView, ByteView value) -> Result<bool> {
        if (value.empty() || value.size() % IdHash::kBytes != 0) {
            return fail(Errc::corrupt, "state: a piece of table id_hash");
        }
        ids += value.size() / IdHash::kBytes;
        return true;
    };
    StateStore::Range const all{.table = Table::id_hash, .from = {}, .to = {}};
    FLORIN_TRY_VOID(store.scan(all, count));
    std::size_t const blocks_max = std::bit_floor(std::max<std::size_t>(bytes_max / 64, 16));
    std::size_t const wanted = std::bit_ceil(2 * ids * kBitsPerId / 512 + 1024);
    auto const largest =
        std::min<unsigned>(static_cast<unsigned>(std::countr_zero(blocks_max)), kBlockBitsMax);
    auto const block_bits =
        std::min<unsigned>(static_cast<unsigned>(std::countr_zero(wanted)), largest);
    std::shared_ptr<IdFilter> filter{new IdFilter{block_bits, block_bits == largest}};
    auto const add = [&](ByteView, ByteView value) -> Result<bool> {
        std::size_t const hashes = value.size() / IdHash::kBytes;
        for (std::size_t i = 0; i < hashes; ++i) {
            filter->prefetch(IdHash::at(value, std::min(i + kPrefetchAhead, hashes - 1)));
            filter->add(IdHash::at(value, i));
        }
        return true;
    };
    FLORIN_TRY_VOID(store.scan(all, add));
    return filter;
}

}  // namespace florin::ledger
