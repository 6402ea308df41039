// Fuzzes the parsers of the floor: integers, lengths, hexadecimal, decimal numbers and money.
//
// What is asserted: a reader never passes the end and never stands still after a success; whatever
// parses, writes back to something that parses to the same value, and where the grammar has one
// spelling only, to the same bytes. The first byte of the input picks the parser.
#include "ledger/base/bytes.h"
#include "ledger/base/check.h"
#include "ledger/base/currency.h"
#include "ledger/base/money.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace florin {
namespace {

// The same 7-bit groups, but for idle zero groups at the end: no bit was dropped.
void check_groups(std::string_view canonical, std::string_view read) {
    FLORIN_CHECK(canonical.size() <= read.size(), "varint grew");
    for (std::size_t i = 0; i < read.size(); ++i) {
        int const kept = i < canonical.size() ? canonical[i] & 0x7f : 0;
        FLORIN_CHECK((read[i] & 0x7f) == kept, "varint lost bits");
    }
}

// A program of reads: one byte picks the width, the next bytes are its operand.
void read_everything(ByteView bytes) {
    ByteReader in{bytes, "fuzz"};
    while (!in.at_end()) {
        auto const before = in.position();
        auto const choice = in.little<std::uint8_t>();
        FLORIN_CHECK(choice, "a byte was left");
        bool read = false;
        switch (*choice % 6) {
            case 0: {
                auto const value = in.little<std::uint32_t>();
                if ((read = value.has_value())) {
                    std::string out;
                    ByteWriter{out}.little(*value);
                    FLORIN_CHECK(out == bytes.substr(before + 1, 4), "little-endian u32 differs");
                }
                break;
            }
            case 1: {
                auto const value = in.big<std::uint64_t>();
                if ((read = value.has_value())) {
                    std::string out;
                    ByteWriter{out}.big(*value);
                    FLORIN_CHECK(out == bytes.substr(before + 1, 8), "big-endian u64 differs");
                }
                break;
            }
            case 2: {
                auto const value = in.varint();
                if ((read = value.has_value())) {
                    std::string out;
                    ByteWriter{out}.varint(*value);
                    ByteReader again{out, "fuzz"};
                    auto const second = again.varint();
                    FLORIN_CHECK(second && *second == *value, "varint differs");
                    FLORIN_CHECK(again.at_end(), "varint leaves bytes behind");
                    check_groups(out, bytes.substr(before + 1, in.position() - before - 1));
                }
                break;
            }
            case 3: {
                auto const value = in.varint64();
                if ((read = value.has_value())) {
                    std::string out;
                    ByteWriter{out}.varint(*value);
                    FLORIN_CHECK(ByteReader(out, "fuzz").varint64() == *value, "varint64 differs");
                }
                break;
            }
            case 4: {
                auto const value = in.sized();
                if ((read = value.has_value())) {
                    std::string out;
                    ByteWriter{out}.sized(*value);
                    FLORIN_CHECK(
                        out == bytes.substr(before + 1, value->size() + 4), "sized bytes differ"
                    );
                }
                break;
            }
            default: read = in.take(*choice / 6).has_value(); break;
        }
        FLORIN_CHECK(in.position() <= bytes.size(), "read past the end");
        FLORIN_CHECK(in.position() > before, "stood still");
        if (!read) {
            return;
        }
    }
}

void parse_hex(std::string_view text) {
    FLORIN_CHECK(from_hex(to_hex(text)) == std::string{text}, "hexadecimal does not come back");
    if (auto const bytes = from_hex(text)) {
        std::string lower{text};
        std::ranges::transform(lower, lower.begin(), [](unsigned char c) {
            return static_cast<char>(std::tolower(c));
        });
        FLORIN_CHECK(to_hex(*bytes) == lower, "hexadecimal differs");
    }
}

void parse_number(std::string_view text) {
    if (auto const value = parse_u128(text)) {
        auto const canonical = to_string(*value);
        auto const zeros = std::min(text.find_first_not_of('0'), text.size() - 1);
        FLORIN_CHECK(text.substr(zeros) == canonical, "number differs");
        FLORIN_CHECK(parse_u128(canonical) == value, "number does not come back");
    }
}

void parse_money(std::string_view text) {
    // One currency of each number of decimals.
    for (std::string_view const code : {"JPY", "EUR", "KWD", "CLF"}) {
        auto const currency = Currency::from_alphabetic(code);
        FLORIN_CHECK(currency, "a currency of the table is missing");
        auto const money = parse_decimal(text, *currency);
        if (!money) {
            FLORIN_CHECK(money.error().code == Errc::malformed, "wrong kind of error");
            continue;
        }
        auto const canonical = decimal_text(*money);
        FLORIN_CHECK(parse_decimal(canonical, *currency) == *money, "money does not come back");
        FLORIN_CHECK(
            to_string(*money) == canonical + " " + std::string{code}, "two texts of one amount"
        );
    }
}

}  // namespace
}  // namespace florin

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    std::string_view const input{reinterpret_cast<char const*>(data) + 1, size - 1};
    switch (data[0] % 4) {
        case 0: florin::read_everything(input); break;
        case 1: florin::parse_hex(input); break;
        case 2: florin::parse_number(input); break;
        default: florin::parse_money(input); break;
    }
    return 0;
}
