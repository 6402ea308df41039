#include "connectors/iso8583/codec.h"

#include "connectors/iso8583/charset.h"
#include "ledger/base/check.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>
#include <utility>

namespace florin::connectors::iso8583 {
namespace {

// What describe() shows as it is, by version. Everything else is card data, personal, or not known
// to be harmless.
std::set<int> const kPrintable1987{3,  4,  5,  6,  7,  11, 12, 13, 15, 17, 18, 22, 24, 25,
                                   32, 33, 37, 38, 39, 41, 42, 49, 50, 51, 66, 70, 90, 95};
std::set<int> const kPrintable1993{3,  4,  5,  6,  7,  11, 12, 15, 17, 18, 22, 24, 25,
                                   26, 30, 32, 33, 37, 38, 39, 41, 42, 49, 50, 51, 56};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool all_digits(std::string_view text) {
    return std::all_of(text.begin(), text.end(), is_digit);
}

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

// With zeros before it up to `width`.
std::string decimal(std::size_t value, std::size_t width) {
    auto text = std::to_string(value);
    return text.size() < width ? std::string(width - text.size(), '0') + text : text;
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

std::string_view Message::get(int field) const {
    auto const found = fields_.find(field);
    return found == fields_.end() ? std::string_view{} : found->second.reveal();
}

std::string_view Message::trimmed(int field) const {
    auto const value = get(field);
    auto const last = value.find_last_not_of(' ');
    return last == std::string_view::npos ? std::string_view{} : value.substr(0, last + 1);
}

void Message::set(int field, std::string_view value) {
    fields_.insert_or_assign(field, Value{value});
}

void Message::set_stan(std::uint32_t stan) {
    set(11, decimal(stan, 6));
}

Result<void> Message::set_amount(Money amount) {
    constexpr std::int64_t kTwelveDigits = 999'999'999'999;
    if (amount.minor < 0 || amount.minor > kTwelveDigits) {
        return fail(
            Errc::out_of_range,
            "ISO 8583 field 4 holds 0 to 12 digits of minor units, not " + to_string(amount)
        );
    }
    set(4, decimal(static_cast<std::size_t>(amount.minor), 12));
    set(49, decimal(amount.currency.numeric(), 3));
    return {};
}

Result<Money> Message::amount() const {
    if (!has(4) || !has(49)) {
        return fail(Errc::not_found, "ISO 8583 fields 4 and 49: no amount with a currency");
    }
    std::int64_t minor = 0;
    std::uint16_t code = 0;
    auto const digits = get(4);
    auto const numeric = get(49);
    if (digits.empty() || digits.size() > 12 || !all_digits(digits) || numeric.size() != 3 ||
        !all_digits(numeric)) {
        return fail(Errc::malformed, "ISO 8583 fields 4 and 49: not digits");
    }
    std::from_chars(digits.data(), digits.data() + digits.size(), minor);
    std::from_chars(numeric.data(), numeric.data() + numeric.size(), code);
    auto const currency = Currency::from_numeric(code);
    if (!currency) {
        return fail(Errc::malformed, "ISO 8583 field 49: unknown currency");
    }
    return Money{minor, *currency};
}

bool operator==(Message const& a, Message const& b) {
    return a.mti_ == b.mti_ && std::equal(
                                   a.fields_.begin(),
                                   a.fields_.end(),
                                   b.fields_.begin(),
                                   b.fields_.end(),
                                   [](auto const& x, auto const& y) {
                                       return x.first == y.first &&
                                              x.second.reveal() == y.second.reveal();
                                   }
                               );
}

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

std::string original_data_text(OriginalData const& original) {
    auto const eleven = [](std::string const& id) {
        return id.size() < 11 ? std::string(11 - id.size(), '0') + id : id;
    };
    return original.mti + original.stan + original.transmission_time + eleven(original.acquirer) +
           eleven(original.forwarder);
}

Result<OriginalData> parse_original_data(std::string_view text) {
    if (text.size() != 42 || !all_digits(text)) {
        return fail(Errc::malformed, "ISO 8583:1987 field 90: not 42 digits");
    }
    return OriginalData{
        .mti = std::string{text.substr(0, 4)},
        .stan = std::string{text.substr(4, 6)},
        .transmission_time = std::string{text.substr(10, 10)},
        .acquirer = std::string{text.substr(20, 11)},
        .forwarder = std::string{text.substr(31, 11)},
    };
}

std::string original_data_text_1993(OriginalData const& original) {
    return original.mti + original.stan + original.transmission_time +
           decimal(original.acquirer.size(), 2) + original.acquirer;
}

Result<OriginalData> parse_original_data_1993(std::string_view text) {
    constexpr std::size_t kFixed = 24;
    auto const malformed = [](char const* what) {
        return fail(Errc::malformed, std::string{"ISO 8583:1993 field 56: "} + what);
    };
    if (text.size() < kFixed || !all_digits(text)) {
        return malformed("not 24 digits or more");
    }
    auto const acquirer = text.substr(kFixed);
    if (decimal(acquirer.size(), 2) != text.substr(kFixed - 2, 2) || acquirer.size() > 11) {
        return malformed("its acquirer has not the length that it says");
    }
    return OriginalData{
        .mti = std::string{text.substr(0, 4)},
        .stan = std::string{text.substr(4, 6)},
        .transmission_time = std::string{text.substr(10, 12)},
        .acquirer = std::string{acquirer},
        .forwarder = {},
    };
}

std::string answer_mti(std::string_view mti) {
    auto answer = first_mti(mti);
    if (answer.size() == 4) {
        answer[2] = static_cast<char>(answer[2] + 1);
    }
    return answer;
}

std::string first_mti(std::string_view mti) {
    std::string first{mti.substr(0, 4)};
    if (first.size() == 4) {
        first[3] = static_cast<char>(first[3] - (first[3] - '0') % 2);
    }
    return first;
}

bool wants_answer(std::string_view mti) {
    return mti.size() == 4 && (mti[2] == '0' || mti[2] == '2');
}

Result<void> add_element(Message& message, ElementPlace const& place, std::string_view value) {
    constexpr std::size_t kValueMax = 99;
    if (place.field == 0 || value.empty()) {
        return {};
    }
    if (value.size() > kValueMax) {
        return fail(
            Errc::out_of_range,
            "a sub-element of field " + std::to_string(place.field) + " is too long"
        );
    }
    auto const before = message.get(place.field);
    std::string text;
    text.reserve(before.size() + place.tag.size() + 2 + value.size());  // one buffer, wiped below
    text += before;
    text += place.tag;
    text += static_cast<char>('0' + value.size() / 10);
    text += static_cast<char>('0' + value.size() % 10);
    text += value;
    Message::Value const whole{std::move(text)};
    message.set(place.field, whole.reveal());
    return {};
}

std::string_view element(Message const& message, ElementPlace const& place) {
    constexpr std::size_t kHead = 4;
    if (place.field == 0) {
        return {};
    }
    std::string_view rest = message.get(place.field);
    std::string_view found;
    while (!rest.empty()) {
        if (rest.size() < kHead || !is_digit(rest[2]) || !is_digit(rest[3])) {
            return {};
        }
        auto const size = static_cast<std::size_t>((rest[2] - '0') * 10 + (rest[3] - '0'));
        if (rest.size() - kHead < size) {
            return {};
        }
        if (found.empty() && rest.substr(0, 2) == place.tag) {
            found = rest.substr(kHead, size);
        }
        rest.remove_prefix(kHead + size);
    }
    return found;
}

std::string describe(Message const& message) {
    std::string text = message.mti();
    auto const& printable = text.starts_with('1') ? kPrintable1993 : kPrintable1987;
    for (auto const& [number, value] : message.fields()) {
        text += ' ' + std::to_string(number) + '=';
        if (number == 2) {
            text += masked(message.pan());
        } else if (printable.contains(number)) {
            text += message.trimmed(number);
        } else {
            text += '[' + std::to_string(value.size()) + ']';
        }
    }
    return text;
}

}  // namespace florin::connectors::iso8583
