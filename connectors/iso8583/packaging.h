// The packaging of an ISO 8583 link: what each field's bytes look like, as data.
//
// Counterparts agree on the fields of ISO 8583:1987 or :1993 and differ in their dress: text in
// ASCII or EBCDIC, digits as characters or packed, the bitmap raw or as hexadecimal, lengths,
// framing. All of that is a TOML file in conf/iso8583/; the one for 1987 ASCII is embedded. The
// codec is driven by this table alone; what fields mean in a version is in dialect.h.
// Thread rule: values, no shared state.
#pragma once

#include "ledger/base/result.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace florin::connectors::iso8583 {

// The highest field of two bitmaps; field 1 is the second bitmap itself, field 65 would be a third.
inline constexpr int kFieldMax = 128;

enum class DigitForm { ascii, bcd, ebcdic };
enum class Charset { ascii, ebcdic };  // of a, an and ans fields; EBCDIC is code page 1047
enum class BinaryForm { raw, hex };
enum class PadSide { left, right };
enum class FrameLength { binary2, ascii4, bcd2 };

// The attribute of a data element (ISO 8583:1987 clause 4.4).
enum class FieldKind {
    digits,         // n
    letters,        // a
    alphanumeric,   // an; spaces fill fixed fields
    printable,      // ans
    binary,         // b, lengths in bytes
    track,          // z
    signed_digits,  // x+n: C or D, then digits
};

struct FieldSpec {
    FieldKind kind;
    unsigned length_digits;  // 0 for a fixed length, 2 for LLVAR, 3 for LLLVAR
    std::size_t length;      // the fixed length or the maximum, without the sign of x+n
    std::string name;
};

// Where something travels that ISO 8583 has no field for: a sub-element of a private field,
// which is two characters of tag, two digits of length, the value. Banks differ; a link whose
// packaging names no place does not send it.
struct ElementPlace {
    int field = 0;  // 0: none
    std::string tag;
};
struct ElementPlaces {
    ElementPlace cvc{.field = 48, .tag = "92"};  // also where a packaging has no [elements]
    ElementPlace electronic_commerce_indicator;
    ElementPlace cryptogram;
    ElementPlace three_d_secure_version;
    ElementPlace three_d_secure_transaction;  // the directory server's id
    ElementPlace credential_use;              // credential_use_code of connector.h
    ElementPlace original_network_transaction;
    ElementPlace network_transaction;  // in answers
    ElementPlace key_block;  // a new key in a key exchange, in hexadecimal (key_exchange.h)
};

struct Packaging {
    std::string name;
    std::string version;               // "1987" or "1993"
    Charset charset = Charset::ascii;  // hexadecimal digits too
    DigitForm mti;
    DigitForm digits;
    PadSide odd_digits_pad;
    DigitForm lengths;
    BinaryForm bitmap;
    BinaryForm binary;
    FrameLength frame_length;
    std::size_t frame_bytes_max;
    std::array<std::optional<FieldSpec>, kFieldMax + 1> fields;  // by field number
    ElementPlaces elements;
};

// "ISO 8583:1987 field 4 (amount, transaction)": how errors name a field.
std::string field_title(Packaging const& packaging, int field);

// `source` names the text in errors. Errc::malformed for what is not TOML, is unknown or
// impossible.
Result<Packaging> parse_packaging(std::string_view toml, std::string_view source);
// Errc::io where the file cannot be read.
Result<Packaging> load_packaging(std::string const& path);
// conf/iso8583/1987_ascii.toml as it was when Florin was built.
Packaging const& default_packaging();

}  // namespace florin::connectors::iso8583
