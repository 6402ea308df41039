#include "daemon/http/form.h"

#include <doctest/doctest.h>

using namespace florin;
using namespace florin::http;

namespace {

// The canonical text, or what the parser refused.
std::string canonical(std::string_view text) {
    auto const form = parse_form(text);
    return form ? canonical_form(*form) : form.error().context;
}

}  // namespace

TEST_CASE("a hash may have keys that look like indices, whichever comes first") {
    CHECK(canonical("a[b]=1&a[0]=2") == "a[0]=2&a[b]=1&");
    CHECK(canonical("a[0]=2&a[b]=1") == "a[0]=2&a[b]=1&");
    CHECK(parse_form("a[0]=2&a[b]=1")->find("a")->kind == Form::Kind::hash);
    CHECK(parse_form("a[0]=2&a[1]=1")->find("a")->kind == Form::Kind::array);
    CHECK(canonical("a[b]=1&a[]=2") == "a[]: both an array and a hash");
    CHECK(canonical("a[]=2&a[b]=1") == "a[b]: both an array and a hash");
}

TEST_CASE("requests that differ have canonical texts that differ") {
    // As metadata these are two keys; taken for one, a repeated request would get a wrong answer.
    CHECK(canonical("metadata[5]=x") != canonical("metadata[7]=x"));
    CHECK(canonical("a[]=x&a[]=y") != canonical("a[]=y&a[]=x"));
    CHECK(canonical("a[0]=x") != canonical("a=x"));
}

TEST_CASE("two spellings of one request have one canonical text") {
    CHECK(canonical("b=2&a=1+%2b") == canonical("a=%31%20%2B&b=2"));
    CHECK(canonical("a[]=x&a[]=y") == canonical("a[1]=y&a[0]=x"));
    CHECK(canonical("a%5Bb%5D=1") == canonical("a[b]=1"));
    CHECK(canonical("a[10]=k&a[2]=c") == canonical("a[2]=c&a[10]=k"));
}
