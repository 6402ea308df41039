// The sandbox: a rail that ends inside the process and answers Stripe's test cards.
//
// Deterministic: the answer depends on the card number alone, so that a test says beforehand what
// happens. Cards that are not in its table are approved. Everything is captured at once where that
// was asked for. Test mode only. Thread rule: any thread.
#pragma once

#include "connectors/connector.h"

#include <memory>

namespace florin::connectors::sandbox {

std::unique_ptr<Connector> make_connector(ConnectorId id);

}  // namespace florin::connectors::sandbox
