// Where a benchmark keeps its data. Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"

#include <filesystem>
#include <string>

namespace florin::tools {

// A directory of our own that is gone afterwards, or the caller's that stays.
class BenchDirectory {
public:
    // Empty: florin-bench-<pid> in the current directory.
    explicit BenchDirectory(std::string const& wanted);
    BenchDirectory(BenchDirectory const&) = delete;
    BenchDirectory& operator=(BenchDirectory const&) = delete;
    ~BenchDirectory();
    // Errc::refused where it is not empty.
    Result<void> create() const;
    std::filesystem::path const& path() const { return path_; }

private:
    bool is_kept_;
    std::filesystem::path path_;
};

}  // namespace florin::tools
