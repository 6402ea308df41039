#include "tools/florin/byte_output.h"

#include "ledger/store/data_dir.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace florin::tools {
namespace {

// The rights that a file made by open() gets here.
mode_t usual_mode() {
    mode_t const mask = ::umask(0);
    ::umask(mask);
    return 0666U & ~mask;
}

}  // namespace

ByteOutput ByteOutput::standard() {
    ::signal(SIGPIPE, SIG_IGN);
    return ByteOutput{STDOUT_FILENO, "standard output"};
}

Result<ByteOutput> ByteOutput::file(std::filesystem::path const& path) {
    std::filesystem::path const folder = path.has_parent_path() ? path.parent_path() : ".";
    std::string temporary = (folder / ("." + path.filename().string() + ".XXXXXX")).string();
    int const descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
    ByteOutput output{descriptor, path.string()};
    if (descriptor < 0) {
        return output.failed("cannot make a file in its folder");
    }
    output.path_ = path;
    output.temporary_ = temporary;
    if (::fchmod(descriptor, usual_mode()) != 0) {
        return output.failed("cannot set the rights");
    }
    return output;
}

ByteOutput::ByteOutput(ByteOutput&& other) noexcept
    : descriptor_{std::exchange(other.descriptor_, -1)},
      name_{std::move(other.name_)},
      path_{std::move(other.path_)},
      temporary_{std::exchange(other.temporary_, {})},
      buffer_{std::move(other.buffer_)} {}

ByteOutput::~ByteOutput() {
    if (!temporary_.empty()) {
        ::close(descriptor_);
        ::unlink(temporary_.c_str());
    }
}

std::unexpected<Error> ByteOutput::failed(char const* doing) const {
    return fail(Errc::io, name_ + ": " + doing + ": " + std::strerror(errno));
}

Result<void> ByteOutput::flush() {
    std::string_view left = buffer_;
    while (!left.empty()) {
        ssize_t const written = ::write(descriptor_, left.data(), left.size());
        if (written >= 0) {
            left.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            // Whoever started us made the pipe non-blocking.
            pollfd ready{.fd = descriptor_, .events = POLLOUT, .revents = 0};
            ::poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return failed("cannot write");
        }
    }
    buffer_.clear();
    return {};
}

Result<void> ByteOutput::finish() {
    FLORIN_TRY_VOID(flush());
    if (temporary_.empty()) {
        return {};
    }
    if (::fsync(descriptor_) != 0) {
        return failed("cannot write");
    }
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
        return failed("cannot rename the finished file");
    }
    temporary_.clear();
    ::close(descriptor_);
    return ledger::sync_directory(path_.has_parent_path() ? path_.parent_path() : ".");
}

}  // namespace florin::tools
