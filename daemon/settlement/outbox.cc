#include "daemon/settlement/outbox.h"

#include "ledger/base/failpoint.h"
#include "ledger/store/data_dir.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace florin::settlement {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> system_error(fs::path const& path) {
    return fail(Errc::io, path.string() + ": " + std::strerror(errno));
}

// Closes itself.
class File {
public:
    explicit File(int descriptor) : descriptor_{descriptor} {}
    File(File const&) = delete;
    File& operator=(File const&) = delete;
    ~File() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }
    int get() const { return descriptor_; }

private:
    int descriptor_;
};

}  // namespace

Result<void> Outbox::write(std::string const& name, std::string_view bytes) const {
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error) {
        return fail(Errc::io, folder_.string() + ": " + error.message());
    }
    fs::path const path = private_path(name);
    constexpr mode_t kOwnerOnly = 0600;
    File const file{
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly)
    };
    if (file.get() < 0) {
        return system_error(path);
    }
    FLORIN_FAILPOINT_AFTER(
        "settlement",
        "file_half_written",
        static_cast<void>(::write(file.get(), bytes.data(), bytes.size() / 2) > 0)
    );
    while (!bytes.empty()) {
        ssize_t const written = ::write(file.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return system_error(path);
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(file.get()) != 0) {
        return system_error(path);
    }
    return ledger::sync_directory(folder_);
}

Result<void> Outbox::hand_over(std::string const& name) const {
    fs::path const from = private_path(name);
    fs::path const to = path_of(name);
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
        if (errno == ENOENT) {
            return fail(Errc::not_found, from.string() + ": is gone");
        }
        if (errno == EEXIST) {
            return fail(Errc::conflict, to.string() + ": is there already and is not replaced");
        }
        return system_error(to);
    }
    FLORIN_FAILPOINT("settlement", "renamed");
    return ledger::sync_directory(folder_);
}

Outbox::State Outbox::state_of(std::string const& name, std::string const& boot_id_then) const {
    std::error_code ignored;
    bool const is_private = fs::exists(private_path(name), ignored);
    bool const is_final = fs::exists(path_of(name), ignored);
    if (is_final) {
        return State::submitted;
    }
    if (boot_id_then != boot_id_ || boot_id_.empty()) {
        return State::unknown;
    }
    return is_private ? State::not_submitted : State::submitted;
}

std::string kernel_boot_id() {
    std::ifstream in{"/proc/sys/kernel/random/boot_id"};
    std::string id;
    std::getline(in, id);
    return id;
}

}  // namespace florin::settlement
