// Message authentication codes of bank links, and the keys that travel between banks.
//
//   aes_cmac   CMAC with AES-128, -192 or -256 (NIST SP 800-38B): 16 bytes
//   tdes_cmac  CMAC with two- or three-key Triple DES (NIST SP 800-38B): 8 bytes
//   x919       retail MAC, ANSI X9.19 = ISO/IEC 9797-1 algorithm 3 with padding method 1 (zeros,
//   none
//              where the blocks are full), two-key: DES in CBC mode under the first half, the last
//              block decrypted under the second half and encrypted under the first again: 8 bytes
// Triple DES is here because banks ask for it; new links take AES. Parity bits of DES keys count
// for nothing. Compare with equal_constant_time (hmac.h). Thread rule: pure functions.
#pragma once

#include "ledger/base/bytes.h"
#include "ledger/base/result.h"
#include "ledger/base/secret.h"

#include <optional>
#include <string>
#include <string_view>

namespace florin::crypto {

enum class MacAlgorithm { aes_cmac, tdes_cmac, x919 };

std::string_view mac_algorithm_name(MacAlgorithm algorithm);  // "aes-cmac", "tdes-cmac", "x9.19"
std::optional<MacAlgorithm> mac_algorithm_of(std::string_view name);

// Errc::malformed for a key of a wrong length (AES 16, 24 or 32 bytes; Triple DES 16 or 24; X9.19
// 16), Errc::refused for a Triple DES key that is single DES because neighbouring parts are alike.
Result<void> check_mac_key(MacAlgorithm algorithm, KeyBytes const& key);

// Errc::malformed for a key of a wrong length.
Result<std::string> mac_of(MacAlgorithm algorithm, KeyBytes const& key, ByteView message);

// A key encrypted under another one, in the form that goes with the algorithm:
//   aes_cmac         AES key wrap (RFC 3394, NIST SP 800-38F): 8 bytes longer than the key
//   tdes_cmac, x919  Triple DES in ECB mode (two- or three-key), then the key check value: the
//   first 3
//                    bytes of 8 zero bytes encrypted under the wrapped key. A key check value finds
//                    errors and not forgeries.
// Errc::malformed for keys of a wrong length.
Result<std::string> wrap_key(
    MacAlgorithm algorithm, KeyBytes const& key_encryption_key, KeyBytes const& key
);
// Errc::corrupt for a block that was not made under this key or is damaged, and as check_mac_key.
Result<KeyBytes> unwrap_key(
    MacAlgorithm algorithm, KeyBytes const& key_encryption_key, ByteView block
);

// A key in a file: hexadecimal digits on one line, with or without a newline at its end.
// Errc::refused for a file that others than its owner may read, Errc::malformed, Errc::not_found.
Result<KeyBytes> load_hex_key(std::string const& file);

}  // namespace florin::crypto
