// Is every card that the journal speaks of in the vault, undamaged? Needs no key.
//
//   D/vault/vault.sqlite   the grammar stands in daemon/vault/vault.h
//
// Opens a copy where SQLite left a write-ahead log, so that nothing in D changes.
// Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"

#include <cstdint>
#include <filesystem>

namespace florin::tools {

struct VaultReport {
    std::uint64_t cards = 0;    // stored, each with the right checksum
    std::uint64_t methods = 0;  // payment methods of the journal, each with its card
};

struct VaultPlace {
    std::filesystem::path data_dir;  // with the vault
    std::filesystem::path ledger;    // the directory whose journal speaks of cards, not written now
    bool is_live = false;            // a daemon uses the vault meanwhile
};
// Nothing where the directory has no vault and the journal no payment method. Errc::corrupt names
// the place.
Result<VaultReport> check_vault(VaultPlace const& place);

}  // namespace florin::tools
