#define TOML_EXCEPTIONS 0

#include "connectors/iso8583/packaging.h"

#include "ledger/base/check.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <utility>

namespace florin::connectors::iso8583 {
namespace {

constexpr std::string_view kDefaultToml =
#include "packaging_1987_ascii.inc"
    ;

// Takes keys out of one table and remembers what went wrong first; what nobody took is unknown.
class TableReader {
public:
    TableReader(toml::table const& table, std::string source)
        : table_{table}, source_{std::move(source)} {}

    std::string text(std::string_view key) {
        ++taken_;
        auto const value = table_[key].value<std::string>();
        if (!value || value->empty() || value->size() > 64) {
            complain(std::string{key} + " must be a text of 1 to 64 characters");
            return {};
        }
        return *value;
    }
    std::size_t number(std::string_view key, std::size_t low, std::size_t high) {
        ++taken_;
        auto const value = table_[key].value<std::int64_t>();
        if (!value || *value < static_cast<std::int64_t>(low) ||
            *value > static_cast<std::int64_t>(high)) {
            complain(
                std::string{key} + " must be from " + std::to_string(low) + " to " +
                std::to_string(high)
            );
            return low;
        }
        return static_cast<std::size_t>(*value);
    }
    template <class Enum, std::size_t N>
    Enum choice(std::string_view key, std::array<std::pair<std::string_view, Enum>, N> choices) {
        auto const chosen = text(key);
        std::string names;
        for (auto const& [name, value] : choices) {
            if (name == chosen) {
                return value;
            }
            names += (names.empty() ? "" : ", ") + std::string{name};
        }
        complain(std::string{key} + " must be one of " + names);
        return choices[0].second;
    }
    bool has(std::string_view key) const { return table_.contains(key); }
    // A table inside; an empty one where it is missing.
    toml::table const& table(std::string_view key) {
        ++taken_;
        static toml::table const empty;
        auto const* const inner = table_[key].as_table();
        if (inner == nullptr) {
            complain("[" + std::string{key} + "] is missing");
        }
        return inner == nullptr ? empty : *inner;
    }
    void finish() {
        if (table_.size() > taken_) {
            complain("a key that this version does not know");
        }
    }
    void complain(std::string const& what) {
        if (error_.empty()) {
            error_ = source_ + ": " + what;
        }
    }
    std::string const& error() const { return error_; }

private:
    toml::table const& table_;
    std::string source_;
    std::string error_;
    std::size_t taken_ = 0;
};

// kind = "n" | "a" | "an" | "ans" | "b" | "z" | "x+n"; format = kind [".." | "..."] number
std::optional<FieldSpec> parse_format(std::string_view format) {
    constexpr std::array<std::pair<std::string_view, FieldKind>, 7> kKinds{{
        {"ans", FieldKind::printable},
        {"an", FieldKind::alphanumeric},
        {"a", FieldKind::letters},
        {"n", FieldKind::digits},
        {"b", FieldKind::binary},
        {"z", FieldKind::track},
        {"x+n", FieldKind::signed_digits},
    }};
    for (auto const& [prefix, kind] : kKinds) {
        if (!format.starts_with(prefix)) {
            continue;
        }
        auto rest = format.substr(prefix.size());
        auto const dots = std::min(rest.find_first_not_of('.'), rest.size());
        rest.remove_prefix(dots);
        std::size_t length = 0;
        auto const [end, status] = std::from_chars(rest.data(), rest.data() + rest.size(), length);
        if (status != std::errc{} || end != rest.data() + rest.size() || length == 0 ||
            (dots != 0 && dots != 2 && dots != 3) || length > (dots == 2 ? 99U : 999U)) {
            return std::nullopt;
        }
        return FieldSpec{
            .kind = kind,
            .length_digits = static_cast<unsigned>(dots),
            .length = length,
            .name = {},
        };
    }
    return std::nullopt;
}

void read_fields(toml::table const& fields, TableReader& reader, Packaging& packaging) {
    for (auto const& [key, value] : fields) {
        auto const text = key.str();
        int number = 0;
        auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (status != std::errc{} || end != text.data() + text.size() || number < 2 ||
            number > kFieldMax || number == 65) {
            reader.complain("no such field: " + std::string{text.substr(0, 16)});
            return;
        }
        auto const* const row = value.as_array();
        auto const format =
            row != nullptr && row->size() == 2 ? (*row)[0].value<std::string>() : std::nullopt;
        auto const name = format ? (*row)[1].value<std::string>() : std::nullopt;
        auto spec = name ? parse_format(*format) : std::nullopt;
        if (!spec) {
            reader.complain("field " + std::to_string(number) + " must be [format, name]");
            return;
        }
        spec->name = *name;
        packaging.fields[static_cast<std::size_t>(number)] = std::move(*spec);
    }
}

// name = [field, tag], for each name that the packaging has a place for.
void read_elements(toml::table const& table, TableReader& reader, Packaging& packaging) {
    ElementPlaces& places = packaging.elements;
    places.cvc = {};
    std::array<std::pair<std::string_view, ElementPlace*>, 9> const known{{
        {"cvc", &places.cvc},
        {"electronic_commerce_indicator", &places.electronic_commerce_indicator},
        {"cryptogram", &places.cryptogram},
        {"three_d_secure_version", &places.three_d_secure_version},
        {"three_d_secure_transaction", &places.three_d_secure_transaction},
        {"credential_use", &places.credential_use},
        {"original_network_transaction", &places.original_network_transaction},
        {"network_transaction", &places.network_transaction},
        {"key_block", &places.key_block},
    }};
    for (auto const& [key, value] : table) {
        auto const place =
            std::ranges::find(known, key.str(), [](auto const& each) { return each.first; });
        if (place == known.end()) {
            reader.complain("[elements] has no " + std::string{key.str()});
            return;
        }
        auto const* const pair = value.as_array();
        auto const field = pair != nullptr && pair->size() == 2
                               ? (*pair)[0].value_exact<std::int64_t>()
                               : std::nullopt;
        auto const tag = field ? (*pair)[1].value_exact<std::string>() : std::nullopt;
        bool const is_tag = tag && tag->size() == 2 && std::ranges::all_of(*tag, [](char c) {
                                return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
                            });
        bool const is_field =
            field && *field >= 2 && *field <= kFieldMax &&
            packaging.fields[static_cast<std::size_t>(*field)] &&
            packaging.fields[static_cast<std::size_t>(*field)]->kind == FieldKind::printable &&
            packaging.fields[static_cast<std::size_t>(*field)]->length_digits > 0;
        if (!is_tag || !is_field) {
            reader.complain(
                "[elements] " + std::string{key.str()} +
                " must be [field, tag]: a variable ans field, and two digits or capital letters"
            );
            return;
        }
        *place->second = {.field = static_cast<int>(*field), .tag = *tag};
    }
}

}  // namespace

std::string field_title(Packaging const& packaging, int field) {
    auto title = "ISO 8583:" + packaging.version + " field " + std::to_string(field);
    if (field > 0 && field <= kFieldMax && packaging.fields[static_cast<std::size_t>(field)]) {
        title += " (" + packaging.fields[static_cast<std::size_t>(field)]->name + ")";
    }
    return title;
}

Result<Packaging> parse_packaging(std::string_view toml, std::string_view source) {
    constexpr std::array<std::pair<std::string_view, DigitForm>, 3> kDigitForms{
        {{"ascii", DigitForm::ascii}, {"bcd", DigitForm::bcd}, {"ebcdic", DigitForm::ebcdic}}
    };
    constexpr std::array<std::pair<std::string_view, Charset>, 2> kCharsets{
        {{"ascii", Charset::ascii}, {"ebcdic", Charset::ebcdic}}
    };
    constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kVersions{
        {{"1987", "1987"}, {"1993", "1993"}}
    };
    constexpr std::array<std::pair<std::string_view, BinaryForm>, 2> kBinaryForms{
        {{"raw", BinaryForm::raw}, {"hex", BinaryForm::hex}}
    };
    constexpr std::array<std::pair<std::string_view, PadSide>, 2> kPadSides{
        {{"left", PadSide::left}, {"right", PadSide::right}}
    };
    constexpr std::array<std::pair<std::string_view, FrameLength>, 3> kFrameLengths{
        {{"binary2", FrameLength::binary2},
         {"ascii4", FrameLength::ascii4},
         {"bcd2", FrameLength::bcd2}}
    };
    auto const parsed = toml::parse(toml, source);
    if (!parsed) {
        auto const& error = parsed.error();
        return fail(
            Errc::malformed,
            std::string{source} + ":" + std::to_string(error.source().begin.line) + ": " +
                std::string{error.description()}
        );
    }
    TableReader reader{parsed.table(), std::string{source}};
    Packaging packaging{};
    packaging.name = reader.text("name");
    packaging.version = reader.choice("version", kVersions);
    if (reader.has("charset")) {
        packaging.charset = reader.choice("charset", kCharsets);
    }
    packaging.mti = reader.choice("mti", kDigitForms);
    packaging.digits = reader.choice("digits", kDigitForms);
    packaging.odd_digits_pad = reader.choice("odd_digits_pad", kPadSides);
    packaging.lengths = reader.choice("lengths", kDigitForms);
    packaging.bitmap = reader.choice("bitmap", kBinaryForms);
    packaging.binary = reader.choice("binary", kBinaryForms);
    TableReader frame{reader.table("frame"), std::string{source} + ": [frame]"};
    packaging.frame_length = frame.choice("length", kFrameLengths);
    packaging.frame_bytes_max = frame.number(
        "bytes_max", 64, packaging.frame_length == FrameLength::binary2 ? 65535 : 9999
    );
    frame.finish();
    read_fields(reader.table("fields"), reader, packaging);
    if (reader.has("elements")) {
        read_elements(reader.table("elements"), reader, packaging);
    }
    reader.finish();
    if (!reader.error().empty() || !frame.error().empty()) {
        return fail(Errc::malformed, reader.error().empty() ? frame.error() : reader.error());
    }
    return packaging;
}

Result<Packaging> load_packaging(std::string const& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    text << file.rdbuf();
    if (!file || !text) {
        return fail(Errc::io, "cannot read the packaging file " + path);
    }
    return parse_packaging(text.str(), path);
}

Packaging const& default_packaging() {
    static Packaging const packaging = [] {
        auto parsed = parse_packaging(kDefaultToml, "1987_ascii.toml");
        FLORIN_CHECK(parsed.has_value(), "the embedded packaging is malformed");
        return std::move(*parsed);
    }();
    return packaging;
}

}  // namespace florin::connectors::iso8583
