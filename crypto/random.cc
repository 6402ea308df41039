#include "crypto/random.h"

#include "ledger/base/check.h"

#include <openssl/rand.h>

namespace florin::crypto {

void SystemRandom::fill(std::span<unsigned char> bytes) {
    FLORIN_CHECK(
        RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1, "random bytes are to be had"
    );
}

std::string random_alphanumeric(Random& random, std::size_t count) {
    constexpr char kCharacters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    constexpr unsigned kUsable = 248;  // 4 * 62: what is above would favour some characters
    std::string text;
    std::array<unsigned char, 64> bytes{};
    while (text.size() < count) {
        random.fill(bytes);
        for (unsigned char const byte : bytes) {
            if (byte < kUsable && text.size() < count) {
                text.push_back(kCharacters[byte % 62]);
            }
        }
    }
    return text;
}

}  // namespace florin::crypto
