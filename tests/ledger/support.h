// What the storage tests share: temporary folders, results that must be, files, other processes.
#pragma once

#include "tests/ledger/storage.h"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace florin::ledger::test {

// The value of a Result, or a failed test that says why.
template <class T>
T must(Result<T> result) {
    REQUIRE_MESSAGE(result.has_value(), (result ? std::string{} : to_string(result.error())));
    return std::move(*result);
}
inline void must(Result<void> const& result) {
    REQUIRE_MESSAGE(result.has_value(), (result ? std::string{} : to_string(result.error())));
}
template <class T>
Error refused(Result<T> const& result) {
    REQUIRE_FALSE(result.has_value());
    return result.error();
}
inline bool mentions(Error const& error, std::string const& text) {
    return error.context.find(text) != std::string::npos;
}

// A folder that goes with the test.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (fs::temp_directory_path() / "florin-test-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    TemporaryFolder(TemporaryFolder const&) = delete;
    TemporaryFolder& operator=(TemporaryFolder const&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    fs::path const& path() const { return path_; }
    fs::path operator/(char const* name) const { return path_ / name; }

private:
    fs::path path_;
};

inline std::string bytes_of_file(fs::path const& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}
inline void write_file(fs::path const& path, std::string const& bytes) {
    std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
}
// Every file under `root` with its bytes.
inline std::map<std::string, std::string> bytes_of_tree(fs::path const& root) {
    std::map<std::string, std::string> files;
    for (auto const& entry : fs::recursive_directory_iterator{root}) {
        files[entry.path().string()] =
            entry.is_regular_file() ? bytes_of_file(entry.path()) : "directory";
    }
    return files;
}
inline std::vector<fs::path> files_with_extension(
    fs::path const& folder, std::string const& wanted
) {
    std::vector<fs::path> found;
    for (auto const& entry : fs::directory_iterator{folder}) {
        if (entry.path().extension() == wanted) {
            found.push_back(entry.path());
        }
    }
    return found;
}

// Appends `count` records in one group at the head; they must be committed.
inline Position extend(
    Journal& journal, Lease const& lease, std::size_t count, RecordShape const& shape = {}
) {
    Position const head = must(journal.head()).last;
    Group const group = a_group(head, lease.epoch, count, shape);
    Told const told = append(journal, lease, head, group);
    REQUIRE_MESSAGE(told.outcome == AppendOutcome::committed, told.why);
    return group.back()->position;
}

// Reads everything and checks the chain; the number of records.
inline Result<Sequence> check_chain(Journal const& journal) {
    Position previous = genesis_position(journal.ledger_id());
    Epoch epoch = 0;
    auto const check = [&](Journal::StoredRecord const& stored) -> Result<bool> {
        FLORIN_TRY(
            CheckedRecord const checked, check_record(stored, journal.ledger_id(), previous, epoch)
        );
        previous = checked.position;
        epoch = checked.header.epoch;
        return true;
    };
    FLORIN_TRY_VOID(journal.read(1, Journal::Payloads::with, check));
    FLORIN_TRY(Head const head, journal.head());
    if (head.last != previous) {
        return fail(Errc::corrupt, "the head is not where reading ends");
    }
    return previous.sequence;
}

// A crash_child at work. Dies with the test at the latest.
class Child {
public:
    explicit Child(std::vector<std::string> arguments) {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        arguments.insert(arguments.begin(), FLORIN_CRASH_CHILD);
        std::vector<char*> raw;
        for (std::string& argument : arguments) {
            raw.push_back(argument.data());
        }
        raw.push_back(nullptr);
        int const error =
            ::posix_spawn(&pid_, FLORIN_CRASH_CHILD, &actions, nullptr, raw.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
        REQUIRE(error == 0);
        lines_ = ::fdopen(ends[0], "r");
    }
    Child(Child const&) = delete;
    Child& operator=(Child const&) = delete;
    ~Child() {
        kill();
        std::fclose(lines_);
    }
    int pid() const { return pid_; }

    // The next line it tells; nullopt when it has ended.
    std::optional<std::string> line() {
        char buffer[1024];
        if (std::fgets(buffer, sizeof buffer, lines_) == nullptr) {
            return std::nullopt;
        }
        std::string text = buffer;
        text.pop_back();
        return text;
    }
    // SIGKILL, and wait until it is gone.
    void kill() {
        if (!is_gone_) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
            is_gone_ = true;
        }
    }

private:
    pid_t pid_ = -1;
    bool is_gone_ = false;
    std::FILE* lines_ = nullptr;
};

}  // namespace florin::ledger::test
