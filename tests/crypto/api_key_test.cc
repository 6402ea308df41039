#include "crypto/api_key.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

using namespace florin;

namespace {

constexpr char const* kText = "sk_test_0123456789abABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

std::string id_of(std::string text) {
    return std::string{crypto::api_key_id(ApiKey{std::move(text)})};
}

}  // namespace

TEST_CASE("what is kept of a key is the HMAC-SHA256 of its whole text") {
    // printf %s sk_test_… | openssl dgst -sha256 -hmac pepper
    crypto::HmacSha256 const pepper{KeyBytes{std::string_view{"pepper"}}};
    CHECK(
        crypto::api_key_hash(pepper, ApiKey{std::string_view{kText}}) ==
        "0a513df345369b836566187cfb641aadee6e890652308674044d1ec66ba3c807"
    );
}

TEST_CASE("a made key has its own id and secret, and is found by its id") {
    crypto::SystemRandom random;
    crypto::HmacSha256 const pepper{KeyBytes{std::string_view{"pepper"}}};
    std::set<std::string> texts;
    std::set<std::string> ids;
    for (int i = 0; i < 100; ++i) {
        auto const made = crypto::make_api_key(random, pepper, i % 2 == 0 ? "ak_live" : "rk_test");
        CHECK(made.key.reveal().starts_with(i % 2 == 0 ? "ak_live_" : "rk_test_"));
        CHECK(crypto::api_key_id(made.key) == made.id);
        CHECK(crypto::api_key_hash(pepper, made.key) == made.hash);
        CHECK(made.hash.find(made.id) == std::string::npos);
        texts.emplace(made.key.reveal());
        ids.insert(made.id);
    }
    CHECK(texts.size() == 100);
    CHECK(ids.size() == 100);
}

TEST_CASE("a prepared HMAC gives what one by itself gives, for every length") {
    KeyBytes const key{std::string(100, 'k')};
    crypto::HmacSha256 const prepared{key};
    for (std::size_t length = 0; length < 200; ++length) {
        std::string const message(length, 'm');
        CHECK(prepared.of(message) == crypto::hmac_sha256(key, message));
        CHECK(prepared.of(message) == prepared.of(message));
    }
}

TEST_CASE("only what has the form of a key has an id") {
    std::string const good = kText;
    CHECK(id_of(good) == "0123456789ab");
    for (char const* prefix : {"sk_live_", "rk_test_", "rk_live_", "pk_test_", "ak_live_"}) {
        CHECK(id_of(prefix + good.substr(8)) == "0123456789ab");
    }
    for (std::string const& bad : {
             std::string{},
             good + "0",
             good.substr(0, 51),
             "xk_test_" + good.substr(8),
             "sk_prod_" + good.substr(8),
             "sk-test_" + good.substr(8),
             "sk_test_" + std::string(44, '_'),
             "sk_test_" + std::string(43, 'a') + '\0',
             std::string(52, '\0'),
         }) {
        CAPTURE(bad);
        CHECK(id_of(bad).empty());
    }
}
