#include "connectors/iso8583/connector.h"
#include "connectors/iso8583/tlv.h"
#include "tests/connectors/iso8583_rig.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace florin;
using namespace florin::connectors;
using namespace florin::connectors::iso8583;
using namespace florin::connectors::iso8583::test;

namespace {

std::string bytes_of(std::string const& hex) {
    return *from_hex(hex);
}

// What a chip says to an authorisation: amounts, cryptogram, counters.
constexpr char const* kChip =
    "9f0206000000004500"
    "9f2608a1b2c3d4e5f60718"
    "82021980"
    "9f36020017"
    "5f2a020978";

}  // namespace

TEST_CASE("chip data is read object by object") {
    auto const data = bytes_of(kChip);
    CHECK(check_tlv(data));
    ByteView rest = data;
    std::vector<std::uint32_t> tags;
    while (true) {
        auto const object = next_tlv(rest);
        REQUIRE(object);
        if (!*object) {
            break;
        }
        tags.push_back((*object)->tag);
    }
    CHECK(tags == std::vector<std::uint32_t>{0x9f02, 0x9f26, 0x82, 0x9f36, 0x5f2a});
    CHECK(to_hex(*find_tlv(data, 0x9f26)) == "a1b2c3d4e5f60718");
    CHECK_FALSE(find_tlv(data, 0x9f27));
    CHECK(check_tlv(""));
    CHECK(check_tlv(bytes_of("00009f360200170000")));
    CHECK(check_tlv(bytes_of("df8101020102")));  // three bytes of tag
    CHECK(check_tlv(bytes_of("5a8103010203")));  // one byte of length where none is needed
    CHECK(check_tlv(bytes_of("7103860101")));    // an object inside
    CHECK(check_tlv(bytes_of("5a820100") + std::string(256, 'x')));
}

TEST_CASE("what breaks the grammar of BER-TLV is refused, and every cut of good data") {
    for (char const* const wrong :
         {"9f",            // inside a tag
          "df81",          // the same, in its third byte
          "df818101",      // four bytes of tag
          "9f0001aa",      // a tag that could be shorter
          "9f02",          // no length
          "5a81",          // inside a length
          "5a8201",        //
          "5a80",          // indefinite
          "5a83000001aa",  // three bytes of length
          "5a02aa",        // a value that is cut
          "5a82ffffaa",    //
          "710386020a",    // cut inside a constructed value
          "7102860171"}) {
        CAPTURE(wrong);
        auto const checked = check_tlv(bytes_of(wrong));
        REQUIRE_FALSE(checked);
        CHECK(checked.error().code == Errc::malformed);
    }
    std::string const whole = bytes_of(kChip);
    for (std::size_t size = 1; size < whole.size(); ++size) {
        // Between two objects a cut is not seen.
        bool const is_between = size == 9 || size == 20 || size == 24 || size == 29;
        CHECK(check_tlv(whole.substr(0, size)).has_value() == is_between);
    }
    CHECK(check_tlv(std::string(1000, '\0')).error().code == Errc::out_of_range);
    std::string nested = bytes_of("5a00");
    for (int depth = 2; depth <= kTlvDepthMax; ++depth) {
        nested = "q" + std::string{static_cast<char>(nested.size())} + nested;
    }
    CHECK(check_tlv(nested));
    nested = "q" + std::string{static_cast<char>(nested.size())} + nested;
    CHECK(check_tlv(nested).error().code == Errc::out_of_range);
}

TEST_CASE("chip data passes through in field 55, to the bank and back") {
    Iso8583Options options{.id = ConnectorId{"bank"}};
    auto request = authorise_request(17);
    CHECK_FALSE(authorise_message(request, options, kNow)->has(55));
    request.chip_data = ChipData{bytes_of(kChip)};
    auto const message = authorise_message(request, options, kNow);
    REQUIRE(message);
    CHECK(message->get(55) == bytes_of(kChip));
    CHECK(describe(*message).find("55=[34]") != std::string::npos);
    request.chip_data = ChipData{bytes_of("9f02")};
    CHECK(authorise_message(request, options, kNow).error().code == Errc::malformed);

    Message answer{"0110"};
    answer.set(39, "00");
    answer.set(55, bytes_of("910a00112233445566770000"));
    auto const reply = reply_of(answer, std::nullopt, default_packaging());
    CHECK(reply.outcome == Outcome::approved);
    CHECK(to_hex(reply.chip_data.reveal()) == "910a00112233445566770000");
    // What cannot be followed is not handed on; the answer counts.
    answer.set(55, bytes_of("910a0011"));
    auto const broken = reply_of(answer, std::nullopt, default_packaging());
    CHECK(broken.outcome == Outcome::approved);
    CHECK(broken.chip_data.empty());
}
