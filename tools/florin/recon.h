// `florin recon …`: statements of acquirers and banks, and what they say about our books.
// Thread rule: one thread.
#pragma once

#include "tools/florin/admin_client.h"
#include "tools/florin/output.h"

#include <filesystem>

namespace florin::tools {

// Reads the whole file first: a file that is not sound is refused before anything of it is stored.
int recon_import(DaemonOptions const& daemon, std::filesystem::path const& file, Format format);
// Matches what is not matched yet; exit code 1 where breaks are open.
int recon_run(DaemonOptions const& daemon, Format format);
// Differences that nobody has explained; exit code 1 where there are any.
int recon_breaks(DaemonOptions const& daemon, bool all, Format format);

}  // namespace florin::tools
