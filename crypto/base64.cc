#include "crypto/base64.h"

#include <openssl/evp.h>

#include <algorithm>

namespace florin::crypto {

std::string base64(ByteView bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // OpenSSL adds a zero
    int const length = EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(text.data()),
        reinterpret_cast<unsigned char const*>(bytes.data()),
        static_cast<int>(bytes.size())
    );
    text.resize(static_cast<std::size_t>(length));
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    std::string bytes(3 * (text.size() / 4), '\0');
    int const length = EVP_DecodeBlock(
        reinterpret_cast<unsigned char*>(bytes.data()),
        reinterpret_cast<unsigned char const*>(text.data()),
        static_cast<int>(text.size())
    );
    if (length < 0) {
        return std::nullopt;
    }
    // OpenSSL counts the padding as zeros and is lenient about white space and stray bits.
    std::size_t const padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    bytes.resize(static_cast<std::size_t>(length));
    bytes.resize(bytes.size() - std::min(padding, bytes.size()));
    if (base64(bytes) != text) {
        return std::nullopt;
    }
    return bytes;
}

}  // namespace florin::crypto
