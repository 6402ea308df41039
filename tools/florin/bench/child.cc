#include "tools/florin/bench/child.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

extern char** environ;

namespace florin::tools {
namespace {

namespace fs = std::filesystem;

Error system_error(std::string const& doing, int reason) {
    return {Errc::io, doing + ": " + std::generic_category().message(reason)};
}

// `built_in`: the folder it is built in, from where this program is.
Result<fs::path> our_program(char const* name, fs::path const& built_in) {
    fs::path const here = own_program().parent_path();
    for (fs::path const& place :
         {here / name, here / built_in / name, fs::path{"/usr/bin"} / name}) {
        std::error_code error;
        if (fs::is_regular_file(place, error)) {
            return place;
        }
    }
    return fail(
        Errc::not_found,
        std::string{name} + " is neither beside " + own_program().string() + " nor in /usr/bin"
    );
}

}  // namespace

Child::~Child() {
    kill();
    if (output_ >= 0) {
        ::close(output_);
    }
}

Result<void> Child::start(
    fs::path const& program, std::vector<std::string> const& words, fs::path const& log
) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return std::unexpected{system_error("pipe", errno)};
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (!log.empty()) {
        constexpr mode_t kMode = 0600;
        ::posix_spawn_file_actions_addopen(
            &actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, kMode
        );
    }
    std::vector<std::string> all{program.string()};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& word : all) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    int const failed =
        ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ends[0];
    if (failed != 0) {
        pid_ = -1;
        return std::unexpected{system_error(program.string() + ": cannot start", failed)};
    }
    return {};
}

Result<std::string> Child::line() {
    for (;;) {
        if (auto const end = read_.find('\n'); end != std::string::npos) {
            std::string line = read_.substr(0, end);
            read_.erase(0, end + 1);
            return line;
        }
        char bytes[4096];
        ssize_t const count = ::read(output_, bytes, sizeof bytes);
        if (count == 0) {
            return fail(Errc::closed, "the process has ended");
        }
        if (count < 0 && errno != EINTR) {
            return std::unexpected{system_error("reading a process", errno)};
        }
        if (count > 0) {
            read_.append(bytes, static_cast<std::size_t>(count));
        }
    }
}

void Child::kill() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
}

Result<void> Child::stop() {
    if (pid_ <= 0) {
        return {};
    }
    ::kill(pid_, SIGTERM);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return fail(Errc::refused, "the process ended with status " + std::to_string(status));
    }
    return {};
}

fs::path own_program() {
    std::error_code error;
    return fs::read_symlink("/proc/self/exe", error);
}

Result<fs::path> florind_program() {
    return our_program("florind", fs::path{".."} / "daemon");
}

Result<fs::path> banksim_program() {
    return our_program("florin-banksim", "banksim");
}

}  // namespace florin::tools
