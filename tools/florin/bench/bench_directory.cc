#include "tools/florin/bench/bench_directory.h"

#include <unistd.h>

namespace florin::tools {

namespace fs = std::filesystem;

BenchDirectory::BenchDirectory(std::string const& wanted) : is_kept_{!wanted.empty()} {
    path_ = is_kept_ ? fs::path{wanted}
                     : fs::current_path() / ("florin-bench-" + std::to_string(::getpid()));
}

BenchDirectory::~BenchDirectory() {
    if (!is_kept_) {
        std::error_code error;
        fs::remove_all(path_, error);
    }
}

Result<void> BenchDirectory::create() const {
    std::error_code error;
    fs::create_directories(path_, error);
    if (!error && !fs::is_empty(path_, error) && !error) {
        return fail(Errc::refused, path_.string() + ": is not empty");
    }
    if (error) {
        return fail(Errc::io, path_.string() + ": " + error.message());
    }
    return {};
}

}  // namespace florin::tools
