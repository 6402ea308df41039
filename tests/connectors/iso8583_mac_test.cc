#include "connectors/iso8583/codec_mac.h"
#include "tests/connectors/iso8583_rig.h"

#include <doctest/doctest.h>

#include <string>

using namespace florin;
using namespace florin::connectors::iso8583;
using namespace florin::connectors::iso8583::test;
using crypto::MacAlgorithm;
using Check = MacKeys::Check;

namespace {

constexpr char const* kAes = "2b7e151628aed2a6abf7158809cf4f3c";
constexpr char const* kTdes = "4cf15134a2850dd58a3d10ba80570d38";
constexpr char const* kRetail = "0123456789abcdeffedcba9876543210";

Message answer() {
    Message message{"0110"};
    message.set_stan(17);
    message.set(39, "00");
    return message;
}

MacKeys::Time after(int ms) {
    return MacKeys::Time{std::chrono::milliseconds{1'000'000 + ms}};
}

MacOptions exchanged() {
    return MacOptions{
        .algorithm = MacAlgorithm::aes_cmac,
        .key = {},
        .key_encryption_key = key_of("000102030405060708090a0b0c0d0e0f"),
        .grace_ms = 1'000,
    };
}

}  // namespace

// The values are those of `openssl mac` and, for X9.19, of `openssl enc` step by step.
TEST_CASE("the MAC covers the message up to itself, with its own bit in the bitmap") {
    auto const packaging = default_packaging();
    auto const first = encode_with_mac(answer(), packaging, MacAlgorithm::aes_cmac, key_of(kAes));
    REQUIRE(first);
    CHECK(
        *first ==
        "0110" + *from_hex("0020000002000001") + "000017" + "00" + *from_hex("2b869e6976590e89")
    );
    auto const second = encode_with_mac(echo(), packaging, MacAlgorithm::tdes_cmac, key_of(kTdes));
    REQUIRE(second);
    auto const covered =
        "0800" + *from_hex("82200000000000000400000000000001") + "1124130405" + "000001" + "301";
    CHECK(*second == covered + *from_hex("fee84f9be82c862e"));
    auto const retail = encode_with_mac(echo(), packaging, MacAlgorithm::x919, key_of(kRetail));
    REQUIRE(retail);
    CHECK(*retail == covered + *from_hex("a0f90af202352d0a"));
}

TEST_CASE("a MAC is right in its place, and in no other message") {
    auto hexadecimal = default_packaging();
    hexadecimal.binary = hexadecimal.bitmap = BinaryForm::hex;
    for (auto const& packaging :
         {default_packaging(), hexadecimal, packaging_of("1987_bcd"), packaging_of("1987_ebcdic")
         }) {
        for (auto const& message : {answer(), echo()}) {
            auto const key = key_of(kAes);
            auto const good = *encode_with_mac(message, packaging, MacAlgorithm::aes_cmac, key);
            auto const is_right = [&](ByteView bytes) {
                auto const decoded = decode(bytes, packaging);
                return decoded &&
                       has_right_mac(bytes, *decoded, packaging, MacAlgorithm::aes_cmac, key);
            };
            CHECK(is_right(good));
            for (std::size_t at = 0; at < good.size(); ++at) {
                for (int bit = 0; bit < 8; ++bit) {
                    auto changed = good;
                    changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
                    // The case of a hexadecimal digit says nothing.
                    auto const other = decode(changed, packaging);
                    if (!other || *other != *decode(good, packaging)) {
                        CHECK_FALSE(is_right(changed));
                    }
                }
            }
            CHECK_FALSE(is_right(*encode(message, packaging)));
            CHECK_FALSE(is_right(
                *encode_with_mac(message, packaging, MacAlgorithm::aes_cmac, key_of(kTdes))
            ));
        }
    }
}

TEST_CASE("field 64 with fields above it is no MAC, and a message has one of the two") {
    auto const packaging = default_packaging();
    auto const key = key_of(kAes);
    auto message = echo();
    message.set(64, "12345678");
    auto const bytes = encode_with_mac(message, packaging, MacAlgorithm::aes_cmac, key);
    auto const decoded = decode(*bytes, packaging);
    REQUIRE(decoded);
    CHECK_FALSE(decoded->has(64));
    CHECK(decoded->has(128));
    // Both fields: the MAC of field 128 would be right.
    message.set(128, std::string(8, '\0'));
    auto both = *encode(message, packaging);
    auto const mac =
        *crypto::mac_of(MacAlgorithm::aes_cmac, key, ByteView{both}.substr(0, both.size() - 8));
    both.replace(both.size() - 8, 8, mac.substr(0, 8));
    auto const with_both = decode(both, packaging);
    REQUIRE(with_both);
    CHECK_FALSE(has_right_mac(both, *with_both, packaging, MacAlgorithm::aes_cmac, key));
    // In field 64 alone, below a field 70.
    message.erase(128);
    auto const low = *encode(message, packaging);
    CHECK_FALSE(has_right_mac(low, *decode(low, packaging), packaging, MacAlgorithm::aes_cmac, key)
    );
}

TEST_CASE("options that cannot work are refused") {
    auto const packaging = default_packaging();
    auto const code_of = [&](MacOptions const& options, Packaging const& of) {
        auto const checked = check_mac_options(options, of);
        REQUIRE_FALSE(checked);
        return checked.error().code;
    };
    CHECK(check_mac_options({}, packaging));
    CHECK(check_mac_options(exchanged(), packaging));
    MacOptions options{
        .algorithm = MacAlgorithm::x919, .key = key_of(kRetail), .key_encryption_key = {}
    };
    CHECK(check_mac_options(options, packaging));
    auto without = packaging;
    without.fields[128].reset();
    CHECK(code_of(options, without) == Errc::malformed);
    auto without_place = packaging;
    without_place.elements.key_block = {};
    CHECK(check_mac_options(options, without_place));
    CHECK(code_of(exchanged(), without_place) == Errc::malformed);
    options.key = key_of("00");
    CHECK(code_of(options, packaging) == Errc::malformed);
    options.key = key_of("0123456789abcdef0123456789abcdef");
    CHECK(code_of(options, packaging) == Errc::refused);
    options.key = key_of(kRetail);
    options.key_encryption_key = key_of(kTdes);
    CHECK(code_of(options, packaging) == Errc::malformed);
}

TEST_CASE("without keys nothing bears a MAC; with a key from configuration everything must") {
    auto const packaging = default_packaging();
    auto const plain = *encode(echo(), packaging);
    MacKeys const none{MacOptions{}};
    CHECK_FALSE(none.is_used());
    CHECK(*none.encode(echo(), packaging) == plain);
    CHECK(none.check(plain, echo(), packaging, false, after(0)) == Check::good);
    MacKeys fixed{MacOptions{.key = key_of(kAes), .key_encryption_key = {}}};
    fixed.start_connection(after(0));
    CHECK_FALSE(fixed.wants_exchange());
    CHECK(fixed.check(plain, echo(), packaging, false, after(0)) == Check::missing);
    auto const sealed = *fixed.encode(echo(), packaging);
    CHECK(
        fixed.check(sealed, *decode(sealed, packaging), packaging, false, after(0)) == Check::good
    );
    CHECK(fixed.open("00").error().code == Errc::refused);
}

TEST_CASE("an exchanged key counts at once, and the one before it for its time of grace") {
    auto const packaging = default_packaging();
    MacKeys ours{exchanged()};
    MacKeys theirs{exchanged()};
    ours.start_connection(after(0));
    CHECK(ours.wants_exchange());
    auto const plain_echo = *encode(echo(), packaging);
    auto const plain_answer = *encode(answer(), packaging);
    CHECK(ours.check(plain_echo, echo(), packaging, false, after(0)) == Check::good);
    CHECK(ours.check(plain_answer, answer(), packaging, false, after(0)) == Check::missing);

    auto const block = theirs.block_of(key_of(kAes));
    REQUIRE(block);
    CHECK(ours.open("zz").error().code == Errc::malformed);
    CHECK(ours.open("").error().code == Errc::corrupt);
    CHECK(ours.open(block->substr(2)).error().code == Errc::malformed);
    ours.install(*ours.open(*block), after(0));
    theirs.install(key_of(kAes), after(0));
    CHECK_FALSE(ours.wants_exchange());
    auto const check = [&](std::string const& bytes, int at_ms, bool is_keying = false) {
        return ours.check(bytes, *decode(bytes, packaging), packaging, is_keying, after(at_ms));
    };
    auto const first = *theirs.encode(answer(), packaging);
    CHECK(check(first, 0) == Check::good);
    CHECK(check(plain_echo, 0) == Check::missing);
    CHECK(check(plain_echo, 0, true) == Check::good);  // the answer to our own first request
    CHECK(check(plain_answer, 0, true) == Check::missing);

    theirs.install(key_of(kTdes), after(0));
    ours.install(key_of(kTdes), after(100));
    auto const second = *theirs.encode(answer(), packaging);
    CHECK(second != first);
    CHECK(check(second, 100) == Check::good);
    CHECK(check(first, 1'099) == Check::good);
    CHECK(check(first, 1'100) == Check::wrong);

    // A third key within the grace of the first: all three are good.
    {
        MacKeys three = ours;
        three.install(key_of(kRetail), after(500));
        auto const at = [&](std::string const& bytes, int at_ms) {
            return three.check(bytes, *decode(bytes, packaging), packaging, false, after(at_ms));
        };
        CHECK(at(first, 1'099) == Check::good);
        CHECK(at(second, 1'499) == Check::good);
        CHECK(at(second, 1'500) == Check::wrong);
    }

    // On a new connection the key is the previous one.
    ours.start_connection(after(2'000));
    CHECK(ours.wants_exchange());
    CHECK(check(second, 2'999) == Check::good);
    CHECK(check(second, 3'000) == Check::wrong);
    CHECK(*ours.encode(echo(), packaging) == plain_echo);
}
