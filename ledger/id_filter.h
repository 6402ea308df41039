// Which ids the store certainly does not have: asked before every look-up of a new transfer's id,
// so that an id nobody has used costs one access to memory instead of a search through sorted
// files.
//
// A blocked Bloom filter over all stored ids: three bits of one cache line each. It grows with them
// up to a size, after which it only errs more often; where it errs, the store is asked. It is made
// from table id_hash, when the first run is stored after a start.
//
//   key of table id_hash  := last sequence of the run u64, piece u32, big-endian
//   value                 := 6 bytes for each id: the upper and lower 24 bits of its hash
//
// Thread rule: may_contain by any thread, add by one at a time, at the same time.
#pragma once

#include "ledger/base/large_memory.h"
#include "ledger/state_store.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

namespace florin::ledger {

// What is kept of an id. Stored; never change.
struct IdHash {
    static constexpr std::size_t kBytes = 6;
    std::uint64_t bits = 0;  // 48

    static IdHash of(u128 id);
    void put(std::string& out) const { out.append(reinterpret_cast<char const*>(&bits), kBytes); }
    // Of the value's place `index`; it is there.
    static IdHash at(ByteView value, std::size_t index);
};
std::string id_hash_key(std::uint64_t boundary, std::uint32_t piece);
inline constexpr std::size_t kIdHashesPerPiece = 10'000;

class IdFilter {
public:
    // Over everything in the store, with room for as much again, as far as `bytes_max` allows.
    static Result<std::shared_ptr<IdFilter>> build(StateStore const& store, std::size_t bytes_max);

    bool may_contain(u128 id) const { return may_contain(IdHash::of(id)); }
    void prefetch(u128 id) const { prefetch(IdHash::of(id)); }
    void prefetch(IdHash hash) const { __builtin_prefetch(&words_[first_word(hash)]); }
    void add(IdHash hash);
    // Whether so many more ids leave it as good as it should be.
    bool has_room(std::size_t ids) const { return is_largest_ || ids_ + ids <= ids_max_; }
    std::size_t bytes() const { return words_.size() * sizeof(std::uint64_t); }

private:
    static constexpr std::size_t kWordsPerBlock = 8;  // a cache line
    static constexpr unsigned kBlockBitsMax = 24;     // what the hash has
    static constexpr std::size_t kBitsPerId = 10;

    IdFilter(unsigned block_bits, bool is_largest);
    bool may_contain(IdHash hash) const;
    std::size_t first_word(IdHash hash) const {
        return static_cast<std::size_t>(hash.bits >> (48U - block_bits_)) * kWordsPerBlock;
    }

    unsigned block_bits_;
    bool is_largest_;
    std::size_t ids_max_;
    std::size_t ids_ = 0;
    LargeMemory block_;
    std::span<std::uint64_t> words_;  // reached through atomic_ref only
};

}  // namespace florin::ledger
