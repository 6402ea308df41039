// A data directory: its format, its lock, and where things are in it.
//
//   D/FORMAT         "florin data directory, format 2\n"
//   D/LOCK           held (flock) by the process that writes, with its pid inside, or shared by
//                    those that read
//   D/ledger/log     the journal            D/ledger/HEAD   witness of its end
//   D/ledger/state   the views
//
// Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"

#include <filesystem>

namespace florin::ledger {

inline constexpr int kDataFormat = 2;

class DataDirectory {
public:
    enum class Access { read_only, exclusive };

    // Errc::already_held names the directory and the pid that has it. Exclusive creates an absent
    // or empty directory where `create`, else Errc::not_found. Errc::unsupported for another
    // format, Errc::malformed for a folder that holds something else: nothing is written into that.
    // Read only takes part in the lock but creates and changes nothing.
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

    // The pid of the process that holds the directory for writing; 0: nobody does.
    static Result<int> holder(std::filesystem::path const& path);

private:
    explicit DataDirectory(std::filesystem::path path) : path_{std::move(path)} {}
    Result<void> lock(Access access);
    Result<void> write_pid() const;

    std::filesystem::path path_;
    int lock_ = -1;
    bool is_exclusive_ = false;
};

// Flushes a directory's own entries to disk.
Result<void> sync_directory(std::filesystem::path const& path);

}  // namespace florin::ledger
