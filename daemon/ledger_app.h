// florind in mode ledger: a kernel's books for other programs, and nothing of the payment switch.
//
// A data directory is of one kind for life. What this opens was made by it or by `florin ledger
// exec`; the books of a switch are refused here, as these are refused there, so that no client of a
// ledger can ever post into the books behind payments. Thread rule: one thread, the main one.
#pragma once

#include "daemon/config/config.h"

#include <functional>
#include <memory>
#include <string>

namespace florin {

class LedgerApp {
public:
    // `on_failure` is called, on any thread, when the ledger failed and the process must end.
    static std::unique_ptr<LedgerApp> make(std::function<void()> on_failure);

    LedgerApp() = default;
    LedgerApp(LedgerApp const&) = delete;
    LedgerApp& operator=(LedgerApp const&) = delete;
    virtual ~LedgerApp() = default;

    // The data directory, then the listeners.
    virtual Result<void> start(config::Config const& config) = 0;
    // Idempotent; also after a start that failed.
    virtual void close() = 0;

    // "127.0.0.1:7100"; empty: no TLS port.
    virtual std::string address() const = 0;
    // Of /metrics and /healthz; empty: not configured.
    virtual std::string admin_url() const = 0;
};

}  // namespace florin
