#include "crypto/mac.h"

#include "crypto/hmac.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <sys/stat.h>

using namespace florin;
using namespace florin::crypto;

namespace {

KeyBytes key_of(std::string_view hex) {
    return KeyBytes{*from_hex(hex)};
}

std::string mac_hex(MacAlgorithm algorithm, std::string_view key, ByteView message) {
    auto const mac = mac_of(algorithm, key_of(key), message);
    REQUIRE(mac);
    return to_hex(*mac);
}

// The message of the examples of NIST SP 800-38B.
std::string example(std::size_t bytes) {
    return from_hex(
               "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
               "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
        ->substr(0, bytes);
}

}  // namespace

TEST_CASE("AES-CMAC gives the values of NIST SP 800-38B") {
    struct Row {
        char const* key;
        std::size_t bytes;
        char const* mac;
    };
    constexpr char const* k128 = "2b7e151628aed2a6abf7158809cf4f3c";
    constexpr char const* k192 = "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b";
    constexpr char const* k256 = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
    constexpr Row kRows[] = {
        {k128, 0, "bb1d6929e95937287fa37d129b756746"},
        {k128, 16, "070a16b46b4d4144f79bdd9dd04a287c"},
        {k128, 40, "dfa66747de9ae63030ca32611497c827"},
        {k128, 64, "51f0bebf7e3b9d92fc49741779363cfe"},
        {k192, 0, "d17ddf46adaacde531cac483de7a9367"},
        {k192, 16, "9e99a7bf31e710900662f65e617c5184"},
        {k256, 0, "028962f61b7bf89efc6b551f4667d983"},
        {k256, 16, "28a7023f452e8f82bd4bf28d8c37c35c"},
    };
    for (auto const& row : kRows) {
        CHECK(mac_hex(MacAlgorithm::aes_cmac, row.key, example(row.bytes)) == row.mac);
    }
}

TEST_CASE("Triple DES CMAC gives the values of NIST SP 800-38B") {
    struct Row {
        char const* key;
        std::size_t bytes;
        char const* mac;
    };
    constexpr char const* kThree = "8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5";
    constexpr char const* kTwo = "4cf15134a2850dd58a3d10ba80570d38";
    constexpr Row kRows[] = {
        {kThree, 0, "b7a688e122ffaf95"},
        {kThree, 8, "8e8f293136283797"},
        {kThree, 20, "743ddbe0ce2dc2ed"},
        {kThree, 32, "33e6b1092400eae5"},
        {kTwo, 0, "bd2ebf9a3ba00361"},
        {kTwo, 8, "4ff2ab813c53ce83"},
        {kTwo, 20, "62dd1b471902bd4e"},
        {kTwo, 32, "31b1e431dabc4eb8"},
    };
    for (auto const& row : kRows) {
        CHECK(mac_hex(MacAlgorithm::tdes_cmac, row.key, example(row.bytes)) == row.mac);
    }
}

TEST_CASE("the retail MAC gives the values of ISO/IEC 9797-1 for algorithm 3 and padding method 1"
) {
    constexpr char const* kKey = "0123456789abcdeffedcba9876543210";
    CHECK(mac_hex(MacAlgorithm::x919, kKey, "Now is the time for all ") == "a1c72e74ea3fa9b6");
    CHECK(mac_hex(MacAlgorithm::x919, kKey, "Now is the time for it") == "2e2b1428cc78254f");
    // Zeros fill the last block, so that these are one message to it.
    CHECK(
        mac_hex(MacAlgorithm::x919, kKey, "1234567") ==
        mac_hex(MacAlgorithm::x919, kKey, std::string_view{"1234567\0", 8})
    );
    CHECK(mac_hex(MacAlgorithm::x919, kKey, "").size() == 16);
}

TEST_CASE("keys of a wrong length and Triple DES keys that are single DES are refused") {
    auto const size_of = [](MacAlgorithm algorithm, std::size_t bytes) {
        std::string key(bytes, '\0');
        for (std::size_t i = 0; i < bytes; ++i) {
            key[i] = static_cast<char>(i * 2);
        }
        return check_mac_key(algorithm, KeyBytes{std::move(key)});
    };
    for (std::size_t bytes = 0; bytes <= 40; ++bytes) {
        CAPTURE(bytes);
        bool const is_aes = bytes == 16 || bytes == 24 || bytes == 32;
        bool const is_tdes = bytes == 16 || bytes == 24;
        CHECK(size_of(MacAlgorithm::aes_cmac, bytes).has_value() == is_aes);
        CHECK(size_of(MacAlgorithm::tdes_cmac, bytes).has_value() == is_tdes);
        CHECK(size_of(MacAlgorithm::x919, bytes).has_value() == (bytes == 16));
    }
    CHECK(mac_of(MacAlgorithm::x919, key_of("00"), "x").error().code == Errc::malformed);
    // The second half differs in parity alone.

    CHECK(
        check_mac_key(MacAlgorithm::x919, key_of("0123456789abcdef0022446688aaccee"))
            .error()
            .code == Errc::refused
    );
    CHECK(
        check_mac_key(
            MacAlgorithm::tdes_cmac, key_of("00112233445566770123456789abcdef0123456789abcdef")
        )
            .error()
            .code == Errc::refused
    );
}

TEST_CASE("algorithms have names, and come back from them") {
    for (auto const algorithm :
         {MacAlgorithm::aes_cmac, MacAlgorithm::tdes_cmac, MacAlgorithm::x919}) {
        CHECK(mac_algorithm_of(mac_algorithm_name(algorithm)) == algorithm);
    }
    CHECK_FALSE(mac_algorithm_of("des"));
    CHECK_FALSE(mac_algorithm_of(""));
}

TEST_CASE("AES keys are wrapped as in RFC 3394, and only an undamaged block opens") {
    constexpr auto kAes = MacAlgorithm::aes_cmac;
    auto const kek = key_of("000102030405060708090a0b0c0d0e0f");
    auto const key = key_of("00112233445566778899aabbccddeeff");
    auto const block = wrap_key(kAes, kek, key);
    REQUIRE(block);
    CHECK(to_hex(*block) == "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5");
    CHECK(unwrap_key(kAes, kek, *block)->reveal() == key.reveal());
    auto const long_kek =
        key_of("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    auto const long_key =
        key_of("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
    auto const long_block = wrap_key(kAes, long_kek, long_key);
    CHECK(
        to_hex(*long_block) ==
        "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"
    );
    CHECK(unwrap_key(kAes, long_kek, *long_block)->reveal() == long_key.reveal());
    for (std::size_t at = 0; at < block->size(); ++at) {
        auto damaged = *block;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        CHECK(unwrap_key(kAes, kek, damaged).error().code == Errc::corrupt);
    }
    CHECK(unwrap_key(kAes, long_kek, *block).error().code == Errc::corrupt);
    for (std::size_t size = 0; size < block->size(); ++size) {
        CHECK_FALSE(unwrap_key(kAes, kek, block->substr(0, size)));
    }
    CHECK_FALSE(unwrap_key(kAes, kek, std::string(80, 'x')));
    CHECK(wrap_key(kAes, key_of("00"), key).error().code == Errc::malformed);
}

TEST_CASE("Triple DES keys travel with a check value that finds another key") {
    constexpr auto kTdes = MacAlgorithm::x919;
    auto const kek = key_of("4cf15134a2850dd58a3d10ba80570d38");
    auto const key = key_of("0123456789abcdeffedcba9876543210");
    auto const block = wrap_key(kTdes, kek, key);
    REQUIRE(block);
    CHECK(block->size() == 19);
    // The widely known check value of this key.
    CHECK(to_hex(block->substr(16)) == "08d7b4");
    CHECK(unwrap_key(kTdes, kek, *block)->reveal() == key.reveal());
    for (std::size_t at = 0; at < block->size(); ++at) {
        auto damaged = *block;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
        CHECK(unwrap_key(kTdes, kek, damaged).error().code == Errc::corrupt);
    }
    CHECK_FALSE(unwrap_key(kTdes, kek, block->substr(1)));
    CHECK_FALSE(unwrap_key(kTdes, kek, ""));
    auto const three = key_of("8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5");
    auto const wide = wrap_key(MacAlgorithm::tdes_cmac, three, three);
    CHECK(unwrap_key(MacAlgorithm::tdes_cmac, three, *wide)->reveal() == three.reveal());
    CHECK_FALSE(unwrap_key(MacAlgorithm::x919, three, *wide));  // it holds a key of three parts
    CHECK(
        wrap_key(kTdes, kek, key_of("0123456789abcdef0123456789abcdef")).error().code ==
        Errc::refused
    );
}

TEST_CASE("a key file is hexadecimal and its owner's alone") {
    florin::test::TempDir const folder;
    auto const file = folder.path() / "mac.key";
    auto const load = [&](std::string const& text, mode_t mode) {
        std::ofstream{file, std::ios::trunc} << text;
        REQUIRE(::chmod(file.c_str(), mode) == 0);
        return load_hex_key(file.string());
    };
    CHECK(load("00ff10\n", 0600)->reveal() == std::string_view{"\x00\xff\x10", 3});
    CHECK(load("00FF10", 0400)->reveal() == std::string_view{"\x00\xff\x10", 3});
    CHECK(load("00ff10\n", 0640).error().code == Errc::refused);
    CHECK(load("00ff10\n", 0604).error().code == Errc::refused);
    for (char const* const wrong : {"", "\n", "0", "0x00", "00 ff", "00ff\n00ff\n", "zz"}) {
        auto const loaded = load(wrong, 0600);
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().code == Errc::malformed);
    }
    CHECK_FALSE(load(std::string(1000, '0'), 0600));
    CHECK(load_hex_key((folder.path() / "absent").string()).error().code == Errc::not_found);
}
