// A disk that loses its power and refuses work, under RocksDB: a file system over real files in a
// temporary folder that knows what has been synced, and background threads that move only when
// told.
//
// A power loss takes away: of each file, what was not synced, but for a random beginning of it that
// may end inside a sector; of each directory, every creation, renaming, linking and removal since
// it was last synced, but for a random beginning of them. A sync that failed is never made good by
// a later one: the pages are not dirty any more (what Linux does). The death of the process alone
// takes nothing away.
//
// Thread rule: driven by one thread; RocksDB may call in from others.
#pragma once

#include "tests/sim/random.h"

#include <cstdint>
#include <filesystem>
#include <memory>

namespace rocksdb {
class Env;
}

namespace florin::ledger::sim {

class FaultyDisk {
public:
    // `folder` is everything that the disk holds; `cellar` is a folder beside it on the same file
    // system where files stay until it is certain that they are gone.
    FaultyDisk(std::filesystem::path folder, std::filesystem::path cellar, Random& random);
    FaultyDisk(FaultyDisk const&) = delete;
    FaultyDisk& operator=(FaultyDisk const&) = delete;
    ~FaultyDisk();

    rocksdb::Env* env();

    enum class Fault {
        io_error,    // one call fails; of a write, a part may have been done
        disk_full,   // this call and all writes and creations after it
        power_loss,  // this call and everything after it never happens
    };
    // The k-th call from now on that changes something, counted from 1.
    void arm(std::uint64_t k, Fault fault);
    void heal();
    // The power has gone.
    bool is_dead() const;

    // The process is going: whatever it still tries does not count.
    void stop_counting();
    // What a power loss leaves, then a disk that works again.
    void lose_power();
    // The process is gone and the machine is not.
    void restart_process();

    // RocksDB's background work: it waits, unless it runs at once.
    void run_background_at_once(bool at_once);
    // Does all that waits, and what comes of it.
    void drain_background();

    // Every call that changed something, in order.
    std::uint64_t trace() const;
    std::uint64_t calls() const;

private:
    class Impl;
    class TrackedFile;
    class TrackedDirectory;
    class Files;
    class SteppedEnv;
    std::unique_ptr<Impl> impl_;
};

}  // namespace florin::ledger::sim
