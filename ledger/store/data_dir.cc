#include "ledger/store/data_dir.h"

#include "ledger/base/io_error.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace florin::ledger {
namespace {

namespace fs = std::filesystem;

constexpr char const* kFormatStart = "florin data directory, format ";
constexpr char const* kFormatFresh = "FORMAT.new";

Result<void> write_file_synced(fs::path const& path, std::string const& content) {
    int const file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        return std::unexpected{io_error(path)};
    }
    ssize_t const count = ::write(file, content.data(), content.size());
    int error = count < 0 ? errno : 0;
    if (count >= 0 && count != static_cast<ssize_t>(content.size())) {
        error = ENOSPC;  // what a short write to a file means
    }
    if (error == 0 && ::fsync(file) != 0) {
        error = errno;
    }
    ::close(file);
    if (error != 0) {
        return std::unexpected{io_error(path, error)};
    }
    return {};
}

// The first bytes of a small file; nullopt where there is none.
Result<std::optional<std::string>> read_small_file(fs::path const& path) {
    int const file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        return std::unexpected{io_error(path)};
    }
    char bytes[128];
    ssize_t const count = ::read(file, bytes, sizeof bytes);
    int const error = errno;
    ::close(file);
    if (count < 0) {
        return std::unexpected{io_error(path, error)};
    }
    return std::string{bytes, static_cast<std::size_t>(count)};
}

std::string expected_format() {
    return kFormatStart + std::to_string(kDataFormat) + "\n";
}

// False: there is no FORMAT file.
Result<bool> check_format(fs::path const& path) {
    fs::path const file = path / "FORMAT";
    FLORIN_TRY(auto const content, read_small_file(file));
    if (!content) {
        return false;
    }
    if (*content == expected_format()) {
        return true;
    }
    std::string const found = content->substr(0, content->find('\n'));
    if (found.starts_with(kFormatStart)) {
        return fail(
            Errc::unsupported,
            file.string() + ": found '" + found + "', expected format " +
                std::to_string(kDataFormat)
        );
    }
    return fail(
        Errc::malformed,
        file.string() + ": does not say '" + kFormatStart + std::to_string(kDataFormat) + "'"
    );
}

// Makes the directory and those above it, each durable in its parent.
Result<void> make_directories(fs::path const& path) {
    std::error_code error;
    if (fs::is_directory(path, error)) {
        return {};
    }
    fs::path const parent = path.parent_path();
    if (!parent.empty() && parent != path) {
        FLORIN_TRY_VOID(make_directories(parent));
    }
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return std::unexpected{io_error(path)};
    }
    return sync_directory(parent.empty() ? fs::path{"."} : parent);
}

// FORMAT comes last and whole: before it is there, the directory counts as empty.
Result<void> create(fs::path const& path) {
    FLORIN_TRY_VOID(make_directories(path / "ledger"));
    fs::path const fresh = path / kFormatFresh;
    FLORIN_TRY_VOID(write_file_synced(fresh, expected_format()));
    std::error_code error;
    fs::rename(fresh, path / "FORMAT", error);
    if (error) {
        return std::unexpected{io_error(path / "FORMAT", error)};
    }
    return sync_directory(path);
}

// Holds nothing but what a crash during create may have left.
Result<bool> is_fresh(fs::path const& path) {
    std::error_code error;
    fs::directory_iterator entry{path, error};
    for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
        auto const name = entry->path().filename();
        bool const is_ours = name == "LOCK" || name == kFormatFresh ||
                             (name == "ledger" && fs::is_empty(entry->path(), error));
        if (!is_ours && !error) {
            return false;
        }
    }
    if (error) {
        return std::unexpected{io_error(path, error)};
    }
    return true;
}

// 0: nobody wrote one.
int read_pid(fs::path const& lock) {
    auto const content = read_small_file(lock);
    int pid = 0;
    if (content && *content) {
        std::from_chars((*content)->data(), (*content)->data() + (*content)->size(), pid);
    }
    return pid;
}

// Whether somebody holds the lock for writing; `file` is the lock, opened once more.
bool is_held_for_writing(int file) {
    if (::flock(file, LOCK_SH | LOCK_NB) != 0) {
        return true;
    }
    ::flock(file, LOCK_UN);
    return false;
}

}  // namespace

Result<void> sync_directory(fs::path const& path) {
    int const directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return std::unexpected{io_error(path)};
    }
    int const error = ::fsync(directory) == 0 ? 0 : errno;
    ::close(directory);
    if (error != 0) {
        return std::unexpected{io_error(path, error)};
    }
    return {};
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_{std::move(other.path_)},
      lock_{std::exchange(other.lock_, -1)},
      is_exclusive_{other.is_exclusive_} {}

DataDirectory& DataDirectory::operator=(DataDirectory&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    std::swap(is_exclusive_, other.is_exclusive_);
    return *this;
}

DataDirectory::~DataDirectory() {
    if (lock_ < 0) {
        return;
    }
    if (is_exclusive_ && ::ftruncate(lock_, 0) != 0) {
        // A stale pid is harmless: the lock itself is what counts.
    }
    ::close(lock_);  // closing releases the lock
}

Result<void> DataDirectory::lock(Access access) {
    bool const exclusive = access == Access::exclusive;
    fs::path const file = path_ / "LOCK";
    lock_ = ::open(file.c_str(), (exclusive ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0600);
    if (lock_ < 0) {
        if (errno == ENOENT && !exclusive) {
            return {};  // nobody has ever written here since, say, it was restored
        }
        return std::unexpected{io_error(file)};
    }
    if (::flock(lock_, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) {
        is_exclusive_ = exclusive;
        return {};
    }
    if (errno != EWOULDBLOCK) {
        return std::unexpected{io_error(file)};
    }
    int const pid = read_pid(file);
    std::string who = "another process";
    if (!is_held_for_writing(lock_)) {
        who = "a process that reads it";
    } else if (pid != 0) {
        who = "process " + std::to_string(pid);
    }
    return fail(Errc::already_held, path_.string() + ": in use by " + who);
}

Result<void> DataDirectory::write_pid() const {
    std::string const pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock_, 0) != 0 ||
        ::pwrite(lock_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
        return std::unexpected{io_error(path_ / "LOCK")};
    }
    return {};
}

Result<DataDirectory> DataDirectory::open(fs::path const& path, Access access, bool may_create) {
    bool const exclusive = access == Access::exclusive;
    std::error_code error;
    auto const status = fs::status(path, error);
    if (error && status.type() != fs::file_type::not_found) {
        return std::unexpected{io_error(path, error)};
    }
    bool const is_absent = status.type() == fs::file_type::not_found;
    if (!is_absent && status.type() != fs::file_type::directory) {
        return fail(Errc::malformed, path.string() + ": is not a directory");
    }
    // Looked at before anything is written: what is not ours stays as it is.
    bool has_format = false;
    bool fresh = true;
    if (!is_absent) {
        FLORIN_TRY(has_format, check_format(path));
        FLORIN_TRY(fresh, has_format ? Result<bool>{false} : is_fresh(path));
    }
    if (!has_format && !fresh) {
        return fail(
            Errc::malformed,
            path.string() + ": is not empty and not a data directory (no FORMAT file)"
        );
    }
    if (!has_format && !(exclusive && may_create)) {
        return fail(Errc::not_found, path.string() + ": no data directory there");
    }
    DataDirectory directory{path};
    if (is_absent) {
        FLORIN_TRY_VOID(make_directories(fs::absolute(path, error).lexically_normal()));
    }
    FLORIN_TRY_VOID(directory.lock(access));
    if (exclusive) {
        // Somebody may have created it between the look and the lock.
        FLORIN_TRY(has_format, check_format(path));
        if (!has_format) {
            FLORIN_TRY_VOID(create(path));
        }
        FLORIN_TRY_VOID(directory.write_pid());
    }
    return directory;
}

Result<int> DataDirectory::holder(fs::path const& path) {
    fs::path const lock = path / "LOCK";
    int const file = ::open(lock.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        if (errno == ENOENT) {
            return 0;
        }
        return std::unexpected{io_error(lock)};
    }
    bool const is_held = is_held_for_writing(file);
    ::close(file);
    return is_held ? read_pid(lock) : 0;
}

}  // namespace florin::ledger
