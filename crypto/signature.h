// Ed25519 signatures (RFC 8032), keys as `openssl genpkey -algorithm ed25519` writes them.
//
// The private half lives in a SigningKey: it cannot be copied or printed and is wiped.
// Thread rule: values; signing and verifying may be done from any thread.
#pragma once

#include "ledger/base/bytes.h"
#include "ledger/base/result.h"
#include "ledger/base/secret.h"

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace florin::crypto {

using Signature = std::array<unsigned char, 64>;  // RFC 8032 section 5.1.6: R and S

struct PublicKey {
    std::array<unsigned char, 32> bytes{};
    friend bool operator==(PublicKey const&, PublicKey const&) = default;

    // PEM text of a SubjectPublicKeyInfo. Errc::malformed names `name`, Errc::unsupported a key of
    // another kind.
    static Result<PublicKey> from_pem(std::string_view text, std::string const& name);
    // SubjectPublicKeyInfo in DER (RFC 8410): what is between the lines of the PEM form, in base64.
    static Result<PublicKey> from_der(ByteView der, std::string const& name);
    std::string der() const;
};

class SigningKey {
public:
    // Reads an unencrypted PKCS#8 PEM file. Errc::refused where others than its owner may read it,
    // Errc::unsupported for a key of another kind, Errc::malformed for anything else in it,
    // Errc::not_found or Errc::io where it cannot be read. Nothing of the file is in the text.
    static Result<SigningKey> load(std::filesystem::path const& file);
    // The file's text; for load and tests.
    static Result<SigningKey> from_pem(KeyBytes const& text, std::string const& name);

    SigningKey(SigningKey&&) noexcept;
    SigningKey& operator=(SigningKey&&) noexcept;
    ~SigningKey();

    PublicKey public_key() const;
    Result<Signature> sign(ByteView message) const;

private:
    struct Key;
    explicit SigningKey(std::unique_ptr<Key> key);
    std::unique_ptr<Key> key_;
};

// Whether the owner of `key` signed exactly this message.
bool is_signature_of(PublicKey const& key, ByteView message, Signature const& signature);

}  // namespace florin::crypto
