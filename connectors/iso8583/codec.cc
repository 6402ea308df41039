#include "connectors/iso8583/codec.h"

#include "connectors/iso8583/charset.h"
#include "connectors/iso8583/digits.h"
#include "ledger/base/check.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace florin::connectors::iso8583 {
namespace {

bool is_letter(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool fits_kind(FieldKind kind, std::string_view value) {
    switch (kind) {
        case FieldKind::digits: return all_digits(value);
        case FieldKind::letters:
            return std::all_of(value.begin(), value.end(), [](char c) {
                return is_letter(c) || c == ' ';
            });
        case FieldKind::alphanumeric:
            return std::all_of(value.begin(), value.end(), [](char c) {
                return is_letter(c) || is_digit(c) || c == ' ';
            });
        case FieldKind::printable:
            return std::all_of(value.begin(), value.end(), [](char c) {
                return c >= ' ' && c <= '~';
            });
        case FieldKind::binary: return true;
        case FieldKind::track:
            return std::all_of(value.begin(), value.end(), [](char c) {
                return is_digit(c) || c == '=';
            });
        case FieldKind::signed_digits:
            return !value.empty() && (value[0] == 'C' || value[0] == 'D') &&
                   all_digits(value.substr(1));
    }
    return false;
}

// Digits (and '=' as D) two a byte. An odd number gets a zero on the given side.
void put_bcd(std::string& out, std::string_view digits, PadSide pad) {
    auto const nibble = [](char c) { return c == '=' ? 0xD : c - '0'; };
    bool const odd = digits.size() % 2 == 1;
    std::size_t at = 0;
    if (odd && pad == PadSide::left) {
        out.push_back(static_cast<char>(nibble(digits[at++])));
    }
    for (; at + 1 < digits.size(); at += 2) {
        out.push_back(static_cast<char>(nibble(digits[at]) << 4 | nibble(digits[at + 1])));
    }
    if (at < digits.size()) {
        out.push_back(static_cast<char>(nibble(digits[at]) << 4));
    }
}

// The reverse; nullopt for a nibble that is no digit (D is '=' in tracks) or a pad that is not
// zero.
std::optional<std::string> take_bcd(
    ByteView bytes, std::size_t digits, PadSide pad, bool separators
) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (char const c : bytes) {
        for (int const shift : {4, 0}) {
            auto const nibble = (static_cast<unsigned char>(c) >> shift) & 0xF;
            if (nibble > 9 && !(separators && nibble == 0xD)) {
                return std::nullopt;
            }
            text.push_back(nibble == 0xD ? '=' : static_cast<char>('0' + nibble));
        }
    }
    if (text.size() > digits) {
        auto const pad_at = pad == PadSide::left ? 0 : text.size() - 1;
        if (text[pad_at] != '0') {
            return std::nullopt;
        }
        text.erase(pad_at, 1);
    }
    return text;
}

// Fills a fixed field to its length: numbers with zeros before, text with spaces after.
Result<std::string> filled(
    FieldSpec const& spec, std::string_view value, Packaging const& packaging, int field
) {
    auto const full = spec.length + (spec.kind == FieldKind::signed_digits ? 1 : 0);
    auto const wrong = [&](std::string_view what) {
        return fail(
            Errc::out_of_range,
            field_title(packaging, field) + ": length " + std::to_string(value.size()) +
                std::string{what} + std::to_string(full)
        );
    };
    if (value.size() > full) {
        return wrong(", at most ");
    }
    std::string text{value};
    if (spec.length_digits != 0 || text.size() == full) {
        return text;
    }
    switch (spec.kind) {
        case FieldKind::digits: return std::string(full - text.size(), '0') + text;
        case FieldKind::letters:
        case FieldKind::alphanumeric:
        case FieldKind::printable: return text + std::string(full - text.size(), ' ');
        case FieldKind::binary:
        case FieldKind::track:
        case FieldKind::signed_digits: break;
    }
    return wrong(", must be ");
}

// Printable characters only: the caller has looked.
void put_text(std::string& out, std::string_view text, Charset charset) {
    switch (charset) {
        case Charset::ascii: out += text; break;
        case Charset::ebcdic:
            FLORIN_CHECK(append_ebcdic(out, text), "text that is encoded is printable");
            break;
    }
}

void put_digits(std::string& out, std::string_view digits, DigitForm form, PadSide pad) {
    switch (form) {
        case DigitForm::ascii: put_text(out, digits, Charset::ascii); break;
        case DigitForm::bcd: put_bcd(out, digits, pad); break;
        case DigitForm::ebcdic: put_text(out, digits, Charset::ebcdic); break;
    }
}

void put_binary(std::string& out, std::string_view raw, BinaryForm form, Charset charset) {
    if (form == BinaryForm::hex) {
        put_text(out, to_hex(raw), charset);
    } else {
        out += raw;
    }
}

void put_bitmap(std::string& out, std::uint64_t map, Packaging const& packaging) {
    std::string raw;
    ByteWriter{raw}.big(map);
    put_binary(out, raw, packaging.bitmap, packaging.charset);
}

Result<void> put_field(
    std::string& out, int field, std::string_view value, Packaging const& packaging
) {
    auto const& spec = packaging.fields[static_cast<std::size_t>(field)];
    if (!spec) {
        return fail(Errc::unsupported, field_title(packaging, field) + ": not in this packaging");
    }
    if (!fits_kind(spec->kind, value)) {
        return fail(
            Errc::malformed, field_title(packaging, field) + ": a character it cannot hold"
        );
    }
    FLORIN_TRY(auto text, filled(*spec, value, packaging, field));
    if (spec->length_digits != 0) {
        put_digits(
            out, decimal(text.size(), spec->length_digits), packaging.lengths, PadSide::left
        );
    }
    switch (spec->kind) {
        case FieldKind::binary: put_binary(out, text, packaging.binary, packaging.charset); break;
        case FieldKind::digits:
        case FieldKind::track:
            put_digits(out, text, packaging.digits, packaging.odd_digits_pad);
            break;
        case FieldKind::signed_digits:
            put_text(out, std::string_view{text}.substr(0, 1), packaging.charset);
            put_digits(
                out, std::string_view{text}.substr(1), packaging.digits, packaging.odd_digits_pad
            );
            break;
        case FieldKind::letters:
        case FieldKind::alphanumeric:
        case FieldKind::printable: put_text(out, text, packaging.charset); break;
    }
    explicit_bzero(text.data(), text.size());
    return {};
}

class Decoder {
public:
    Decoder(ByteView bytes, Packaging const& packaging)
        : reader_{bytes, "ISO 8583 message"}, packaging_{packaging} {}

    Result<Message> message() {
        FLORIN_TRY(auto mti, digits(4, packaging_.mti, 0));
        if (mti[3] > '5') {
            return fail(Errc::malformed, "ISO 8583:" + packaging_.version + " MTI: origin unknown");
        }
        Message message{std::move(mti)};
        FLORIN_TRY(auto const first, bitmap());
        std::uint64_t second = 0;
        if ((first >> 63) != 0) {
            FLORIN_TRY(second, bitmap());
        }
        for (int number = 2; number <= kFieldMax; ++number) {
            auto const& map = number <= 64 ? first : second;
            if (((map >> ((kFieldMax - number) % 64)) & 1) == 0) {
                continue;
            }
            FLORIN_TRY(auto value, field(number));
            message.set(number, value);
            explicit_bzero(value.data(), value.size());
        }
        if (!reader_.at_end()) {
            return fail(
                Errc::malformed,
                "ISO 8583 message: " + std::to_string(reader_.left()) +
                    " bytes after its last field"
            );
        }
        return message;
    }

private:
    std::unexpected<Error> bad(int field, std::string_view what) const {
        return fail(
            Errc::malformed,
            (field == 0 ? "ISO 8583:" + packaging_.version + " MTI" : field_title(packaging_, field)
            ) + ": " +
                std::string{what}
        );
    }
    Result<ByteView> take(std::size_t count, int field) {
        if (count > reader_.left()) {
            return bad(field, "the message ends inside it");
        }
        return reader_.take(count);
    }
    // `count` characters, as ASCII.
    Result<std::string> text(std::size_t count, Charset charset, int field) {
        FLORIN_TRY(ByteView const raw, take(count, field));
        if (charset == Charset::ascii) {
            return std::string{raw};
        }
        auto ascii = from_ebcdic(raw);
        if (!ascii) {
            return bad(field, "a byte that is no character");
        }
        return std::move(*ascii);
    }
    // Digits; '=' too where they are a track. A track's separator may be written as D.
    Result<std::string> digits(
        std::size_t count, DigitForm form, int field, bool is_track = false
    ) {
        if (form == DigitForm::bcd) {
            FLORIN_TRY(ByteView const raw, take((count + 1) / 2, field));
            auto packed = take_bcd(raw, count, packaging_.odd_digits_pad, is_track);
            if (!packed) {
                return bad(field, "not packed digits");
            }
            return std::move(*packed);
        }
        FLORIN_TRY(
            auto value,
            text(count, form == DigitForm::ascii ? Charset::ascii : Charset::ebcdic, field)
        );
        if (is_track) {
            std::replace(value.begin(), value.end(), 'D', '=');
        }
        if (!fits_kind(is_track ? FieldKind::track : FieldKind::digits, value)) {
            return bad(field, is_track ? "a character it cannot hold" : "not digits");
        }
        return value;
    }
    Result<std::string> binary(std::size_t count, BinaryForm form, int field) {
        if (form == BinaryForm::raw) {
            FLORIN_TRY(ByteView const raw, take(count, field));
            return std::string{raw};
        }
        FLORIN_TRY(auto const hex, text(count * 2, packaging_.charset, field));
        auto bytes = from_hex(hex);
        return bytes ? std::move(bytes) : bad(field, "not hexadecimal");
    }
    Result<std::uint64_t> bitmap() {
        FLORIN_TRY(auto const raw, binary(8, packaging_.bitmap, 1));
        return ByteReader{raw, "bitmap"}.big<std::uint64_t>();
    }
    Result<std::size_t> variable_length(FieldSpec const& spec, int field) {
        // Packed lengths fill whole bytes with zeros before them, whatever the digits do.
        auto const width = packaging_.lengths == DigitForm::bcd ? (spec.length_digits + 1) / 2 * 2
                                                                : spec.length_digits;
        FLORIN_TRY(auto const text, digits(width, packaging_.lengths, field));
        std::size_t length = 0;
        std::from_chars(text.data(), text.data() + text.size(), length);
        if (length > spec.length) {
            return bad(
                field,
                "length " + std::to_string(length) + ", at most " + std::to_string(spec.length)
            );
        }
        return length;
    }
    Result<std::string> field(int number) {
        auto const& spec = packaging_.fields[static_cast<std::size_t>(number)];
        if (!spec) {
            return fail(
                Errc::unsupported, field_title(packaging_, number) + ": not in this packaging"
            );
        }
        auto length = spec->length;
        if (spec->length_digits != 0) {
            FLORIN_TRY(length, variable_length(*spec, number));
        }
        switch (spec->kind) {
            case FieldKind::binary: return binary(length, packaging_.binary, number);
            case FieldKind::digits:
            case FieldKind::track:
                return digits(length, packaging_.digits, number, spec->kind == FieldKind::track);
            case FieldKind::signed_digits: {
                FLORIN_TRY(auto value, text(1, packaging_.charset, number));
                FLORIN_TRY(auto const rest, digits(length, packaging_.digits, number));
                value += rest;
                return fitting(*spec, std::move(value), number);
            }
            case FieldKind::letters:
            case FieldKind::alphanumeric:
            case FieldKind::printable: break;
        }
        FLORIN_TRY(auto value, text(length, packaging_.charset, number));
        return fitting(*spec, std::move(value), number);
    }
    Result<std::string> fitting(FieldSpec const& spec, std::string value, int number) const {
        if (!fits_kind(spec.kind, value)) {
            return bad(number, "a character it cannot hold");
        }
        return value;
    }

    ByteReader reader_;
    Packaging const& packaging_;
};

}  // namespace

Result<std::string> encode(Message const& message, Packaging const& packaging) {
    auto const& mti = message.mti();
    if (mti.size() != 4 || !all_digits(mti) || mti[3] > '5') {
        return fail(Errc::malformed, "ISO 8583:" + packaging.version + " MTI: not four digits");
    }
    std::uint64_t maps[2] = {0, 0};
    for (auto const& [number, value] : message.fields()) {
        if (number < 2 || number > kFieldMax) {
            return fail(Errc::out_of_range, "ISO 8583 has no field " + std::to_string(number));
        }
        maps[number > 64] |= std::uint64_t{1} << ((kFieldMax - number) % 64);
    }
    if (maps[1] != 0) {
        maps[0] |= std::uint64_t{1} << 63;
    }
    std::string out;
    // One allocation, so that growing leaves no unwiped copy of card data behind.
    out.reserve(packaging.frame_bytes_max);
    put_digits(out, mti, packaging.mti, PadSide::left);
    put_bitmap(out, maps[0], packaging);
    if (maps[1] != 0) {
        put_bitmap(out, maps[1], packaging);
    }
    for (auto const& [number, value] : message.fields()) {
        FLORIN_TRY_VOID(put_field(out, number, value.reveal(), packaging));
        if (out.size() > packaging.frame_bytes_max) {
            return fail(
                Errc::out_of_range,
                "ISO 8583 message: longer than " + std::to_string(packaging.frame_bytes_max) +
                    " bytes"
            );
        }
    }
    return out;
}

Result<Message> decode(ByteView bytes, Packaging const& packaging) {
    return Decoder{bytes, packaging}.message();
}

}  // namespace florin::connectors::iso8583
