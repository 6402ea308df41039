#include "crypto/signature.h"

#include "crypto/base64.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <type_traits>

using namespace florin;
using namespace florin::crypto;

namespace {

static_assert(!std::is_copy_constructible_v<SigningKey>);

std::string bytes_of(std::string_view hex) {
    auto bytes = from_hex(hex);
    REQUIRE(bytes);
    return *bytes;
}

std::string pem(std::string_view label, std::string const& der) {
    std::string const name{label};
    return "-----BEGIN " + name + "-----\n" + base64(der) + "\n-----END " + name + "-----\n";
}

// RFC 8410 section 7: a PKCS#8 form of an Ed25519 key is these bytes and the 32 of the key.
KeyBytes private_pem(std::string_view hex) {
    return KeyBytes{pem("PRIVATE KEY", bytes_of("302e020100300506032b657004220420") + bytes_of(hex))
    };
}

// Of kind EC P-256, made by openssl for this test and used nowhere else.
char const* const kEcPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEh6i6Bf+IPRZoG84K9jVtJlkgQHG5\n"
    "UAYtpzh5xiBm1dJlJJqJveghMertLy3QGjoZ3M4sYfq9yTXBj9M17DEhnA==\n"
    "-----END PUBLIC KEY-----\n";

}  // namespace

TEST_CASE("Ed25519 gives the signatures of RFC 8032 section 7.1") {
    struct Row {
        char const* secret;
        char const* public_key;
        char const* message;
        char const* signature;
    };
    Row const rows[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
         "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "c"
         "f9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
         "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
         "0"
         "f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
         "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
         "8"
         "4dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };
    for (Row const& row : rows) {
        auto const key = SigningKey::from_pem(private_pem(row.secret), "test");
        REQUIRE(key);
        auto const public_key = key->public_key();
        CHECK(to_hex(view(public_key.bytes)) == row.public_key);
        std::string const message = bytes_of(row.message);
        auto const signature = key->sign(message);
        REQUIRE(signature);
        CHECK(to_hex(view(*signature)) == row.signature);
        CHECK(is_signature_of(public_key, message, *signature));
        CHECK_FALSE(is_signature_of(public_key, message + "x", *signature));
        for (std::size_t i = 0; i < signature->size(); ++i) {
            Signature damaged = *signature;
            damaged[i] = static_cast<unsigned char>(damaged[i] ^ 1U);
            CHECK_FALSE(is_signature_of(public_key, message, damaged));
        }
        PublicKey other = public_key;
        other.bytes[3] ^= 4;
        CHECK_FALSE(is_signature_of(other, message, *signature));
    }
}

TEST_CASE("a public key is the same in PEM, in DER and in bytes") {
    std::string const der = bytes_of(
        "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    );
    auto const key = PublicKey::from_der(der, "test");
    REQUIRE(key);
    CHECK(key->der() == der);
    CHECK(*PublicKey::from_pem(pem("PUBLIC KEY", der), "test") == *key);
    CHECK(PublicKey::from_der(der + "x", "test").error().code == Errc::malformed);
    for (std::size_t length = 0; length < der.size(); ++length) {
        CHECK(PublicKey::from_der(der.substr(0, length), "k").error().code == Errc::malformed);
    }
    auto const ec = PublicKey::from_pem(kEcPublic, "ec.pem");
    REQUIRE_FALSE(ec);
    CHECK(ec.error().code == Errc::unsupported);
    CHECK(ec.error().context.find("ec.pem: is a key of kind EC") == 0);
    CHECK(PublicKey::from_pem("nothing", "x").error().code == Errc::malformed);
}

TEST_CASE("a private key comes from a file that only its owner can read") {
    test::TempDir const folder;
    auto const file = folder.path() / "key.pem";
    auto const text = private_pem(std::string(64, '7'));
    std::ofstream{file} << std::string{text.reveal()};
    using std::filesystem::perms;
    std::filesystem::permissions(file, perms::owner_read | perms::owner_write);
    auto const loaded = SigningKey::load(file);
    REQUIRE(loaded);
    CHECK(loaded->public_key() == SigningKey::from_pem(text, "test")->public_key());
    for (perms const more : {perms::group_read, perms::others_read, perms::group_write}) {
        std::filesystem::permissions(file, perms::owner_read | more);
        auto const refused = SigningKey::load(file);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::refused);
        CHECK(refused.error().context.find(file.string()) == 0);
    }
    CHECK(SigningKey::load(folder.path() / "none").error().code == Errc::not_found);
    auto const bad = SigningKey::from_pem(KeyBytes{std::string_view{"what"}}, "bad.pem");
    CHECK(bad.error().code == Errc::malformed);
    CHECK(bad.error().context == "bad.pem: is not an unencrypted private key in PEM (PKCS#8)");
}

TEST_CASE("base64 gives the texts of RFC 4648 section 10, and takes nothing else") {
    std::pair<char const*, char const*> const rows[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (auto const& [plain, text] : rows) {
        CHECK(base64(plain) == text);
        CHECK(from_base64(text) == std::string{plain});
    }
    for (char const* bad :
         {"Z", "Zg", "Zg=", "Zg===", "Zh==", " Zg==", "Zg==\n", "Zm9v====", "=", "====", "Zm-v"}) {
        CAPTURE(bad);
        CHECK_FALSE(from_base64(bad));
    }
}
