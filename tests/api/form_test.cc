#include "daemon/http/form.h"

#include "daemon/api/parameters.h"
#include "daemon/http/shorten.h"

#include <doctest/doctest.h>

using namespace florin;
using http::canonical_form;
using http::parse_form;

TEST_CASE("the same parameters have one canonical text, in whatever order and spelling") {
    auto const canonical = [](std::string_view text) { return canonical_form(*parse_form(text)); };
    CHECK(canonical("a=1&b[c]=2") == canonical("b%5Bc%5D=2&a=%31"));
    CHECK(canonical("e[]=x&e[]=y") == canonical("e[0]=x&e[1]=y"));
    CHECK(canonical("e[]=x&e[]=y") != canonical("e[]=y&e[]=x"));
    CHECK(canonical("e[3]=x&e[7]=y") == canonical("e[0]=x&e[1]=y"));
    CHECK(canonical("e[7]=x&e[3]=y") == canonical("e[0]=y&e[1]=x"));
    CHECK(canonical("e[0]=x&e[1]=y") != canonical("e[0]=y&e[1]=x"));
    CHECK(canonical("metadata[0]=x") != canonical("metadata[1]=x"));
    CHECK(canonical("d[metadata][0]=x") != canonical("d[metadata][1]=x"));
    CHECK(canonical("e[5][a]=x") == canonical("e[0][a]=x"));
    CHECK(canonical("a=b+c") == canonical("a=b%20c"));
    CHECK(canonical("a=") != canonical(""));
    // A value that looks like syntax stays a value.
    CHECK(canonical("a=1%26b=2") != canonical("a=1&b=2"));
    CHECK(canonical("a=x%5Bb%5D=1") != canonical("a[b]=1"));
}

TEST_CASE("a hash may have members that look like indices, whichever comes first") {
    for (char const* text : {"m[0]=a&m[x]=b", "m[x]=b&m[0]=a"}) {
        auto const form = parse_form(text);
        REQUIRE(form.has_value());
        auto const* const m = form->find("m");
        REQUIRE(m != nullptr);
        CHECK(m->kind == http::Form::Kind::hash);
        CHECK(m->find("0")->value == "a");
        CHECK(m->find("x")->value == "b");
    }
    CHECK(!parse_form("m[]=a&m[x]=b").has_value());
    CHECK(!parse_form("m[x]=a&m[]=b").has_value());
}

TEST_CASE("an index of any size costs nothing") {
    auto const form = parse_form("a[99999999999999999999999999]=x&a[1]=y");
    REQUIRE(form.has_value());
    CHECK(form->find("a")->items.size() == 2);
    CHECK(form->find("a")->items[0].second.value == "y");
}

TEST_CASE("lengths are counted in characters") {
    std::string value;
    for (int i = 0; i < 500; ++i) {
        value += "%F0%9F%98%80";
    }
    auto const fits = parse_form("metadata[k]=" + value);
    api::Parameters parameters{*fits};
    CHECK(parameters.take_metadata().has_value());
    CHECK(!parameters.finish().has_value());
    auto const long_form = parse_form("metadata[k]=x" + value);
    api::Parameters refused{*long_form};
    CHECK(!refused.take_metadata().has_value());
    REQUIRE(refused.finish().has_value());
    CHECK(refused.finish()->param == "metadata[k]");
}

TEST_CASE("metadata keys that are removed do not count") {
    auto const take = [](int kept, int removed) {
        std::string text;
        for (int i = 0; i < kept + removed; ++i) {
            text += "metadata[k" + std::to_string(i) + "]=" + (i < kept ? "v" : "") + "&";
        }
        auto const form = parse_form(text);
        api::Parameters parameters{*form};
        return parameters.take_metadata().has_value() && !parameters.finish().has_value();
    };
    CHECK(take(50, 0));
    CHECK(take(50, 900));
    CHECK_FALSE(take(51, 0));
    CHECK_FALSE(take(51, 30));
}

TEST_CASE("an error never repeats a value") {
    auto const form = parse_form("a=secret&b=secret&c=secret&d[x]=secret");
    api::Parameters parameters{*form};
    parameters.take_integer("a", 0, 9);
    CHECK(parameters.finish()->message.find("secret") == std::string::npos);
    api::Parameters others{*form};
    others.take_boolean("b");
    others.take_enum("c", {"x"});
    others.take_string("d");
    CHECK(others.finish()->message.find("secret") == std::string::npos);
}

TEST_CASE("of a name that is too long, whole characters are shown") {
    using http::shortened;
    CHECK(shortened("abc", 3) == "abc");
    CHECK(shortened("abcd", 3) == "abc…");
    CHECK(shortened("aää", 4) == "aä…");
    CHECK(shortened("aää", 3) == "aä…");
    CHECK(shortened("aää", 5) == "aää");
    CHECK(shortened("😀😀", 7) == "😀…");
    CHECK(shortened("😀", 3) == "…");
    CHECK(shortened("", 0).empty());
    CHECK(shortened("x", 0) == "…");
    std::string const no_text(8, '\x80');
    CHECK(shortened(no_text, 5) == no_text.substr(0, 5) + "…");

    std::string long_name;
    for (int i = 0; i < 10'000; ++i) {
        long_name += "%C3%A4";
    }
    std::string const fifty = [] {
        std::string text;
        for (int i = 0; i < 50; ++i) {
            text += "ä";
        }
        return text + "…";
    }();
    auto const form = parse_form(long_name + "=x");
    api::Parameters unknown{*form};
    CHECK(unknown.finish()->param == fifty);
    CHECK(unknown.finish()->message == "Received unknown parameter: " + fifty);
    auto const hash = parse_form("hash[" + long_name + "]=x");
    api::Parameters members{*hash};
    members.take_hash("hash");
    CHECK(members.finish()->param == "hash[" + fifty + "]");
    auto const metadata = parse_form("metadata[" + long_name + "]=x");
    api::Parameters refused{*metadata};
    CHECK(!refused.take_metadata().has_value());
    CHECK(refused.finish()->param == "metadata[" + fifty + "]");
    auto const malformed = parse_form(long_name + "=%");
    CHECK(malformed.error().context.starts_with(fifty + ": "));
}

TEST_CASE("metadata is merged, unset and cleared within fifty keys") {
    api::Metadata const present{{"a", "1"}, {"b", "2"}};
    api::MetadataChange const clearing{.clears = true, .changes = {{"b", "3"}}};
    CHECK(clearing.against(present) == api::Metadata{{"a", ""}, {"b", "3"}});
    api::Metadata many;
    for (int i = 0; i < 49; ++i) {
        many["k" + std::to_string(i)] = "v";
    }
    CHECK(!api::check_metadata_size(many, {{"new", "v"}}).has_value());
    CHECK(api::check_metadata_size(many, {{"new", "v"}, {"more", "v"}}).has_value());
    CHECK(!api::check_metadata_size(many, {{"new", "v"}, {"more", "v"}, {"k0", ""}}).has_value());
}
