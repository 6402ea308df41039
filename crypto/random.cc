#include "crypto/random.h"

#include "ledger/base/check.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

namespace florin::crypto {

namespace {

void fill_now(std::span<unsigned char> bytes) {
    FLORIN_CHECK(
        RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1, "random bytes are to be had"
    );
}

// OpenSSL takes microseconds for any number of bytes, and a payment needs a dozen ids. Bytes are
// given out once and wiped; a process that forks must not go on using them in its child.
class Stock {
public:
    Stock() = default;
    Stock(Stock const&) = delete;
    Stock& operator=(Stock const&) = delete;
    ~Stock() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

    void take(std::span<unsigned char> into) {
        if (into.size() > bytes_.size() - used_) {
            fill_now(bytes_);
            used_ = 0;
        }
        std::memcpy(into.data(), bytes_.data() + used_, into.size());
        OPENSSL_cleanse(bytes_.data() + used_, into.size());
        used_ += into.size();
    }

private:
    std::array<unsigned char, 2'048> bytes_{};
    std::size_t used_ = 2'048;
};

}  // namespace

void SystemRandom::fill(std::span<unsigned char> bytes) {
    constexpr std::size_t kSmall = 64;
    thread_local Stock stock;
    if (bytes.size() > kSmall) {
        fill_now(bytes);
    } else {
        stock.take(bytes);
    }
}

std::string random_alphanumeric(Random& random, std::size_t count) {
    constexpr char kCharacters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    constexpr unsigned kUsable = 248;  // 4 * 62: what is above would favour some characters
    std::string text;
    std::array<unsigned char, 64> bytes{};
    while (text.size() < count) {
        // Eight of 256 bytes are of no use: some more than are needed is mostly enough.
        std::size_t const wanted = std::min(bytes.size(), (count - text.size()) * 9 / 8 + 2);
        auto const some = std::span{bytes}.first(wanted);
        random.fill(some);
        for (unsigned char const byte : some) {
            if (byte < kUsable && text.size() < count) {
                text.push_back(kCharacters[byte % 62]);
            }
        }
    }
    return text;
}

}  // namespace florin::crypto
