#include "crypto/mac.h"

#include "crypto/hmac.h"
#include "ledger/base/check.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace florin::crypto {
namespace {

constexpr std::size_t kDesBlock = 8;
constexpr std::size_t kKcvBytes = 3;
constexpr std::size_t kWrapOverhead = 8;  // RFC 3394

struct FreeCrypt {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
    void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
};
using Bytes = Secret<struct CipherBytesTag>;

unsigned char const* octets(std::string_view bytes) {
    return reinterpret_cast<unsigned char const*>(bytes.data());
}

// One pass without padding and with an IV of zeros where the mode has one; nullopt where OpenSSL
// refuses the input.
std::optional<Bytes> run_cipher(
    char const* name, std::string_view key, std::string_view input, bool is_encrypting
) {
    std::unique_ptr<EVP_CIPHER, FreeCrypt> const cipher{EVP_CIPHER_fetch(nullptr, name, nullptr)};
    std::unique_ptr<EVP_CIPHER_CTX, FreeCrypt> const context{EVP_CIPHER_CTX_new()};
    FLORIN_CHECK(cipher != nullptr && context != nullptr, "OpenSSL has the cipher and memory");
    FLORIN_CHECK(
        static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher.get())) == key.size(),
        "the key has the cipher's length"
    );
    std::array<unsigned char, kDesBlock> const zeros{};
    // Key wrap has an initial value of its own.
    bool const is_wrap = EVP_CIPHER_get_mode(cipher.get()) == EVP_CIPH_WRAP_MODE;
    EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    int const started = EVP_CipherInit_ex2(
        context.get(),
        cipher.get(),
        octets(key),
        is_wrap ? nullptr : zeros.data(),
        is_encrypting ? 1 : 0,
        nullptr
    );
    FLORIN_CHECK(started == 1, "OpenSSL takes the key");
    EVP_CIPHER_CTX_set_padding(context.get(), 0);
    std::string output(input.size() + 2 * kWrapOverhead, '\0');
    auto* const out = reinterpret_cast<unsigned char*>(output.data());
    int length = 0;
    int rest = 0;
    bool const done = EVP_CipherUpdate(
                          context.get(), out, &length, octets(input), static_cast<int>(input.size())
                      ) == 1 &&
                      EVP_CipherFinal_ex(context.get(), out + length, &rest) == 1;
    auto const size = done ? static_cast<std::size_t>(length + rest) : 0;
    explicit_bzero(output.data() + size, output.size() - size);
    output.resize(size);
    Bytes result{std::move(output)};
    if (!done) {
        ERR_clear_error();
        return std::nullopt;
    }
    return result;
}

// What must work: whole blocks of DES.
Bytes run_des(
    char const* name, std::string_view key, std::string_view input, bool is_encrypting = true
) {
    auto result = run_cipher(name, key, input, is_encrypting);
    FLORIN_CHECK(result && result->size() == input.size(), "DES takes whole blocks");
    return std::move(*result);
}

// OpenSSL's default provider has three-key Triple DES, which two-key and single DES are cases of.
KeyBytes three_keys(std::string_view key) {
    std::string whole;
    whole.reserve(3 * kDesBlock);  // one buffer, taken and wiped by the Secret
    for (std::size_t at = 0; at < 3 * kDesBlock; at += kDesBlock) {
        whole += key.substr(at % key.size(), kDesBlock);
    }
    return KeyBytes{std::move(whole)};
}

std::string cmac(char const* cipher, KeyBytes const& key, ByteView message) {
    std::unique_ptr<EVP_MAC, FreeCrypt> const mac{EVP_MAC_fetch(nullptr, "CMAC", nullptr)};
    std::unique_ptr<EVP_MAC_CTX, FreeCrypt> const context{EVP_MAC_CTX_new(mac.get())};
    FLORIN_CHECK(mac != nullptr && context != nullptr, "OpenSSL has CMAC and memory");
    std::string name{cipher};
    OSSL_PARAM const parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, name.data(), 0),
        OSSL_PARAM_construct_end()
    };
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    std::size_t length = 0;
    bool const done =
        EVP_MAC_init(context.get(), octets(key.reveal()), key.size(), parameters) == 1 &&
        EVP_MAC_update(context.get(), octets(message), message.size()) == 1 &&
        EVP_MAC_final(context.get(), out.data(), &length, out.size()) == 1;
    FLORIN_CHECK(done, "CMAC works");
    return {reinterpret_cast<char const*>(out.data()), length};
}

std::string retail_mac(KeyBytes const& key, ByteView message) {
    Bytes const padded{[&] {
        std::string text;
        auto const blocks = std::max<std::size_t>(1, (message.size() + kDesBlock - 1) / kDesBlock);
        text.reserve(blocks * kDesBlock);
        text += message;
        text.resize(blocks * kDesBlock, '\0');
        return text;
    }()};
    auto const single = three_keys(key.reveal().substr(0, kDesBlock));
    auto const last = padded.size() - kDesBlock;
    std::string block{padded.reveal().substr(last)};
    if (last > 0) {
        auto const chained =
            run_des("DES-EDE3-CBC", single.reveal(), padded.reveal().substr(0, last));
        auto const before = chained.reveal().substr(last - kDesBlock);
        for (std::size_t i = 0; i < kDesBlock; ++i) {
            block[i] = static_cast<char>(block[i] ^ before[i]);
        }
    }
    // Encrypted, decrypted, encrypted: the last block's own encryption is the first of the three.
    auto const done = run_des("DES-EDE3-ECB", three_keys(key.reveal()).reveal(), block);
    explicit_bzero(block.data(), block.size());
    return std::string{done.reveal()};
}

Result<void> check_size(MacAlgorithm algorithm, KeyBytes const& key, std::string_view what) {
    auto const size = key.size();
    bool fits = false;
    switch (algorithm) {
        case MacAlgorithm::aes_cmac: fits = size == 16 || size == 24 || size == 32; break;
        case MacAlgorithm::tdes_cmac: fits = size == 16 || size == 24; break;
        case MacAlgorithm::x919: fits = size == 16; break;
    }
    if (!fits) {
        return fail(
            Errc::malformed,
            std::string{what} + " of " + std::string{mac_algorithm_name(algorithm)} +
                " has no length of " + std::to_string(size) + " bytes"
        );
    }
    return {};
}

// A key-encryption key of Triple DES may have three parts whatever the wrapped key has.
Result<void> check_wrapping_key(MacAlgorithm algorithm, KeyBytes const& key) {
    auto const kind =
        algorithm == MacAlgorithm::aes_cmac ? MacAlgorithm::aes_cmac : MacAlgorithm::tdes_cmac;
    return check_size(kind, key, "a key-encryption key");
}

std::string check_value(KeyBytes const& key) {
    std::string const zeros(kDesBlock, '\0');
    auto const block = run_des("DES-EDE3-ECB", three_keys(key.reveal()).reveal(), zeros);
    return std::string{block.reveal().substr(0, kKcvBytes)};
}

char const* wrap_cipher(KeyBytes const& key) {
    return key.size() == 16 ? "AES-128-WRAP" : key.size() == 24 ? "AES-192-WRAP" : "AES-256-WRAP";
}

}  // namespace

std::string_view mac_algorithm_name(MacAlgorithm algorithm) {
    switch (algorithm) {
        case MacAlgorithm::aes_cmac: return "aes-cmac";
        case MacAlgorithm::tdes_cmac: return "tdes-cmac";
        case MacAlgorithm::x919: return "x9.19";
    }
    return "";
}

std::optional<MacAlgorithm> mac_algorithm_of(std::string_view name) {
    for (auto const algorithm :
         {MacAlgorithm::aes_cmac, MacAlgorithm::tdes_cmac, MacAlgorithm::x919}) {
        if (mac_algorithm_name(algorithm) == name) {
            return algorithm;
        }
    }
    return std::nullopt;
}

Result<void> check_mac_key(MacAlgorithm algorithm, KeyBytes const& key) {
    FLORIN_TRY_VOID(check_size(algorithm, key, "a key"));
    if (algorithm == MacAlgorithm::aes_cmac) {
        return {};
    }
    auto const bytes = key.reveal();
    for (std::size_t at = 0; at + kDesBlock < bytes.size(); at += kDesBlock) {
        unsigned difference = 0;
        for (std::size_t i = at; i < at + kDesBlock; ++i) {
            // The lowest bit is parity.
            difference |= static_cast<unsigned char>(bytes[i] ^ bytes[i + kDesBlock]) & 0xFEU;
        }
        if (difference == 0) {
            return fail(Errc::refused, "a Triple DES key whose parts are alike is single DES");
        }
    }
    return {};
}

Result<std::string> mac_of(MacAlgorithm algorithm, KeyBytes const& key, ByteView message) {
    FLORIN_TRY_VOID(check_size(algorithm, key, "a key"));
    switch (algorithm) {
        case MacAlgorithm::aes_cmac:
            return cmac(
                key.size() == 16   ? "AES-128-CBC"
                : key.size() == 24 ? "AES-192-CBC"
                                   : "AES-256-CBC",
                key,
                message
            );
        case MacAlgorithm::tdes_cmac:
            return cmac("DES-EDE3-CBC", three_keys(key.reveal()), message);
        case MacAlgorithm::x919: break;
    }
    return retail_mac(key, message);
}

Result<std::string> wrap_key(
    MacAlgorithm algorithm, KeyBytes const& key_encryption_key, KeyBytes const& key
) {
    FLORIN_TRY_VOID(check_wrapping_key(algorithm, key_encryption_key));
    FLORIN_TRY_VOID(check_mac_key(algorithm, key));
    if (algorithm == MacAlgorithm::aes_cmac) {
        auto const block = run_cipher(
            wrap_cipher(key_encryption_key), key_encryption_key.reveal(), key.reveal(), true
        );
        FLORIN_CHECK(block.has_value(), "AES wraps a key");
        return std::string{block->reveal()};
    }
    auto const block =
        run_des("DES-EDE3-ECB", three_keys(key_encryption_key.reveal()).reveal(), key.reveal());
    return std::string{block.reveal()} + check_value(key);
}

Result<KeyBytes> unwrap_key(
    MacAlgorithm algorithm, KeyBytes const& key_encryption_key, ByteView block
) {
    FLORIN_TRY_VOID(check_wrapping_key(algorithm, key_encryption_key));
    auto const damaged = [] { return fail(Errc::corrupt, "a key block that does not open"); };
    bool const is_aes = algorithm == MacAlgorithm::aes_cmac;
    auto const overhead = is_aes ? kWrapOverhead : kKcvBytes;
    if (block.size() < overhead || block.size() > 32 + overhead) {
        return damaged();
    }
    // Only for its length, before anything is decrypted.
    FLORIN_TRY_VOID(
        check_size(algorithm, KeyBytes{std::string(block.size() - overhead, '\0')}, "a key")
    );
    if (is_aes) {
        auto const opened =
            run_cipher(wrap_cipher(key_encryption_key), key_encryption_key.reveal(), block, false);
        if (!opened) {
            return damaged();
        }
        KeyBytes key{opened->reveal()};
        FLORIN_TRY_VOID(check_mac_key(algorithm, key));
        return key;
    }
    auto const opened = run_des(
        "DES-EDE3-ECB",
        three_keys(key_encryption_key.reveal()).reveal(),
        block.substr(0, block.size() - overhead),
        false
    );
    KeyBytes key{opened.reveal()};
    if (!equal_constant_time(check_value(key), block.substr(block.size() - overhead))) {
        return damaged();
    }
    FLORIN_TRY_VOID(check_mac_key(algorithm, key));
    return key;
}

Result<KeyBytes> load_hex_key(std::string const& file) {
    constexpr std::size_t kFileMax = 256;
    int const descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return fail(Errc::not_found, "cannot read the key file " + file);
    }
    struct stat found{};
    std::array<char, kFileMax> buffer{};
    bool const is_known = ::fstat(descriptor, &found) == 0;
    auto const count = is_known ? ::read(descriptor, buffer.data(), buffer.size()) : -1;
    ::close(descriptor);
    if (count < 0) {
        return fail(Errc::io, "cannot read the key file " + file);
    }
    std::string text{buffer.data(), static_cast<std::size_t>(count)};
    explicit_bzero(buffer.data(), buffer.size());
    Bytes const whole{std::move(text)};
    if ((found.st_mode & 077U) != 0) {
        return fail(Errc::refused, file + ": others than its owner may read it; chmod 0600");
    }
    auto line = whole.reveal();
    if (line.ends_with('\n')) {
        line.remove_suffix(1);
    }
    auto key = from_hex(line);
    if (line.size() == kFileMax || line.empty() || !key) {
        return fail(Errc::malformed, file + ": expected one line of hexadecimal digits");
    }
    return KeyBytes{std::move(*key)};
}

}  // namespace florin::crypto
