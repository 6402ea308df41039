// Tables of card number ranges: an operator's file. What is taken agrees with a search of the
// lines.
#include "connectors/bins.h"
#include "ledger/base/check.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace florin;
    std::string_view const input{reinterpret_cast<char const*>(data), size};
    auto const table = connectors::BinTable::parse(input, "fuzz");
    if (!table) {
        FLORIN_CHECK(table.error().code == Errc::malformed, "an error of another kind");
        return 0;
    }
    FLORIN_CHECK(table->ranges() <= size / 8, "more ranges than lines");
    for (std::string_view const number : {"4242424242424242", "0", "99999999999", ""}) {
        auto const facts = table->find(Pan{number});
        FLORIN_CHECK(!facts.brand.empty() && !facts.funding.empty(), "a card without a kind");
        FLORIN_CHECK(facts.country.empty() || facts.country.size() == 2, "an odd country");
    }
    return 0;
}
