#include "crypto/signature.h"

#include "ledger/base/check.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace florin::crypto {
namespace {

constexpr std::size_t kKeyFileBytesMax = 64U << 10U;

using KeyPointer = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using BioPointer = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
using ContextPointer = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

BioPointer reading(std::string_view text) {
    return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free_all};
}

unsigned char const* raw(ByteView bytes) {
    return reinterpret_cast<unsigned char const*>(bytes.data());
}

// Without this OpenSSL asks for a password on the terminal.
int no_password(char*, int, int, void*) {
    return 0;
}

// OpenSSL's own texts stay out: they say where in OpenSSL, not what is wrong with the file.
Result<KeyPointer> checked(KeyPointer key, std::string const& name, char const* expected) {
    ERR_clear_error();
    if (!key) {
        return fail(Errc::malformed, name + ": is not " + expected);
    }
    if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) {
        char const* const kind = EVP_PKEY_get0_type_name(key.get());
        return fail(
            Errc::unsupported,
            name + ": is a key of kind " + (kind != nullptr ? kind : "unknown") +
                ", Ed25519 is needed (openssl genpkey -algorithm ed25519)"
        );
    }
    return key;
}

PublicKey public_half(EVP_PKEY const* key) {
    PublicKey half;
    std::size_t length = half.bytes.size();
    FLORIN_CHECK(
        EVP_PKEY_get_raw_public_key(key, half.bytes.data(), &length) == 1 &&
            length == half.bytes.size(),
        "an Ed25519 key has a public half of 32 bytes"
    );
    return half;
}

struct File {
    int handle;
    ~File() {
        if (handle >= 0) {
            ::close(handle);
        }
    }
};

Error cannot_read(std::filesystem::path const& file) {
    return {
        errno == ENOENT ? Errc::not_found : Errc::io, file.string() + ": " + std::strerror(errno)
    };
}

}  // namespace

Result<PublicKey> PublicKey::from_pem(std::string_view text, std::string const& name) {
    BioPointer const bio = reading(text);
    KeyPointer read{PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr), EVP_PKEY_free};
    FLORIN_TRY(KeyPointer const key, checked(std::move(read), name, "a public key in PEM"));
    return public_half(key.get());
}

Result<PublicKey> PublicKey::from_der(ByteView der, std::string const& name) {
    unsigned char const* at = raw(der);
    KeyPointer read{d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())), EVP_PKEY_free};
    FLORIN_TRY(KeyPointer const key, checked(std::move(read), name, "a public key in DER"));
    PublicKey const half = public_half(key.get());
    if (half.der() != der) {
        return fail(Errc::malformed, name + ": is not a public key in DER and nothing else");
    }
    return half;
}

std::string PublicKey::der() const {
    KeyPointer const key{
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes.data(), bytes.size()),
        EVP_PKEY_free
    };
    unsigned char* encoded = nullptr;
    int const length = i2d_PUBKEY(key.get(), &encoded);
    FLORIN_CHECK(length > 0, "an Ed25519 public key has a DER form");
    std::string der{reinterpret_cast<char const*>(encoded), static_cast<std::size_t>(length)};
    OPENSSL_free(encoded);
    return der;
}

struct SigningKey::Key {
    KeyPointer pointer;  // OpenSSL wipes it
};

SigningKey::SigningKey(std::unique_ptr<Key> key) : key_{std::move(key)} {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

Result<SigningKey> SigningKey::load(std::filesystem::path const& file) {
    File const in{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status{};
    if (in.handle < 0 || ::fstat(in.handle, &status) != 0) {
        return std::unexpected{cannot_read(file)};
    }
    if ((status.st_mode & 077U) != 0) {
        return fail(
            Errc::refused, file.string() + ": others may read this key file; make it `chmod 600`"
        );
    }
    std::string bytes(kKeyFileBytesMax, '\0');
    ssize_t const count = ::read(in.handle, bytes.data(), bytes.size());
    if (count < 0) {
        return std::unexpected{cannot_read(file)};
    }
    bytes.resize(static_cast<std::size_t>(count));
    return from_pem(KeyBytes{std::move(bytes)}, file.string());
}

Result<SigningKey> SigningKey::from_pem(KeyBytes const& text, std::string const& name) {
    BioPointer const bio = reading(text.reveal());
    KeyPointer read{
        PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr), EVP_PKEY_free
    };
    FLORIN_TRY(
        KeyPointer key, checked(std::move(read), name, "an unencrypted private key in PEM (PKCS#8)")
    );
    return SigningKey{std::make_unique<Key>(std::move(key))};
}

PublicKey SigningKey::public_key() const {
    return public_half(key_->pointer.get());
}

Result<Signature> SigningKey::sign(ByteView message) const {
    ContextPointer const context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
    Signature signature{};
    std::size_t length = signature.size();
    bool const signed_it =
        context &&
        EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_->pointer.get()) == 1 &&
        EVP_DigestSign(context.get(), signature.data(), &length, raw(message), message.size()) ==
            1 &&
        length == signature.size();
    if (!signed_it) {
        ERR_clear_error();
        return fail(Errc::io, "signing: OpenSSL failed");
    }
    return signature;
}

bool is_signature_of(PublicKey const& key, ByteView message, Signature const& signature) {
    KeyPointer const pointer{
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.bytes.data(), key.bytes.size()),
        EVP_PKEY_free
    };
    ContextPointer const context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
    bool const agrees =
        pointer && context &&
        EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pointer.get()) == 1 &&
        EVP_DigestVerify(
            context.get(), signature.data(), signature.size(), raw(message), message.size()
        ) == 1;
    ERR_clear_error();
    return agrees;
}

}  // namespace florin::crypto
