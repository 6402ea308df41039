#include "crypto/operator_key.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace florin;
using crypto::comparable_name;
using crypto::operator_name;

TEST_CASE("a name is stored composed, with single blanks and none outside") {
    struct Row {
        std::string given, stored;
    };
    std::vector<Row> const rows{
        {"Anna", "Anna"},
        {"  Ada   Lovelace ", "Ada Lovelace"},
        {"Ada\u00a0\u2003Lovelace\u3000", "Ada Lovelace"},
        {"Bjo\u0308rn", "Bj\u00f6rn"},
        {"O'Neil-Smith, J. (3rd)", "O'Neil-Smith, J. (3rd)"},
        {"李雷", "李雷"},
        {"नेहा", "नेहा"},
        {"shift 24", "shift 24"},
    };
    for (Row const& row : rows) {
        CAPTURE(row.given);
        auto const name = operator_name(row.given);
        REQUIRE(name.has_value());
        CHECK(*name == row.stored);
    }
}

TEST_CASE("what names nobody, or hides something, is no name") {
    std::vector<std::string> const wrongs{
        "",
        "   ",
        "\u00a0\u3000",
        "...",
        "12",
        "\U0001f642",
        "Anna\n",
        "An\x7fna",
        "Anna\u0085",        // C1
        "Anna\u009b",        // C1
        "An\u200bna",        // zero width space
        "Anna\u200d",        // joiner
        "\ufeffAnna",        // byte order mark
        "Anna\u202e",        // writes what follows from right to left
        "Anna\u2066",        // isolates
        "Anna\u2028",        // a line's end
        "An\u00adna",        // soft hyphen
        "An\u034fna",        // joins graphemes, unseen
        "\u3164\u3164",      // fillers: letters that are blank
        "Anna\ue000",        // private
        "Anna\u0378",        // unassigned
        "Anna\xff",          // not UTF-8
        "Anna\xed\xa0\x80",  // a surrogate
        "Anna 4242424242424242",
        "Anna 4242 4242 42424242",
        "Anna ４２４２４２４２４２４２",  // full width
        "sk_live_0123456789abcdef",
        "Anna SK_TEST_1",
        "whsec_0123",
        std::string(201, 'a'),
    };
    for (std::string const& wrong : wrongs) {
        CAPTURE(wrong);
        auto const name = operator_name(wrong);
        REQUIRE_FALSE(name.has_value());
        CHECK(name.error().code == Errc::malformed);
        CHECK(name.error().context.starts_with("name: "));
        CHECK(name.error().context.find("4242") == std::string::npos);
    }
    CHECK(operator_name(std::string(200, 'a')).has_value());
}

TEST_CASE("names that read the same are one person's") {
    struct Row {
        std::string one, other;
        bool is_same;
    };
    std::vector<Row> const rows{
        {"Anna", " anna\t", true},
        {"Björn", "BJÖRN", true},
        {"Björn", "Bjo\u0308rn", true},
        {"Ada Lovelace", "Ada  Lovelace", true},
        {"Ada Lovelace", "Ada\u00a0Lovelace", true},
        {"Ada Lovelace", "AdaLovelace.", true},
        {"Anna", "An\u200bna", true},
        {"Anna", "Anna\u202e", true},
        {"Anna", "Ａｎｎａ", true},
        {"Anna", "\u0410nn\u0430", true},  // Cyrillic A and a
        {"Bob", "B0b", true},
        {"Straße", "STRASSE", true},
        {"İpek", "i\u0307pek", true},
        {"Anna", "Anne", false},
        {"Anna", "Anna B", false},
        {"Björn", "Bjarne", false},
        {"李雷", "李電", false},
        {"नेहा", "निहा", false},
    };
    for (Row const& row : rows) {
        CAPTURE(row.one);
        CAPTURE(row.other);
        CHECK((comparable_name(row.one) == comparable_name(row.other)) == row.is_same);
        CHECK_FALSE(comparable_name(row.one).empty());
    }
    for (char const* const nobody : {"", " \t", "\u200b", "--", "\u3000"}) {
        CHECK(comparable_name(nobody).empty());
    }
}

TEST_CASE("an operator's rights are to resources that there are") {
    CHECK(crypto::check_operator_rights({}).has_value());
    CHECK(crypto::check_operator_rights({{"*", "read"}, {"keys", "write"}}).has_value());
    for (auto const& [resource, access] :
         {std::pair{"payment_intents", "read"},
          {"", "read"},
          {"key", "read"},
          {"keys", "all"},
          {"*", ""}}) {
        auto const refused = crypto::check_operator_rights({{resource, access}});
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code == Errc::malformed);
    }
}
