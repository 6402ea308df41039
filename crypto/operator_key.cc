#include "crypto/operator_key.h"

#include "ledger/base/check.h"

#include <algorithm>
#include <memory>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/uspoof.h>

namespace florin::crypto {
namespace {

// A card number has 12 digits or more (ISO/IEC 7812-1); a name has none of that length in all.
constexpr int kDigitsMax = 11;
constexpr UChar32 kReplacement = 0xfffd;  // what ICU reads in place of bytes that are not UTF-8

icu::UnicodeString read(std::string_view text) {
    return icu::UnicodeString::fromUTF8(
        icu::StringPiece{text.data(), static_cast<std::int32_t>(text.size())}
    );
}

std::string written(icu::UnicodeString const& text) {
    std::string bytes;
    text.toUTF8String(bytes);
    return bytes;
}

icu::UnicodeString normalized(icu::Normalizer2 const* form, icu::UnicodeString const& text) {
    UErrorCode status = U_ZERO_ERROR;
    icu::UnicodeString made = form->normalize(text, status);
    FLORIN_CHECK(U_SUCCESS(status), "text can be normalised");
    return made;
}

icu::UnicodeString folded(icu::UnicodeString const& text) {
    UErrorCode status = U_ZERO_ERROR;
    auto const* const form = icu::Normalizer2::getNFKCCasefoldInstance(status);
    FLORIN_CHECK(U_SUCCESS(status), "ICU has its normalisation data");
    return normalized(form, text);
}

icu::UnicodeString composed(icu::UnicodeString const& text) {
    UErrorCode status = U_ZERO_ERROR;
    auto const* const form = icu::Normalizer2::getNFCInstance(status);
    FLORIN_CHECK(U_SUCCESS(status), "ICU has its normalisation data");
    return normalized(form, text);
}

// One text for all that look the same.
icu::UnicodeString skeleton(icu::UnicodeString const& text) {
    static std::shared_ptr<USpoofChecker const> const checker = [] {
        UErrorCode status = U_ZERO_ERROR;
        USpoofChecker* const made = uspoof_open(&status);
        FLORIN_CHECK(U_SUCCESS(status), "ICU has its data of look-alikes");
        return std::shared_ptr<USpoofChecker>{made, uspoof_close};
    }();
    UErrorCode status = U_ZERO_ERROR;
    icu::UnicodeString made;
    uspoof_getSkeletonUnicodeString(checker.get(), 0, text, made, &status);
    FLORIN_CHECK(U_SUCCESS(status), "text has a skeleton");
    return made;
}

// What nobody can see, or sees somewhere else than where it stands.
bool is_hidden(UChar32 c) {
    switch (u_charType(c)) {
        case U_CONTROL_CHAR:
        case U_FORMAT_CHAR:
        case U_SURROGATE:
        case U_PRIVATE_USE_CHAR:
        case U_UNASSIGNED:
        case U_LINE_SEPARATOR:
        case U_PARAGRAPH_SEPARATOR: return true;
        default: break;
    }
    return c == kReplacement || u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0;
}

bool is_word(UChar32 c) {
    return (U_GET_GC_MASK(c) & (U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK)) != 0;
}

template <class Visit>
void each_character(icu::UnicodeString const& text, Visit const& visit) {
    for (std::int32_t at = 0; at < text.length(); at = text.moveIndex32(at, 1)) {
        visit(text.char32At(at));
    }
}

icu::UnicodeString words_of(icu::UnicodeString const& text) {
    icu::UnicodeString words;
    each_character(text, [&](UChar32 c) {
        if (is_word(c)) {
            words.append(c);
        }
    });
    return words;
}

// "sk_live_…", "whsec_…": how our secrets begin (crypto/api_key.h).
bool holds_key(icu::UnicodeString const& name) {
    std::string const text = written(folded(name));
    return text.find("_live_") != std::string::npos || text.find("_test_") != std::string::npos ||
           text.find("whsec_") != std::string::npos;
}

Error refusal(std::string what) {
    return {Errc::malformed, "name: " + std::move(what)};
}

}  // namespace

Result<std::string> operator_name(std::string_view text) {
    if (text.size() > kOperatorNameMax) {
        return std::unexpected{
            refusal("expected at most " + std::to_string(kOperatorNameMax) + " bytes")
        };
    }
    icu::UnicodeString const given = composed(read(text));
    icu::UnicodeString name;
    bool has_hidden = false;
    bool has_letter = false;
    int digits = 0;
    each_character(given, [&](UChar32 c) {
        has_hidden = has_hidden || is_hidden(c);
        has_letter = has_letter || u_isalpha(c) != 0;
        digits += u_charDigitValue(c) >= 0 ? 1 : 0;
        bool const is_blank = u_isUWhiteSpace(c) != 0;
        if (!is_blank) {
            name.append(c);
        } else if (!name.isEmpty() && !name.endsWith(u" ", 1)) {
            name.append(u' ');
        }
    });
    if (name.endsWith(u" ", 1)) {
        name.truncate(name.length() - 1);
    }
    if (has_hidden) {
        return std::unexpected{refusal("expected text without characters that cannot be seen")};
    }
    if (!has_letter || comparable_name(text).empty()) {
        return std::unexpected{
            refusal("expected the name of the person who will have this admin key")
        };
    }
    if (digits > kDigitsMax || holds_key(name)) {
        return std::unexpected{refusal("holds what looks like a card number or a secret key")};
    }
    return written(name);
}

std::string comparable_name(std::string_view name) {
    // Folded again: the look-alike of a small letter may be a capital one, that of 0 is O.
    return written(folded(skeleton(words_of(folded(read(name))))));
}

Result<void> check_operator_rights(std::map<std::string, std::string> const& rights) {
    for (auto const& [resource, access] : rights) {
        bool const is_known = resource == "*" || std::ranges::find(kOperatorResources, resource) !=
                                                     std::end(kOperatorResources);
        if (!is_known) {
            std::string list;
            for (std::string_view const each : kOperatorResources) {
                list += ", " + std::string{each};
            }
            return fail(Errc::malformed, "rights." + resource + ": expected one of *" + list);
        }
        if (access != "read" && access != "write") {
            return fail(Errc::malformed, "rights." + resource + ": expected \"read\" or \"write\"");
        }
    }
    return {};
}

}  // namespace florin::crypto
