// `florin attempts …`: what was tried at banks, by which identity, and what is known of it.
// Thread rule: one thread.
#pragma once

#include "tools/florin/output.h"

#include <filesystem>
#include <string>

namespace florin::tools {

// With `unknown_only`, those whose outcome is not final; exit code 1 where there are any.
int attempts_list(std::filesystem::path const& data_dir, bool unknown_only, Format format);
int attempts_show(
    std::filesystem::path const& data_dir, std::string const& attempt_id, Format format
);

}  // namespace florin::tools
