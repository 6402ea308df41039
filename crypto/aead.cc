#include "crypto/aead.h"

#include "crypto/hmac.h"
#include "ledger/base/check.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace florin::crypto {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHeadBytes = 5;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kFileBytesMax = 64 * 1024;

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

unsigned char const* raw(ByteView bytes) {
    return reinterpret_cast<unsigned char const*>(bytes.data());
}

Error io_error(std::filesystem::path const& file) {
    Errc const code = errno == ENOENT ? Errc::not_found : Errc::io;
    return {code, file.string() + ": " + std::strerror(errno)};
}

// A file descriptor that closes itself.
struct File {
    int handle;
    ~File() {
        if (handle >= 0) {
            ::close(handle);
        }
    }
};

}  // namespace

std::uint32_t key_id_of(ByteView sealed) {
    if (sealed.size() < kHeadBytes) {
        return 0;
    }
    return ByteReader(sealed.substr(1), "sealed bytes").little<std::uint32_t>().value_or(0);
}

Result<KeyRing> KeyRing::parse(std::string_view text, std::string const& name) {
    KeyRing ring;
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        auto const end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.empty() || line.starts_with('#')) {
            continue;
        }
        auto const bad = [&](char const* what) {
            return fail(Errc::malformed, name + ", line " + std::to_string(number) + ": " + what);
        };
        auto const blank = line.find(' ');
        auto const id = parse_u128(line.substr(0, blank));
        if (blank == std::string_view::npos || !id || *id == 0 || *id > 0xffffffff) {
            return bad("expected a key id from 1 on, a blank, and 64 hexadecimal digits");
        }
        auto key = from_hex(line.substr(blank + 1));
        if (!key || key->size() != kKeyBytes) {
            return bad("a key is 64 hexadecimal digits");
        }
        if (!ring.keys_.emplace(static_cast<std::uint32_t>(*id), KeyBytes{std::move(*key)})
                 .second) {
            return bad("this key id is there already");
        }
    }
    if (ring.keys_.empty()) {
        return fail(Errc::malformed, name + ": holds no key");
    }
    return ring;
}

Result<KeyRing> KeyRing::load(std::filesystem::path const& file) {
    File const in{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status{};
    if (in.handle < 0 || ::fstat(in.handle, &status) != 0) {
        return std::unexpected{io_error(file)};
    }
    if ((status.st_mode & 077U) != 0) {
        return fail(
            Errc::refused, file.string() + ": others may read this key file; make it `chmod 600`"
        );
    }
    KeyBytes text;
    {
        std::string bytes(kFileBytesMax, '\0');
        ssize_t const count = ::read(in.handle, bytes.data(), bytes.size());
        if (count < 0) {
            return std::unexpected{io_error(file)};
        }
        bytes.resize(static_cast<std::size_t>(count));
        text = KeyBytes{std::move(bytes)};
    }
    return parse(text.reveal(), file.string());
}

Result<KeyRing> KeyRing::create(std::filesystem::path const& file, Random& random) {
    auto key = random_bytes<kKeyBytes>(random);
    std::string const line =
        "# Keys of the vault: without this file the card numbers cannot be read.\n1 " +
        to_hex(view(key)) + "\n";
    explicit_bzero(key.data(), key.size());
    std::string const temporary = file.string() + ".new";
    {
        File const out{
            ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR)
        };
        if (out.handle < 0 ||
            ::write(out.handle, line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
            ::fsync(out.handle) != 0) {
            return std::unexpected{io_error(temporary)};
        }
    }
    // link() refuses an existing target, rename() would replace it.
    bool const linked = ::link(temporary.c_str(), file.c_str()) == 0;
    Error const error = io_error(file);
    ::unlink(temporary.c_str());
    if (!linked) {
        return std::unexpected{error};
    }
    auto const folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path{"."};
    File const directory{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (directory.handle < 0 || ::fsync(directory.handle) != 0) {
        return std::unexpected{io_error(folder)};
    }
    return load(file);
}

std::string KeyRing::seal(ByteView plain, ByteView associated, Random& random) const {
    auto const& [id, key] = *keys_.rbegin();
    auto const nonce = random_bytes<kNonceBytes>(random);
    std::string sealed;
    ByteWriter out{sealed};
    out.little(kVersion);
    out.little(id);
    out.raw(view(nonce));
    std::size_t const body = sealed.size();
    sealed.resize(body + plain.size() + kTagBytes);
    auto* const cipher = reinterpret_cast<unsigned char*>(sealed.data()) + body;

    CipherContext const context{EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free};
    int length = 0;
    int rest = 0;
    bool const done =
        context != nullptr &&
        EVP_EncryptInit_ex(
            context.get(), EVP_aes_256_gcm(), nullptr, raw(key.reveal()), nonce.data()
        ) == 1 &&
        EVP_EncryptUpdate(
            context.get(), nullptr, &length, raw(associated), static_cast<int>(associated.size())
        ) == 1 &&
        EVP_EncryptUpdate(
            context.get(), cipher, &length, raw(plain), static_cast<int>(plain.size())
        ) == 1 &&
        EVP_EncryptFinal_ex(context.get(), cipher + length, &rest) == 1 &&
        EVP_CIPHER_CTX_ctrl(
            context.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(kTagBytes), cipher + plain.size()
        ) == 1;
    FLORIN_CHECK(done, "AES-256-GCM works");
    return sealed;
}

Result<std::string> KeyRing::open(ByteView sealed, ByteView associated) const {
    if (sealed.size() < kHeadBytes + kNonceBytes + kTagBytes ||
        static_cast<unsigned char>(sealed[0]) != kVersion) {
        return fail(Errc::corrupt, "sealed bytes: too short or of another version");
    }
    auto const id = *ByteReader(sealed.substr(1), "sealed bytes").little<std::uint32_t>();
    auto const key = keys_.find(id);
    if (key == keys_.end()) {
        return fail(
            Errc::not_found, "sealed bytes: key " + std::to_string(id) + " is not in the ring"
        );
    }
    ByteView const nonce = sealed.substr(kHeadBytes, kNonceBytes);
    ByteView const cipher = sealed.substr(
        kHeadBytes + kNonceBytes, sealed.size() - kHeadBytes - kNonceBytes - kTagBytes
    );
    std::string tag{sealed.substr(sealed.size() - kTagBytes)};
    std::string plain(cipher.size(), '\0');
    auto* const out = reinterpret_cast<unsigned char*>(plain.data());

    CipherContext const context{EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free};
    int length = 0;
    bool const opened =
        context != nullptr &&
        EVP_DecryptInit_ex(
            context.get(), EVP_aes_256_gcm(), nullptr, raw(key->second.reveal()), raw(nonce)
        ) == 1 &&
        EVP_DecryptUpdate(
            context.get(), nullptr, &length, raw(associated), static_cast<int>(associated.size())
        ) == 1 &&
        EVP_DecryptUpdate(
            context.get(), out, &length, raw(cipher), static_cast<int>(cipher.size())
        ) == 1 &&
        EVP_CIPHER_CTX_ctrl(
            context.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(kTagBytes), tag.data()
        ) == 1 &&
        EVP_DecryptFinal_ex(context.get(), out + length, &length) == 1;
    if (!opened) {
        explicit_bzero(plain.data(), plain.size());
        return fail(Errc::corrupt, "sealed bytes: damaged, or not from this place");
    }
    return plain;
}

KeyBytes KeyRing::derive(std::string_view purpose) const {
    Digest const derived =
        hmac_sha256(keys_.begin()->second, "florin key for " + std::string{purpose});
    return KeyBytes{view(derived)};
}

}  // namespace florin::crypto
