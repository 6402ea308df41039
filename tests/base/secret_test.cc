#include "ledger/base/secret.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sstream>

using namespace florin;

namespace {
template <class T>
concept Streamable = requires(std::ostringstream& out, T const& value) { out << value; };
}  // namespace

// A secret that can be printed does not compile.
static_assert(!Streamable<Pan>);
static_assert(Streamable<std::string>);
static_assert(!fmt::is_formattable<Pan>::value);
static_assert(!fmt::is_formattable<ApiKey>::value);
static_assert(!std::is_convertible_v<Pan, std::string_view>);

TEST_CASE("only the last four digits of a card number are shown") {
    CHECK(masked(Pan{std::string_view{"4242424242424242"}}) == "************4242");
    CHECK(last_four(Pan{std::string_view{"123"}}) == "123");
}

TEST_CASE("an API key shows its kind and its last four characters") {
    CHECK(masked(ApiKey{std::string_view{"sk_test_0123456789abcdef"}}) == "sk_test_********cdef");
    CHECK(masked(ApiKey{std::string_view{"nonsense"}}) == "********");
    CHECK(masked(ApiKey{std::string_view{"sk_test_short"}}) == "sk_test_********");
}

TEST_CASE("moving a secret leaves nothing behind") {
    Pan first{std::string_view{"4242424242424242"}};
    Pan const second{std::move(first)};
    CHECK(first.empty());  // NOLINT(bugprone-use-after-move): that is the point
    CHECK(second.size() == 16);
}
