// The HEAD witness: where the journal's end was when the last group had been synced.
//
// A log may lose its end without its checksums noticing: a torn tail looks the same whether it was
// acknowledged or not. The witness tells: a log that ends before it is damaged.
//
//   file  := slot slot                       written in turn, so that a torn write leaves one
//   slot  := "FLORINHD" sequence u64 hash[32] zero[8] crc32c u32 of the 56 bytes before, zero u32
//
// Little-endian, 64 bytes a slot; a slot never written is zero. Created whole and durable, with the
// chain's beginning in it; later writes are not synced, since the witness may only ever be behind.
// Thread rule: one thread, but for verify.
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

    // Errc::not_found where there is no such file; Errc::corrupt where neither slot is sound.
    Result<void> open(std::filesystem::path const& path, bool read_only);
    // A new file that knows `beginning`; replaces none.
    Result<void> create(std::filesystem::path const& path, Position const& beginning);

    Position const& known() const { return known_; }

    Result<void> write(Position const& head);
    // Makes it durable; on closing.
    Result<void> sync();
    // Both slots of the file, as they are now; Errc::corrupt where one is damaged.
    static Result<void> verify(std::filesystem::path const& path);

private:
    std::filesystem::path path_;
    int file_ = -1;
    unsigned next_slot_ = 0;
    Position known_;
};

}  // namespace florin::ledger
