#include "ledger/base/bytes.h"

#include <doctest/doctest.h>

using namespace florin;

TEST_CASE("CRC-32C matches the published vectors of RFC 3720 appendix B.4") {
    CHECK(crc32c("123456789") == 0xe3069283);
    CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
    CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
    std::string rising;
    for (char c = 0; c < 32; ++c) {
        rising.push_back(c);
    }
    CHECK(crc32c(rising) == 0x46dd794e);
    CHECK(crc32c("6789", crc32c("12345")) == 0xe3069283);
}

TEST_CASE("numbers of every width come back, and a short input is an error that says where") {
    std::string bytes;
    ByteWriter out{bytes};
    out.little(std::uint32_t{7});
    out.big(std::uint64_t{0x0102030405060708});
    out.varint(0);
    out.varint(300);
    out.varint(kU128Max);
    out.sized("abc");
    ByteReader in{bytes, "test"};
    CHECK(*in.little<std::uint32_t>() == 7);
    CHECK(*in.big<std::uint64_t>() == 0x0102030405060708);
    CHECK(*in.varint() == 0);
    CHECK(*in.varint64() == 300);
    CHECK((*in.varint() == kU128Max));
    CHECK(*in.sized() == "abc");
    CHECK(in.at_end());
    auto const short_read = in.little<std::uint16_t>();
    CHECK(short_read.error().code == Errc::malformed);
    CHECK(short_read.error().context.starts_with("test: ends at byte"));
}

TEST_CASE("a varint of more than 128 bits is refused") {
    std::string const endless(30, '\xff');
    CHECK_FALSE(ByteReader(endless, "test").varint());
    std::string too_big(18, '\xff');
    too_big.push_back('\x04');  // bits 126 to 128
    CHECK_FALSE(ByteReader(too_big, "test").varint());
}

TEST_CASE("hexadecimal text goes both ways and refuses anything else") {
    CHECK(to_hex(std::string("\x00\xab\xff", 3)) == "00abff");
    CHECK(*from_hex("00ABff") == std::string("\x00\xab\xff", 3));
    CHECK_FALSE(from_hex("0"));
    CHECK_FALSE(from_hex("0g"));
}

TEST_CASE("128-bit numbers are parsed to the last digit and refused beyond") {
    CHECK(to_string(kU128Max) == "340282366920938463463374607431768211455");
    CHECK((parse_u128("340282366920938463463374607431768211455") == kU128Max));
    CHECK_FALSE(parse_u128("340282366920938463463374607431768211456"));
    CHECK_FALSE(parse_u128(""));
    CHECK_FALSE(parse_u128("-1"));
    CHECK_FALSE(parse_u128("1 "));
    CHECK((parse_u128("0") == u128{0}));
}

TEST_CASE("a 128-bit number and its decimal digits say the same, at every length") {
    u128 value = 1;
    std::string digits = "1";
    for (std::size_t length = 1; length <= 39; ++length) {
        for (u128 const number : {value - 1, value, value + 7}) {
            CHECK((parse_u128(to_string(number)) == number));
        }
        CHECK(to_string(value) == digits);
        CHECK(to_string(value - 1) == (length == 1 ? "0" : std::string(length - 1, '9')));
        CHECK((parse_u128(std::string(39 - length, '0') + digits) == value));
        CHECK_FALSE(parse_u128(digits + "x"));
        CHECK_FALSE(parse_u128(std::string(40 - length, '0') + digits));
        value *= 10;
        digits += '0';
    }
    for (unsigned bits = 0; bits < 128; ++bits) {
        u128 const number = kU128Max >> bits;
        CHECK((parse_u128(to_string(number)) == number));
        CHECK((parse_u128(to_string(number ^ (number >> 3))) == (number ^ (number >> 3))));
    }
    CHECK_FALSE(parse_u128("999999999999999999999999999999999999999"));
    std::string text = "x";
    append_decimal(text, make_u128(1, 0));
    CHECK(text == "x18446744073709551616");
}
