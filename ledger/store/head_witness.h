// The HEAD witness: where the journal's end was when the last group had been synced.
//
// A log may lose its end without its checksums noticing: a torn tail looks the same whether it was
// acknowledged or not. The witness tells: a log that ends before it is damaged.
//
//   file  := slot slot                       written in turn, so that a torn write leaves one
//   slot  := "FLORINHD" sequence u64 hash[32] zero[8] crc32c u32 of the 56 bytes before, zero u32
//
// Little-endian, 64 bytes a slot. Thread rule: one thread.
#pragma once

#include "ledger/journal.h"

#include <filesystem>
#include <optional>

namespace florin::ledger {

class HeadWitness {
public:
    HeadWitness() = default;
    HeadWitness(HeadWitness const&) = delete;
    HeadWitness& operator=(HeadWitness const&) = delete;
    ~HeadWitness();

    // Opens or creates the file; nullopt in known() where it holds nothing yet. Errc::corrupt where
    // the file is there and neither slot is sound.
    Result<void> open(std::filesystem::path const& path, bool read_only);
    std::optional<Position> const& known() const { return known_; }

    // Written after each sync; not synced itself, since it may only ever be behind.
    Result<void> write(Position const& head);
    // Makes it durable; on closing.
    Result<void> sync();

private:
    std::filesystem::path path_;
    int file_ = -1;
    unsigned next_slot_ = 0;
    std::optional<Position> known_;
};

}  // namespace florin::ledger
