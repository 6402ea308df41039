// A bank as the configuration describes it: its ISO 8583 links, and before them what keeps a sick
// bank from making everybody wait.
#pragma once

#include "connectors/connector.h"
#include "daemon/config/config.h"
#include "ledger/base/clock.h"
#include "ledger/base/result.h"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace florin {

// `home` is one thread's executor; sink and clock outlive the connector. Errors: those of the
// packaging and of the key's file, by name.
Result<std::unique_ptr<connectors::Connector>> make_bank(
    config::Connector const& wanted,
    boost::asio::any_io_executor const& home,
    connectors::EvidenceSink& sink,
    Clock const& clock
);

}  // namespace florin
