// `florin settle …`: pays out what merchants have earned, through a running daemon.
// Thread rule: one thread.
#pragma once

#include "tools/florin/admin_client.h"
#include "tools/florin/output.h"

namespace florin::tools {

// Finishes the batch that is under way, or makes a new one, and hands its payout file over.
int settle_run(DaemonOptions const& daemon, Format format);
// The batches, newest first.
int settle_status(DaemonOptions const& daemon, Format format);
// One batch with its payouts.
int settle_show(DaemonOptions const& daemon, std::string const& batch, Format format);

}  // namespace florin::tools
