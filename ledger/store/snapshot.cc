#include "ledger/store/snapshot.h"

#include "ledger/base/io_error.h"
#include "ledger/store/data_dir.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace florin::ledger {
namespace {

namespace fs = std::filesystem;

// A store under full load changes its files every quarter of a second; a picture takes a few
// milliseconds.
constexpr int kAttempts = 50;
// Names of pictures: this and the pid of the process that took it.
std::string const kPicture = "picture-";

// What names a store's files, as it is at one moment.
struct Manifest {
    std::string name;
    std::uintmax_t bytes = 0;
    friend bool operator==(Manifest const&, Manifest const&) = default;
};

Result<Manifest> manifest_of(fs::path const& store) {
    std::ifstream current{store / "CURRENT"};
    Manifest manifest;
    std::getline(current, manifest.name);
    std::error_code error;
    manifest.bytes = fs::file_size(store / manifest.name, error);
    if (!current || error) {
        return fail(Errc::corrupt, store.string() + ": CURRENT names no manifest");
    }
    return manifest;
}

// The first `bytes` of a file that grows.
Result<void> copy_start(fs::path const& from, fs::path const& to, std::uintmax_t bytes) {
    std::ifstream in{from, std::ios::binary};
    std::ofstream out{to, std::ios::binary};
    std::vector<char> buffer(1U << 20U);
    while (bytes > 0 && in && out) {
        auto const wanted =
            static_cast<std::streamsize>(std::min<std::uintmax_t>(bytes, buffer.size()));
        in.read(buffer.data(), wanted);
        out.write(buffer.data(), in.gcount());
        bytes -= static_cast<std::uintmax_t>(in.gcount());
    }
    out.close();
    if (bytes > 0 || !out) {
        return fail(Errc::io, to.string() + ": cannot copy " + from.string());
    }
    return {};
}

// False: the store changed its files meanwhile.
Result<bool> picture_store(fs::path const& from, fs::path const& to) {
    FLORIN_TRY(Manifest const before, manifest_of(from));
    std::error_code error;
    fs::create_directories(to, error);
    FLORIN_TRY_VOID(copy_start(from / before.name, to / before.name, before.bytes));
    std::vector<std::string> logs;
    for (auto const& entry : fs::directory_iterator{from, error}) {
        std::string const name = entry.path().filename().string();
        if (name.ends_with(".sst")) {
            std::error_code gone;
            fs::create_hard_link(entry.path(), to / name, gone);
        } else if (name.ends_with(".log")) {
            logs.push_back(name);
        }
    }
    if (error) {
        return std::unexpected{io_error(from, error)};
    }
    // Older ones are whole by now; the newest may end in the middle of a write.
    std::ranges::sort(logs);
    for (std::string const& name : logs) {
        auto const bytes = fs::file_size(from / name, error);
        if (error || !copy_start(from / name, to / name, bytes)) {
            return false;
        }
    }
    std::ofstream{to / "CURRENT"} << before.name << '\n';
    auto const after = manifest_of(from);
    return after && *after == before;
}

Result<bool> picture(fs::path const& data_dir, fs::path const& to) {
    std::error_code error;
    fs::create_directories(to / "ledger", error);
    // The witness before the journal, which may only be ahead of it.
    fs::copy_file(data_dir / "ledger" / "HEAD", to / "ledger" / "HEAD", error);
    if (!error) {
        fs::copy_file(data_dir / "FORMAT", to / "FORMAT", error);
    }
    if (error) {
        return std::unexpected{io_error(data_dir, error)};
    }
    FLORIN_TRY(
        bool const has_views, picture_store(data_dir / "ledger" / "state", to / "ledger" / "state")
    );
    if (!has_views) {
        return false;
    }
    return picture_store(data_dir / "ledger" / "log", to / "ledger" / "log");
}

// Pictures of processes that are gone.
void remove_abandoned(fs::path const& data_dir) {
    std::error_code error;
    for (auto const& entry : fs::directory_iterator{data_dir, error}) {
        std::string const name = entry.path().filename().string();
        int pid = 0;
        if (name.starts_with(kPicture)) {
            std::from_chars(name.data() + kPicture.size(), name.data() + name.size(), pid);
        }
        if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) {
            std::error_code ignored;
            fs::remove_all(entry.path(), ignored);
        }
    }
}

}  // namespace

Result<ReadableDirectory> ReadableDirectory::of(fs::path const& data_dir) {
    ReadableDirectory readable;
    readable.path_ = data_dir;
    auto const quiet = DataDirectory::open(data_dir, DataDirectory::Access::read_only, false);
    if (quiet) {
        return readable;
    }
    if (quiet.error().code != Errc::already_held) {
        return std::unexpected{quiet.error()};
    }
    FLORIN_TRY(readable.writer_, DataDirectory::holder(data_dir));
    remove_abandoned(data_dir);
    fs::path const place = data_dir / (kPicture + std::to_string(::getpid()));
    if (::mkdir(place.c_str(), 0700) != 0) {
        return std::unexpected{io_error(place, {errno, std::generic_category()})};
    }
    readable.path_ = place;
    readable.is_picture_ = true;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        std::error_code error;
        fs::remove_all(readable.path_ / "ledger", error);
        fs::remove(readable.path_ / "FORMAT", error);
        FLORIN_TRY(bool const is_done, picture(data_dir, readable.path_));
        if (is_done) {
            return readable;
        }
    }
    return fail(
        Errc::io,
        data_dir.string() + ": its files change faster than a picture of them can be taken"
    );
}

ReadableDirectory::ReadableDirectory(ReadableDirectory&& other) noexcept
    : path_{std::exchange(other.path_, {})},
      writer_{other.writer_},
      is_picture_{std::exchange(other.is_picture_, false)} {}

ReadableDirectory& ReadableDirectory::operator=(ReadableDirectory&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(writer_, other.writer_);
    std::swap(is_picture_, other.is_picture_);
    return *this;
}

ReadableDirectory::~ReadableDirectory() {
    if (is_picture_) {
        std::error_code error;
        fs::remove_all(path_, error);
    }
}

}  // namespace florin::ledger
