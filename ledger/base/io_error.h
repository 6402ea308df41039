// Errors of files: the path and the system's own words. Thread rule: pure functions.
#pragma once

#include "ledger/base/result.h"

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace florin {

// Errc::io, "<path>: No space left on device".
inline Error io_error(std::filesystem::path const& path, std::error_code const& error) {
    return {Errc::io, path.string() + ": " + error.message()};
}
// The same for an errno; as it is now, unless told.
inline Error io_error(std::filesystem::path const& path, int error = errno) {
    return io_error(path, std::error_code{error, std::generic_category()});
}

}  // namespace florin
