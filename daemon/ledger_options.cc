#include "daemon/ledger_options.h"

namespace florin {

ledger::LedgerOptions ledger_options(config::Ledger const& settings) {
    ledger::LedgerOptions options;
    options.queue_requests_max = static_cast<std::size_t>(settings.queue_requests_max);
    options.cache_bytes = static_cast<std::size_t>(settings.cache_bytes);
    options.run_transfers = static_cast<std::uint64_t>(settings.run_transfers);
    options.memory.accounts_max = static_cast<std::size_t>(settings.accounts_max);
    options.memory.transfers_max = static_cast<std::size_t>(settings.recent_transfers_max);
    options.memory.id_filter_bytes_max = static_cast<std::size_t>(settings.id_filter_bytes_max);
    return options;
}

}  // namespace florin
