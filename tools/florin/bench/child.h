// A process of our own, and its end. Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace florin::tools {

class Child {
public:
    Child() = default;
    Child(Child const&) = delete;
    Child& operator=(Child const&) = delete;
    ~Child();  // kills

    // Its standard output is ours to read; what it says on standard error goes to `log`, or where
    // ours goes.
    Result<void> start(
        std::filesystem::path const& program,
        std::vector<std::string> const& words,
        std::filesystem::path const& log = {}
    );
    // The next line of its output; Errc::closed where it has ended.
    Result<std::string> line();
    pid_t pid() const { return pid_; }
    // With a signal that it cannot refuse; waits until it is gone.
    void kill();
    // Asks it to stop, and waits; Errc::refused where it ended with an error.
    Result<void> stop();

private:
    pid_t pid_ = -1;
    int output_ = -1;
    std::string read_;
};

// This program's own file, and others of ours: beside it, where they were built, or where they are
// installed.
std::filesystem::path own_program();
Result<std::filesystem::path> florind_program();
Result<std::filesystem::path> banksim_program();

}  // namespace florin::tools
