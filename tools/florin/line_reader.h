// Lines of an open file, in bounded memory: one that is too long is skipped, not kept.
// Thread rule: one thread; stop() may be called from any other.
#pragma once

#include "ledger/base/result.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace florin::tools {

class LineReader {
public:
    // Does not own the descriptor.
    LineReader(int descriptor, std::size_t line_bytes_max);
    LineReader(LineReader const&) = delete;
    LineReader& operator=(LineReader const&) = delete;
    ~LineReader();

    struct Line {
        std::uint64_t number = 0;  // from 1
        std::string_view text;     // without its end; good until the next call
        bool is_too_long = false;  // more than line_bytes_max: no text
    };
    // nullopt at the end of the input and after stop(). The last line needs no end. Errc::io where
    // it cannot be read.
    Result<std::optional<Line>> next();
    // Ends a wait for input, and what was read already is not given out any more.
    void stop();

private:
    Result<bool> fill();

    int descriptor_;
    int stop_;  // an event; readable once stopped
    std::atomic<bool> is_stopped_ = false;
    std::size_t line_bytes_max_;
    std::string buffer_;
    std::size_t begin_ = 0;  // of what was not given out yet
    std::size_t end_ = 0;
    std::uint64_t number_ = 0;
    bool at_end_ = false;
};

}  // namespace florin::tools
