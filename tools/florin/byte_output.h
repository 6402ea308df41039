// Bytes to standard output or to a file that appears whole or not at all; every failure is told.
//
// A file is written under another name beside its place, flushed to disk and renamed by finish();
// without finish() nothing is left of it, and what was there before stays. Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace florin::tools {

class ByteOutput {
public:
    // Standard output. A reader that goes away is an Error from then on, and no longer a signal
    // that ends the process (SIGPIPE is ignored).
    static ByteOutput standard();
    // Errc::io where no file can be made in that folder.
    static Result<ByteOutput> file(std::filesystem::path const& path);

    ByteOutput(ByteOutput&& other) noexcept;
    ByteOutput& operator=(ByteOutput&&) = delete;
    ~ByteOutput();

    // What to append to; write_full() or flush() sends it.
    std::string& buffer() { return buffer_; }
    // Sends what there is once it is worth a call.
    Result<void> write_full() { return buffer_.size() < kWriteBytes ? Result<void>{} : flush(); }
    // Errc::io names the output and what the system says.
    Result<void> flush();
    // The last call: everything is out, a file is durable and has its name.
    Result<void> finish();

private:
    static constexpr std::size_t kWriteBytes = 256U << 10U;

    ByteOutput(int descriptor, std::string name)
        : descriptor_{descriptor}, name_{std::move(name)} {}
    std::unexpected<Error> failed(char const* doing) const;

    int descriptor_;
    std::string name_;  // for people
    std::filesystem::path path_;
    std::filesystem::path temporary_;  // empty: standard output, or finished
    std::string buffer_;
};

}  // namespace florin::tools
