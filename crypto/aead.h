// AES-256-GCM (NIST SP 800-38D) with a random nonce, and the ring of keys it uses.
//
//   sealed := version u8 (1), key id u32 little-endian, nonce 12, ciphertext, tag 16
//
// The associated data binds a ciphertext to its place: moved elsewhere, it does not open.
// Thread rule: values; seal and open may be called from any thread.
#pragma once

#include "crypto/random.h"
#include "ledger/base/bytes.h"
#include "ledger/base/result.h"
#include "ledger/base/secret.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace florin::crypto {

// The number of the key that sealed; 0: not sealed bytes.
std::uint32_t key_id_of(ByteView sealed);

// Keys by number. The highest number seals; every key opens what it sealed.
//
//   file := ("#" comment | key id, blank, 64 hexadecimal digits)*     one a line
class KeyRing {
public:
    // Errc::refused for a file that others can read (mode wider than 0600), Errc::malformed naming
    // the line, Errc::not_found.
    static Result<KeyRing> load(std::filesystem::path const& file);
    // Makes a file with one new key, mode 0600, never over an existing one; durable on return.
    static Result<KeyRing> create(std::filesystem::path const& file, Random& random);
    // The file's text; for load, tests and fuzzing.
    static Result<KeyRing> parse(std::string_view text, std::string const& name);

    std::string seal(ByteView plain, ByteView associated, Random& random) const;
    // Errc::not_found for a key that is not in the ring, Errc::corrupt for anything else: damaged,
    // moved, or not sealed by us. Never answers part of a plaintext.
    Result<std::string> open(ByteView sealed, ByteView associated) const;

    // A key for another purpose (a fingerprint, an API key's hash), derived from the lowest key.
    KeyBytes derive(std::string_view purpose) const;

private:
    std::map<std::uint32_t, KeyBytes> keys_;
};

}  // namespace florin::crypto
