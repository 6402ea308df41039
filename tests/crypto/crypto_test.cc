#include "crypto/aead.h"
#include "crypto/certificates.h"
#include "crypto/hash.h"
#include "crypto/hmac.h"
#include "crypto/random.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace florin;
using namespace florin::crypto;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4, in pieces too") {
    CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    Sha256 hash;
    for (int round = 0; round < 2; ++round) {
        hash.update("a");
        hash.update("bc");
        CHECK(hash.finish() == sha256("abc"));
    }
}

TEST_CASE("HMAC-SHA256 gives the values of RFC 4231") {
    CHECK(
        to_hex(view(hmac_sha256(KeyBytes{std::string(20, '\x0b')}, "Hi There"))) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    );
    CHECK(
        to_hex(view(hmac_sha256(KeyBytes{std::string_view{"Jefe"}}, "what do ya want for nothing?"))
        ) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    CHECK(equal_constant_time("same", "same"));
    CHECK_FALSE(equal_constant_time("same", "sane"));
    CHECK_FALSE(equal_constant_time("same", "sam"));
}

TEST_CASE("what is sealed opens in its place and nowhere else") {
    SystemRandom random;
    auto const ring = *KeyRing::parse("# test\n7 " + std::string(64, 'a') + "\n", "test");
    std::string const sealed = ring.seal("4242424242424242", "tok_1", random);
    CHECK(sealed.find("4242") == std::string::npos);
    CHECK(*ring.open(sealed, "tok_1") == "4242424242424242");
    CHECK(ring.open(sealed, "tok_2").error().code == Errc::corrupt);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        std::string damaged = sealed;
        damaged[i] = static_cast<char>(damaged[i] ^ 1);
        CHECK_FALSE(ring.open(damaged, "tok_1"));
    }
    CHECK_FALSE(ring.open(sealed.substr(0, 20), "tok_1"));
    auto const rolled =
        *KeyRing::parse("7 " + std::string(64, 'a') + "\n9 " + std::string(64, 'b') + "\n", "test");
    CHECK(*rolled.open(sealed, "tok_1") == "4242424242424242");
    auto const other = *KeyRing::parse("8 " + std::string(64, 'a') + "\n", "test");
    CHECK(other.open(sealed, "tok_1").error().code == Errc::not_found);
    CHECK(ring.derive("a").reveal() != ring.derive("b").reveal());
}

TEST_CASE("AES-256-GCM agrees with NIST's test case 14") {
    // 256-bit zero key, zero nonce, 128 zero bits: ciphertext cea7403d4d606b6e074ec5d3baf39d18,
    // tag d0d1c8a799996bf0265b98b5d48ab919.
    auto const ring = *KeyRing::parse("1 " + std::string(64, '0') + "\n", "test");
    std::string const sealed = std::string("\x01\x01\x00\x00\x00", 5) + std::string(12, '\0') +
                               *from_hex("cea7403d4d606b6e074ec5d3baf39d18") +
                               *from_hex("d0d1c8a799996bf0265b98b5d48ab919");
    CHECK(*ring.open(sealed, "") == std::string(16, '\0'));
}

TEST_CASE("a key file is made once, for its owner alone, and read back") {
    test::TempDir const dir;
    SystemRandom random;
    auto const path = dir.path() / "vault.key";
    auto const made = KeyRing::create(path, random);
    REQUIRE(made.has_value());
    CHECK_FALSE(KeyRing::create(path, random));
    auto const loaded = KeyRing::load(path);
    REQUIRE(loaded.has_value());
    CHECK(*loaded->open(made->seal("x", "", random), "") == "x");
    std::filesystem::permissions(
        path, std::filesystem::perms::group_read, std::filesystem::perm_options::add
    );
    CHECK(KeyRing::load(path).error().code == Errc::refused);
    CHECK(KeyRing::load(dir.path() / "none").error().code == Errc::not_found);
}

TEST_CASE("a wrong key file is refused naming the line") {
    for (char const* bad : {"", "# nothing\n", "1\n", "x aa\n", "0 00\n", "1 zz\n"}) {
        CAPTURE(bad);
        CHECK(KeyRing::parse(bad, "keys").error().code == Errc::malformed);
    }
    std::string const twice = "1 " + std::string(64, '0') + "\n1 " + std::string(64, '1') + "\n";
    CHECK(
        KeyRing::parse(twice, "keys").error().context ==
        "keys, line 2: this key id is there already"
    );
}

TEST_CASE("the development CA's server certificate passes openssl verify") {
    Validity const validity{.from = 1'700'000'000, .until = 4'000'000'000};
    auto const ca = make_ca("Florin development CA", validity);
    REQUIRE(ca.has_value());
    auto const server = make_server_certificate(*ca, {"localhost", "127.0.0.1", "::1"}, validity);
    REQUIRE(server.has_value());
    CHECK(*not_after(server->certificate_pem) == 4'000'000'000);
    test::TempDir const dir;
    std::ofstream{dir.path() / "ca.pem"} << ca->certificate_pem;
    std::ofstream{dir.path() / "server.pem"} << server->certificate_pem;
    std::string const command = "openssl verify -verify_ip 127.0.0.1 -purpose sslserver -CAfile " +
                                (dir.path() / "ca.pem").string() + " " +
                                (dir.path() / "server.pem").string() + " >/dev/null 2>&1";
    CHECK(std::system(command.c_str()) == 0);
}

TEST_CASE("random text has the asked length and only letters and digits") {
    SystemRandom random;
    auto const text = random_alphanumeric(random, 1000);
    CHECK(text.size() == 1000);
    CHECK(
        text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") ==
        std::string::npos
    );
    CHECK(random_alphanumeric(random, 24) != random_alphanumeric(random, 24));
}
