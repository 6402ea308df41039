#include "connectors/iso8583/charset.h"
#include "connectors/iso8583/codec.h"
#include "connectors/iso8583/codec_framing.h"
#include "tests/connectors/iso8583_rig.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <iconv.h>
#include <string>
#include <vector>

using namespace florin;
using namespace florin::connectors::iso8583;
using namespace florin::connectors::iso8583::test;

namespace {

Packaging packaging_with(std::string const& from, std::string const& to) {
    auto packaging = packaging_of("1987_ascii");
    if (from == "digits") {
        packaging.digits = packaging.mti = packaging.lengths = DigitForm::bcd;
        packaging.odd_digits_pad = to == "left" ? PadSide::left : PadSide::right;
    } else {
        packaging.bitmap = packaging.binary = BinaryForm::hex;
    }
    return packaging;
}

Message authorisation() {
    Message message{"0100"};
    message.set_pan(Pan{std::string_view{"4242424242424242"}});
    message.set(3, "000000");
    REQUIRE(message.set_amount(Money{4500, *Currency::from_alphabetic("EUR")}));
    message.set(7, "1124130405");
    message.set_stan(17);
    message.set(37, "632900000017");
    message.set(41, "TERM0001");
    return message;
}

// A message that has every kind of field, fixed and variable, odd and even, in both bitmaps.
Message every_kind() {
    auto message = authorisation();
    message.set(22, "012");
    message.set(28, "C00000150");
    message.set(32, "12345678901");
    message.set(35, "4242424242424242=2912101");
    message.set(43, "Shop                     Berlin       DE");
    message.set(48, "any text ~");
    message.set(52, std::string_view{"\x00\x01\x02\xff\xfe\xfd\x80\x7f", 8});
    message.set(55, std::string_view{"\x9f\x02\x06\x00\x00\x00\x00\x45\x00", 9});
    message.set(
        90, original_data_text({.mti = "0100", .stan = "000016", .transmission_time = "1124130400"})
    );
    message.set(102, "");
    message.set(128, "MACMACMA");
    return message;
}

std::string error_of(std::string const& bytes) {
    auto const decoded = decode(bytes, default_packaging());
    REQUIRE_FALSE(decoded);
    return to_string(decoded.error());
}

}  // namespace

TEST_CASE("a message has exactly the bytes of ISO 8583:1987 in ASCII with a raw bitmap") {
    Message message{"0800"};
    message.set(7, "1124130405");
    message.set_stan(1);
    message.set(70, "301");
    auto const bytes = encode(message, default_packaging());
    REQUIRE(bytes);
    // Bits 1, 7, 11; then bit 70, the sixth of the second bitmap.
    CHECK(
        *bytes ==
        "0800" + *from_hex("82200000000000000400000000000000") + "1124130405" + "000001" + "301"
    );
    CHECK(*frame(*bytes, default_packaging()) == std::string{"\x00\x27", 2} + *bytes);
}

TEST_CASE("what is encoded decodes to the same message in every packaging") {
    auto const message = every_kind();
    for (auto const& packaging :
         {default_packaging(),
          packaging_with("digits", "left"),
          packaging_with("digits", "right"),
          packaging_with("bitmap", "hex"),
          packaging_of("1987_bcd")}) {
        auto const bytes = encode(message, packaging);
        REQUIRE_MESSAGE(bytes, (bytes ? "" : bytes.error().context));
        auto const decoded = decode(*bytes, packaging);
        REQUIRE_MESSAGE(decoded, (decoded ? "" : decoded.error().context));
        CHECK(*decoded == message);
        CHECK(*encode(*decoded, packaging) == *bytes);
    }
}

TEST_CASE("every field of every packaging comes back, at its full length and at its shortest") {
    for (auto const* const name : {"1987_ascii", "1987_bcd", "1987_ebcdic", "1993_ascii"}) {
        auto packaging = packaging_of(name);
        int fields = 0;
        for (int number = 2; number <= kFieldMax; ++number) {
            auto const& spec = packaging.fields[static_cast<std::size_t>(number)];
            if (!spec) {
                CHECK(number == 65);
                continue;
            }
            ++fields;
            for (bool const is_full : {true, false}) {
                CAPTURE(name);
                CAPTURE(number);
                auto const length = is_full || spec->length_digits == 0 ? spec->length : 1;
                // Every character of the kind in turn.
                std::string alphabet;
                for (int byte = 0; byte < 256; ++byte) {
                    char const c = static_cast<char>(byte);
                    bool const is_digit = c >= '0' && c <= '9';
                    bool const is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
                    bool fits = false;
                    switch (spec->kind) {
                        case FieldKind::digits:
                        case FieldKind::signed_digits: fits = is_digit; break;
                        case FieldKind::letters: fits = is_letter; break;
                        case FieldKind::alphanumeric: fits = is_digit || is_letter; break;
                        case FieldKind::printable: fits = c >= ' ' && c <= '~'; break;
                        case FieldKind::binary: fits = true; break;
                        case FieldKind::track: fits = is_digit || c == '='; break;
                    }
                    if (fits) {
                        alphabet.push_back(c);
                    }
                }
                std::string value = spec->kind == FieldKind::signed_digits ? "D" : "";
                for (std::size_t i = 0; i < length; ++i) {
                    value += alphabet[(i + static_cast<std::size_t>(number)) % alphabet.size()];
                }
                Message message{packaging.version == "1993" ? "1100" : "0100"};
                message.set(number, value);
                auto const bytes = encode(message, packaging);
                REQUIRE_MESSAGE(bytes, (bytes ? "" : bytes.error().context));
                auto const decoded = decode(*bytes, packaging);
                REQUIRE_MESSAGE(decoded, (decoded ? "" : decoded.error().context));
                CHECK(decoded->get(number) == value);
                CHECK(*decoded == message);
            }
        }
        CHECK(fields == 126);
    }
}

TEST_CASE("EBCDIC is code page 1047 as the C library has it, and nothing beyond ASCII") {
    auto* const converter = ::iconv_open("IBM1047", "ASCII");
    REQUIRE(converter != reinterpret_cast<iconv_t>(-1));
    std::string known;
    for (char c = ' '; c <= '~'; ++c) {
        char in = c;
        char out = 0;
        char* from = &in;
        char* to = &out;
        std::size_t from_left = 1;
        std::size_t to_left = 1;
        REQUIRE(::iconv(converter, &from, &from_left, &to, &to_left) == 0);
        std::string ours;
        REQUIRE(append_ebcdic(ours, std::string_view{&c, 1}));
        CHECK(ours == std::string{out});
        CHECK(from_ebcdic(ours) == std::string{c});
        known += out;
    }
    ::iconv_close(converter);
    for (int byte = 0; byte < 256; ++byte) {
        std::string const one{static_cast<char>(byte)};
        CHECK(from_ebcdic(one).has_value() == (known.find(one) != std::string::npos));
    }
    std::string out = "kept";
    for (char const* const wrong : {"\n", "\x7f", "a\xe9"}) {
        CHECK_FALSE(append_ebcdic(out, wrong));
        CHECK(out == "kept");
    }
}

TEST_CASE("a message in EBCDIC has known bytes, and a byte that is no character is malformed") {
    auto packaging = packaging_of("1987_ebcdic");
    Message message{"0110"};
    message.set(3, "001000");
    message.set(28, "C00000150");
    message.set(35, "42=29");
    message.set(39, "1A");
    message.set(52, std::string_view{"\x00\x01\x02\xff\xfe\xfd\x80\x7f", 8});
    std::string const golden =
        "f0f1f1f0"          // 0110
        "2000001022001000"  // 3, 28, 35, 39, 52
        "f0f0f1f0f0f0"
        "c3f0f0f0f0f0f1f5f0"  // C, digits
        "f0f5f4f27ef2f9"      // LL, 42=29
        "f1c1"                // 1A
        "000102fffefd807f";
    auto const bytes = encode(message, packaging);
    REQUIRE(bytes);
    CHECK(to_hex(*bytes) == golden);
    CHECK(*decode(*bytes, packaging) == message);
    auto const refusal = [&](std::size_t at, char byte) {
        auto broken = *bytes;
        broken[at] = byte;
        auto const decoded = decode(broken, packaging);
        REQUIRE_FALSE(decoded);
        CHECK(decoded.error().code == Errc::malformed);
        return decoded.error().context;
    };
    CHECK(refusal(0, '0') == "ISO 8583:1987 MTI: a byte that is no character");
    CHECK(refusal(34, '\x15').find("field 39") != std::string::npos);
    CHECK(refusal(34, '\x15').find("no character") != std::string::npos);
    CHECK(refusal(12, '\xc1').find("field 3") != std::string::npos);
    // A separator may be a D.
    auto with_d = *bytes;
    with_d[31] = '\xc4';
    CHECK(*decode(with_d, packaging) == message);
    // Hexadecimal digits are characters too.
    packaging.bitmap = packaging.binary = BinaryForm::hex;
    Message short_one{"0800"};
    short_one.set(64, "MACMACMA");
    auto const hex = encode(short_one, packaging);
    CHECK(
        to_hex(*hex) ==
        "f0f8f0f0"
        "f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f1"
        "f484f4f1f4f3f484f4f1f4f3f484f4f1"  // "4d41434d41434d41"
    );
    CHECK(*decode(*hex, packaging) == short_one);
}

TEST_CASE("a message of 1993 has known bytes") {
    auto const packaging = packaging_of("1993_ascii");
    Message message{"1420"};
    message.set(4, "000000000500");
    message.set(12, "261124130405");
    message.set(24, "401");
    message.set(25, "4000");
    message.set(30, "000000004500000000000000");
    message.set(43, "Shop");
    message.set(56, "110000001726112413040506123456");
    auto const bytes = encode(message, packaging);
    REQUIRE_MESSAGE(bytes, (bytes ? "" : bytes.error().context));
    CHECK(
        *bytes == "1420" + *from_hex("1010018400200100") + "000000000500" + "261124130405" + "401" +
                      "4000" + "000000004500000000000000" + "04Shop" +
                      "30110000001726112413040506123456"
    );
    CHECK(*decode(*bytes, packaging) == message);
    CHECK(describe(message).find("56=1100000017") != std::string::npos);
    CHECK(describe(message).find("43=[4]") != std::string::npos);
}

TEST_CASE("digits packed two a byte have known bytes") {
    Message message{"0110"};
    message.set(22, "012");
    message.set(35, "42=29");
    auto const left = encode(message, packaging_with("digits", "left"));
    CHECK(
        to_hex(*left) ==
        "0110"
        "0000040020000000"
        "0012"
        "05"
        "042d29"
    );
    auto const right = encode(message, packaging_with("digits", "right"));
    CHECK(
        to_hex(*right) ==
        "0110"
        "0000040020000000"
        "0120"
        "05"
        "42d290"
    );
}

TEST_CASE("short fixed values are filled: numbers from the left, text to the right") {
    Message message{"0110"};
    message.set(4, "4500");
    message.set(41, "T1");
    auto const decoded = decode(*encode(message, default_packaging()), default_packaging());
    CHECK(decoded->get(4) == "000000004500");
    CHECK(decoded->get(41) == "T1      ");
    CHECK(decoded->trimmed(41) == "T1");
}

TEST_CASE("a value that its field cannot hold is refused by the field's name, never by its value") {
    auto const refusal = [](int field, std::string_view value) {
        Message message{"0100"};
        message.set(field, value);
        auto const bytes = encode(message, default_packaging());
        REQUIRE_FALSE(bytes);
        return to_string(bytes.error());
    };
    CHECK(refusal(2, "4242x242").find("field 2 (primary account number)") != std::string::npos);
    CHECK(refusal(2, "4242x242").find("4242") == std::string::npos);
    CHECK(refusal(4, "1234567890123").find("at most 12") != std::string::npos);
    CHECK(refusal(35, std::string(38, '1')).find("at most 37") != std::string::npos);
    CHECK(refusal(52, "short").find("must be 8") != std::string::npos);
    CHECK(refusal(28, "X00000100").find("field 28") != std::string::npos);
    CHECK(refusal(39, "\xe9").find("field 39") != std::string::npos);
    CHECK(refusal(65, "1").find("not in this packaging") != std::string::npos);
    CHECK(refusal(1, "1").find("no field 1") != std::string::npos);
    CHECK(refusal(129, "1").find("no field 129") != std::string::npos);
    CHECK_FALSE(encode(Message{"01"}, default_packaging()));
    CHECK_FALSE(encode(Message{"01x0"}, default_packaging()));
    Message large{"0100"};
    for (int field = 105; field < 120; ++field) {
        large.set(field, std::string(999, 'a'));
    }
    CHECK(encode(large, default_packaging()).error().code == Errc::out_of_range);
}

TEST_CASE("every cut of a message is refused, and so is a byte too many") {
    for (auto const& packaging : {default_packaging(), packaging_with("digits", "left")}) {
        auto const bytes = *encode(every_kind(), packaging);
        for (std::size_t length = 0; length < bytes.size(); ++length) {
            CHECK_FALSE(decode(bytes.substr(0, length), packaging));
        }
        CHECK_FALSE(decode(bytes + "0", packaging));
        CHECK(decode(bytes, packaging));
    }
}

TEST_CASE("errors of decoding name the field and the clause") {
    auto const head = [](char const* bitmap) { return "0110" + *from_hex(bitmap); };
    CHECK(error_of("01x0").find("MTI") != std::string::npos);
    CHECK(error_of("0119" + std::string(8, '\0')).find("MTI") != std::string::npos);
    CHECK(
        error_of(head("4000000000000000") + "20") ==
        "malformed: ISO 8583:1987 field 2 (primary account number): length 20, at most 19"
    );
    CHECK(error_of(head("4000000000000000") + "1x").find("not digits") != std::string::npos);
    CHECK(error_of(head("1000000000000000") + "12a456789012").find("field 4") != std::string::npos);
    CHECK(error_of(head("0000000002000000") + "\x01\x02").find("field 39") != std::string::npos);
    // A third bitmap, and a field that this packaging does not have.
    CHECK(error_of(head("80000000000000008000000000000000")).find("field 65") != std::string::npos);
}

TEST_CASE("amounts are ISO minor units with the numeric currency, and exact") {
    Message message{"0110"};
    CHECK(message.amount().error().code == Errc::not_found);
    REQUIRE(message.set_amount(Money{1200, *Currency::from_alphabetic("JPY")}));
    CHECK(message.get(4) == "000000001200");
    CHECK(message.get(49) == "392");
    CHECK(*message.amount() == Money{1200, *Currency::from_alphabetic("JPY")});
    CHECK(message.set_amount(Money{1, *Currency::from_alphabetic("ALL")}));
    CHECK(message.get(49) == "008");
    CHECK_FALSE(message.set_amount(Money{-1, *Currency::from_alphabetic("EUR")}));
    CHECK_FALSE(message.set_amount(Money{1'000'000'000'000, *Currency::from_alphabetic("EUR")}));
    message.set(49, "000");
    CHECK(message.amount().error().code == Errc::malformed);
}

TEST_CASE("field 90 is 42 digits and comes back in its five parts") {
    auto const text = original_data_text(
        {.mti = "0100", .stan = "000017", .transmission_time = "1124130405", .acquirer = "123456"}
    );
    CHECK(text == "010000001711241304050000012345600000000000");
    auto const original = parse_original_data(text);
    REQUIRE(original);
    CHECK(original->mti == "0100");
    CHECK(original->stan == "000017");
    CHECK(original->transmission_time == "1124130405");
    CHECK(original->acquirer == "00000123456");
    CHECK(original->forwarder == "00000000000");
    CHECK_FALSE(parse_original_data(text.substr(1)));
    CHECK_FALSE(parse_original_data("x" + text.substr(1)));
}

TEST_CASE("field 56 of 1993 has the length of its acquirer, and comes back") {
    OriginalData const data{
        .mti = "1100",
        .stan = "000017",
        .transmission_time = "261124130405",
        .acquirer = "123456",
        .forwarder = "9"
    };
    auto const text = original_data_text_1993(data);
    CHECK(text == "110000001726112413040506123456");
    auto const original = parse_original_data_1993(text);
    REQUIRE(original);
    CHECK(original->mti == "1100");
    CHECK(original->stan == "000017");
    CHECK(original->transmission_time == "261124130405");
    CHECK(original->acquirer == "123456");
    CHECK(parse_original_data_1993("110000001726112413040500")->acquirer.empty());
    for (char const* const wrong :
         {"",
          "11000000172611241304050",
          "1100000017261124130405",
          "11000000172611241304050612345",
          "1100000017261124130405061234567",
          "11000000172611241304050612345x",
          "110000001726112413040512123456789012"}) {
        CHECK_FALSE(parse_original_data_1993(wrong));
    }
}

TEST_CASE("the answer to a repeat is the answer to the first message") {
    CHECK(answer_mti("0100") == "0110");
    CHECK(answer_mti("0220") == "0230");
    CHECK(answer_mti("0221") == "0230");
    CHECK(answer_mti("0421") == "0430");
    CHECK(answer_mti("1221") == "1230");
    CHECK(answer_mti("1804") == "1814");
    CHECK(answer_mti("1805") == "1814");
    CHECK(first_mti("0421") == "0420");
    CHECK(first_mti("1423") == "1422");
    CHECK(first_mti("1814") == "1814");
    CHECK(wants_answer("0800"));
    CHECK(wants_answer("0421"));
    CHECK_FALSE(wants_answer("0110"));
    CHECK_FALSE(wants_answer("0430"));
}

TEST_CASE("the printable form shows no card data") {
    auto const text = describe(every_kind());
    CHECK(text.starts_with("0100 2=************4242 3=000000 4=000000004500 7=1124130405"));
    CHECK(text.find("35=[24]") != std::string::npos);
    CHECK(text.find("52=[8]") != std::string::npos);
    CHECK(text.find("48=[10]") != std::string::npos);
    CHECK(text.find("4242424242424242") == std::string::npos);
    CHECK(text.find("2912") == std::string::npos);
}

TEST_CASE("frames come out whole, however the bytes arrive") {
    for (auto const form : {FrameLength::binary2, FrameLength::ascii4, FrameLength::bcd2}) {
        auto packaging = default_packaging();
        packaging.frame_length = form;
        auto const keep_alive = *frame("", packaging);
        auto const stream = *frame("first", packaging) + keep_alive +
                            *frame(std::string(1234, 'x'), packaging) + *frame("last", packaging);
        for (std::size_t const step : {std::size_t{1}, std::size_t{3}, stream.size()}) {
            FrameReader reader{packaging};
            std::vector<std::string> messages;
            for (std::size_t at = 0; at < stream.size(); at += step) {
                reader.feed(std::string_view{stream}.substr(at, step));
                while (true) {
                    auto const message = reader.next();
                    REQUIRE(message);
                    if (!*message) {
                        break;
                    }
                    messages.emplace_back(**message);
                }
            }
            CHECK(messages == std::vector<std::string>{"first", std::string(1234, 'x'), "last"});
            CHECK_FALSE(reader.is_inside_message());
        }
    }
}

TEST_CASE("a frame length that is too large or no number ends the stream") {
    FrameReader binary{default_packaging()};
    binary.feed("\xff\xff");
    CHECK(binary.next().error().code == Errc::malformed);
    auto packaging = default_packaging();
    packaging.frame_length = FrameLength::ascii4;
    FrameReader ascii{packaging};
    ascii.feed("12x4");
    CHECK(ascii.next().error().code == Errc::malformed);
    packaging.frame_length = FrameLength::bcd2;
    FrameReader bcd{packaging};
    bcd.feed(std::string_view{"\x1a\x00", 2});
    CHECK(bcd.next().error().code == Errc::malformed);
    CHECK(frame(std::string(8193, 'x'), default_packaging()).error().code == Errc::out_of_range);
}

TEST_CASE("a packaging file that is not understood in full is refused") {
    auto const refusal = [](std::string const& from, std::string const& to) {
        std::string toml =
            "name = \"t\"\nversion = \"1987\"\nmti = \"ascii\"\ndigits = \"ascii\"\n"
            "odd_digits_pad = \"left\"\nlengths = \"ascii\"\nbitmap = \"raw\"\nbinary = \"raw\"\n"
            "[frame]\nlength = \"binary2\"\nbytes_max = 8192\n[fields]\n2 = [\"n..19\", \"pan\"]\n";
        REQUIRE(parse_packaging(toml, "test"));
        auto const at = toml.find(from);
        REQUIRE(at != std::string::npos);
        toml.replace(at, from.size(), to);
        auto const parsed = parse_packaging(toml, "test");
        REQUIRE_FALSE(parsed);
        return parsed.error().context;
    };
    CHECK(
        refusal("mti = \"ascii\"", "mti = \"utf8\"") ==
        "test: mti must be one of ascii, bcd, ebcdic"
    );
    CHECK(
        refusal("mti =", "charset = \"latin1\"\nmti =") ==
        "test: charset must be one of ascii, ebcdic"
    );
    CHECK(refusal("\"1987\"", "\"2003\"") == "test: version must be one of 1987, 1993");
    CHECK(refusal("mti = \"ascii\"\n", "").find("mti must be a text") != std::string::npos);
    CHECK(refusal("name", "name = 1\nxname").find("name must be") != std::string::npos);
    CHECK(refusal("[frame]", "extra = 1\n[frame]").find("does not know") != std::string::npos);
    CHECK(refusal("8192", "8192\nextra = 1").find("[frame]: a key") != std::string::npos);
    CHECK(refusal("8192", "65536").find("bytes_max must be from 64") != std::string::npos);
    CHECK(refusal("[frame]", "[frames]").find("[frame] is missing") != std::string::npos);
    CHECK(refusal("\n2 =", "\n1 =").find("no such field: 1") != std::string::npos);
    CHECK(refusal("\n2 =", "\n65 =").find("no such field: 65") != std::string::npos);
    CHECK(refusal("\n2 =", "\n129 =").find("no such field") != std::string::npos);
    CHECK(refusal("n..19", "q19").find("field 2 must be") != std::string::npos);
    CHECK(refusal("n..19", "n..199").find("field 2 must be") != std::string::npos);
    CHECK(refusal("n..19", "n....19").find("field 2 must be") != std::string::npos);
    CHECK(refusal("n..19", "n0").find("field 2 must be") != std::string::npos);
    CHECK(refusal(", \"pan\"", "").find("field 2 must be") != std::string::npos);
    CHECK(refusal("version =", "version").starts_with("test:2: "));
    CHECK(load_packaging("/nonexistent/packaging.toml").error().code == Errc::io);
}
