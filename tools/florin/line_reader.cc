#include "tools/florin/line_reader.h"

#include "ledger/base/check.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace florin::tools {
namespace {

constexpr std::size_t kReadBytes = 1U << 20U;

}  // namespace

LineReader::LineReader(int descriptor, std::size_t line_bytes_max)
    : descriptor_{descriptor},
      stop_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)},
      line_bytes_max_{line_bytes_max},
      buffer_(2 * kReadBytes, '\0') {
    FLORIN_CHECK(stop_ >= 0, "an event can be made");
}

LineReader::~LineReader() {
    ::close(stop_);
}

void LineReader::stop() {
    is_stopped_ = true;
    std::uint64_t const one = 1;
    FLORIN_CHECK(::write(stop_, &one, sizeof one) == sizeof one, "an event can be set");
}

// Reads some more behind end_. False at the end of the input.
Result<bool> LineReader::fill() {
    if (begin_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.size() - end_ < kReadBytes) {
        buffer_.resize(2 * buffer_.size());
    }
    for (;;) {
        std::array<pollfd, 2> ready{
            pollfd{.fd = descriptor_, .events = POLLIN, .revents = 0},
            pollfd{.fd = stop_, .events = POLLIN, .revents = 0},
        };
        if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) {
            return fail(Errc::io, std::string{"standard input: "} + std::strerror(errno));
        }
        if (ready[1].revents != 0) {
            return false;
        }
        if (ready[0].revents == 0) {
            continue;
        }
        ssize_t const got = ::read(descriptor_, buffer_.data() + end_, kReadBytes);
        if (got >= 0) {
            end_ += static_cast<std::size_t>(got);
            return got > 0;
        }
        if (errno != EINTR && errno != EAGAIN) {
            return fail(Errc::io, std::string{"standard input: "} + std::strerror(errno));
        }
    }
}

Result<std::optional<LineReader::Line>> LineReader::next() {
    bool too_long = false;
    std::size_t looked = 0;  // bytes behind begin_ without a line's end in them
    while (!at_end_ && !is_stopped_) {
        char const* const from = buffer_.data() + begin_ + looked;
        std::size_t const left = end_ - begin_ - looked;
        if (void const* const found = std::memchr(from, '\n', left)) {
            char const* const line = buffer_.data() + begin_;
            auto const length = static_cast<std::size_t>(static_cast<char const*>(found) - line);
            begin_ += length + 1;
            too_long = too_long || length > line_bytes_max_;
            return Line{++number_, {line, too_long ? 0 : length}, too_long};
        }
        looked += left;
        if (looked > line_bytes_max_) {
            too_long = true;
            begin_ = end_;
            looked = 0;
        }
        FLORIN_TRY(bool const more, fill());
        at_end_ = !more;
    }
    std::size_t const length = end_ - begin_;
    if (is_stopped_ || (length == 0 && !too_long)) {
        return std::nullopt;
    }
    char const* const line = buffer_.data() + begin_;
    begin_ = end_;
    too_long = too_long || length > line_bytes_max_;
    return Line{++number_, {line, too_long ? 0 : length}, too_long};
}

}  // namespace florin::tools
