// Which ids the store certainly does not have: asked before every look-up of a new transfer's id,
// so that an id nobody has used costs one access to memory instead of a search through sorted
// files.
//
// A blocked Bloom filter over all stored ids: four bits of one cache line each. It grows with them
// up to a size, after which it only errs more often; where it errs, the store is asked. It is made
// from table id_hash when a run is stored and somebody needs it; one of twice the size is made
// beside it, some ids with each run stored, so that nothing waits for millions of them.
//
//   key of table id_hash  := last sequence of the run u64, piece u32, big-endian
//   value                 := 6 bytes for each id: the upper and lower 24 bits of its hash
//
// Thread rule: may_contain by any thread; add and grown by one at a time, at the same time.
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
    // What to use from now on, after a run with so many ids was stored and added: the same one, or
    // one of twice the size. Adds to that one, if the time has come, a part of what is stored.
    static Result<std::shared_ptr<IdFilter>> grown(
        std::shared_ptr<IdFilter> filter, StateStore const& store, std::size_t ids_added
    );
    std::size_t bytes() const { return words_.size() * sizeof(std::uint64_t); }

private:
    static constexpr std::size_t kWordsPerBlock = 8;  // a cache line
    static constexpr unsigned kBlockBitsMax = 24;     // what the hash has
    static constexpr std::size_t kBitsPerId = 16;

    IdFilter(unsigned block_bits, unsigned block_bits_max);
    Result<void> add_all_of(ByteView value);
    bool may_contain(IdHash hash) const;
    std::size_t first_word(IdHash hash) const {
        return static_cast<std::size_t>(hash.bits >> (48U - block_bits_)) * kWordsPerBlock;
    }

    unsigned block_bits_;
    unsigned block_bits_max_;
    std::size_t ids_max_;
    std::size_t ids_ = 0;
    LargeMemory block_;
    std::span<std::uint64_t> words_;  // reached through atomic_ref only
    // Of twice the size, with the ids of all keys of table id_hash before this one.
    std::shared_ptr<IdFilter> larger_;
    std::string larger_next_key_;
};

}  // namespace florin::ledger
