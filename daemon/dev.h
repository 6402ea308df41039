// What `florind --dev` makes in its data directory: a CA and a certificate, the vault's key, a
// merchant with test keys. Everything is made once and found again on a restart.
//
//   D/tls/ca.pem, D/tls/server.pem, D/tls/server.key   development certificate for loopback
//   D/vault.key                                        keys of the vault, mode 0600
//   D/dev.json                                         keys of the dev merchant, port, bank; 0600
//
// Thread rule: at the start.
#pragma once

#include "crypto/aead.h"
#include "daemon/api/keys.h"
#include "daemon/config/config.h"

#include <filesystem>
#include <optional>
#include <string>

namespace florin {

struct DevFiles {
    std::string certificate_pem;
    KeyBytes key_pem;
    std::filesystem::path ca;
};
// Makes what is missing; a certificate that ends within a month is made anew by the same CA.
Result<DevFiles> ensure_dev_tls(std::filesystem::path const& data_dir, Clock const& clock);

Result<crypto::KeyRing> ensure_key_file(std::filesystem::path const& file, crypto::Random& random);

// D/dev.json.
struct DevState {
    std::string merchant, secret_key, publishable_key, admin_key;
    std::string second_admin_key;  // another person's
    std::uint16_t port = 0;
    std::string iso8583;
};
Result<std::optional<DevState>> load_dev_state(std::filesystem::path const& data_dir);
Result<void> save_dev_state(std::filesystem::path const& data_dir, DevState const& state);

// Replaces a file whole: temporary file, sync, rename, sync of the folder.
Result<void> replace_file(
    std::filesystem::path const& file, std::string_view content, unsigned mode
);

}  // namespace florin
