// The two ways to a server; what is behind Client::connect.
#pragma once

#include "tools/ledger_client/ledger_client.h"

namespace florin::ledger_client {

Result<std::unique_ptr<Client>> open_connection(ClientOptions const& options);

}  // namespace florin::ledger_client
