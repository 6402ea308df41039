#include "crypto/api_key.h"

#include "ledger/base/bytes.h"

#include <algorithm>

namespace florin::crypto {
namespace {

constexpr std::size_t kPrefixLength = 8;  // "sk_test_"
constexpr std::size_t kIdLength = 12;
constexpr std::size_t kSecretLength = 32;

constexpr std::string_view kKinds[] = {"sk", "rk", "pk", "ak"};

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

MadeApiKey make_api_key(Random& random, HmacSha256 const& pepper, std::string_view prefix) {
    MadeApiKey made;
    made.id = random_alphanumeric(random, kIdLength);
    made.key =
        ApiKey{std::string{prefix} + "_" + made.id + random_alphanumeric(random, kSecretLength)};
    made.hash = api_key_hash(pepper, made.key);
    return made;
}

std::string_view api_key_id(ApiKey const& key) {
    std::string_view const text = key.reveal();
    if (text.size() != kPrefixLength + kIdLength + kSecretLength) {
        return {};
    }
    std::string_view const mode = text.substr(2, kPrefixLength - 2);
    bool const is_key = std::ranges::find(kKinds, text.substr(0, 2)) != std::end(kKinds) &&
                        (mode == "_test_" || mode == "_live_") &&
                        std::ranges::all_of(text.substr(kPrefixLength), is_alphanumeric);
    return is_key ? text.substr(kPrefixLength, kIdLength) : std::string_view{};
}

std::string api_key_hash(HmacSha256 const& pepper, ApiKey const& key) {
    return to_hex(view(pepper.of(key.reveal())));
}

}  // namespace florin::crypto
