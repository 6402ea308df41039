// A data directory: its format, its lock, and where things are in it.
//
//   D/FORMAT         "florin data directory, format 1\n"
//   D/LOCK           held (flock) by the process that writes; its pid inside
//   D/ledger/log     the journal            D/ledger/HEAD   witness of its end
//   D/ledger/state   the views
//
// Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"

#include <filesystem>

namespace florin::ledger {

inline constexpr int kDataFormat = 1;

class DataDirectory {
public:
    enum class Access { read_only, exclusive };

    // Exclusive takes the lock: Errc::already_held names the pid that has it. An absent or empty
    // directory is created where `create` (only exclusive), else Errc::not_found. Errc::unsupported
    // for another format, Errc::malformed for a folder that holds something else.
    static Result<DataDirectory> open(
        std::filesystem::path const& path, Access access, bool create
    );

    DataDirectory(DataDirectory&& other) noexcept;
    DataDirectory& operator=(DataDirectory&& other) noexcept;
    ~DataDirectory();

    std::filesystem::path const& path() const { return path_; }
    std::filesystem::path log() const { return path_ / "ledger" / "log"; }
    std::filesystem::path state() const { return path_ / "ledger" / "state"; }
    std::filesystem::path witness() const { return path_ / "ledger" / "HEAD"; }

    // The pid of the process that holds the directory; 0: nobody does.
    static Result<int> holder(std::filesystem::path const& path);

private:
    explicit DataDirectory(std::filesystem::path path) : path_{std::move(path)} {}

    std::filesystem::path path_;
    int lock_ = -1;
};

// Flushes a directory's own entries to disk.
Result<void> sync_directory(std::filesystem::path const& path);

}  // namespace florin::ledger
