#include "ledger/store/data_dir.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace florin::ledger {
namespace {

namespace fs = std::filesystem;

constexpr char const* kFormatStart = "florin data directory, format ";

Error io_error(fs::path const& path) {
    return {Errc::io, path.string() + ": " + std::strerror(errno)};
}

Result<void> write_file_synced(fs::path const& path, std::string const& content) {
    int const file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        return std::unexpected{io_error(path)};
    }
    bool const written =
        ::write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
        ::fsync(file) == 0;
    Error const error = io_error(path);
    ::close(file);
    if (!written) {
        return std::unexpected{error};
    }
    return {};
}

Result<void> check_format(fs::path const& path) {
    fs::path const file = path / "FORMAT";
    std::ifstream in{file};
    std::string line;
    std::getline(in, line);
    std::string const expected = kFormatStart + std::to_string(kDataFormat);
    if (line == expected) {
        return {};
    }
    if (line.starts_with(kFormatStart)) {
        return fail(
            Errc::unsupported,
            file.string() + ": '" + line + "'; this version of florin reads format " +
                std::to_string(kDataFormat)
        );
    }
    return fail(Errc::malformed, file.string() + ": is not '" + expected + "'");
}

Result<void> create(fs::path const& path) {
    std::error_code error;
    fs::create_directories(path / "ledger", error);
    if (error) {
        return fail(Errc::io, path.string() + ": " + error.message());
    }
    fs::permissions(path, fs::perms::owner_all, error);
    std::string const content = kFormatStart + std::to_string(kDataFormat) + "\n";
    FLORIN_TRY_VOID(write_file_synced(path / "FORMAT", content));
    FLORIN_TRY_VOID(sync_directory(path / "ledger"));
    FLORIN_TRY_VOID(sync_directory(path));
    fs::path const parent = fs::absolute(path).lexically_normal().parent_path();
    return sync_directory(parent.empty() ? fs::path{"/"} : parent);
}

int read_pid(fs::path const& lock) {
    std::ifstream in{lock};
    int pid = 0;
    in >> pid;
    return pid;
}

// Only what a crash between creating the directory and writing FORMAT may have left.
bool is_fresh(fs::path const& path) {
    std::error_code error;
    for (auto const& entry : fs::directory_iterator{path, error}) {
        auto const name = entry.path().filename();
        bool const ours = name == "LOCK" || (name == "ledger" && fs::is_empty(entry.path(), error));
        if (!ours) {
            return false;
        }
    }
    return !error;
}

}  // namespace

Result<void> sync_directory(fs::path const& path) {
    int const directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return std::unexpected{io_error(path)};
    }
    bool const synced = ::fsync(directory) == 0;
    Error const error = io_error(path);
    ::close(directory);
    if (!synced) {
        return std::unexpected{error};
    }
    return {};
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_{std::move(other.path_)}, lock_{std::exchange(other.lock_, -1)} {}

DataDirectory& DataDirectory::operator=(DataDirectory&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    return *this;
}

DataDirectory::~DataDirectory() {
    if (lock_ >= 0) {
        ::close(lock_);  // closing releases the lock
    }
}

Result<DataDirectory> DataDirectory::open(fs::path const& path, Access access, bool may_create) {
    std::error_code error;
    bool const is_absent = !fs::exists(path, error);
    if (is_absent && (!may_create || access == Access::read_only)) {
        return fail(Errc::not_found, path.string() + ": no such data directory");
    }
    DataDirectory directory{path};
    if (access == Access::exclusive) {
        fs::create_directories(path, error);
        if (error) {
            return fail(Errc::io, path.string() + ": " + error.message());
        }
        fs::path const lock = path / "LOCK";
        bool const has_format = fs::exists(path / "FORMAT", error);
        if (!has_format && !is_fresh(path)) {
            return fail(
                Errc::malformed,
                path.string() + ": is not empty and not a data directory (no FORMAT file)"
            );
        }
        directory.lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (directory.lock_ < 0) {
            return std::unexpected{io_error(lock)};
        }
        if (::flock(directory.lock_, LOCK_EX | LOCK_NB) != 0) {
            return fail(
                Errc::already_held,
                path.string() + ": in use by process " + std::to_string(read_pid(lock))
            );
        }
        if (!has_format) {
            if (!may_create) {
                return fail(Errc::not_found, path.string() + ": no data directory there");
            }
            FLORIN_TRY_VOID(create(path));
        }
        std::string const pid = std::to_string(::getpid()) + "\n";
        if (::ftruncate(directory.lock_, 0) != 0 ||
            ::pwrite(directory.lock_, pid.data(), pid.size(), 0) !=
                static_cast<ssize_t>(pid.size())) {
            return std::unexpected{io_error(lock)};
        }
    }
    FLORIN_TRY_VOID(check_format(path));
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
    bool const is_free = ::flock(file, LOCK_SH | LOCK_NB) == 0;
    ::close(file);
    return is_free ? 0 : read_pid(lock);
}

}  // namespace florin::ledger
