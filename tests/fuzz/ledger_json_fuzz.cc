// Fuzzes the readers of `florin ledger exec`'s requests, and the writer of its errors.
//
// What is asserted: what the fast reader takes, the careful one takes too, and both read the same;
// an error is one line of JSON without control characters.
#include "ledger/base/check.h"
#include "ledger/json/fast_requests.h"
#include "ledger/json/requests.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace florin::ledger {
namespace {

struct Same {
    template <class A, class B>
    bool operator()(A const&, B const&) const {
        return false;  // two kinds, or one that the fast reader does not take
    }
    bool operator()(ledger::CreateAccounts const& a, ledger::CreateAccounts const& b) const {
        return a.events == b.events;
    }
    bool operator()(ledger::CreateTransfers const& a, ledger::CreateTransfers const& b) const {
        return a.events == b.events;
    }
    bool operator()(ledger::LookupAccounts const& a, ledger::LookupAccounts const& b) const {
        return a.ids == b.ids;
    }
    bool operator()(ledger::LookupTransfers const& a, ledger::LookupTransfers const& b) const {
        return a.ids == b.ids;
    }
};

void read(std::string_view line) {
    static FastRequestReader fast;
    auto const careful = parse_request(line);
    auto const quick = fast.read(line);
    if (quick) {
        FLORIN_CHECK(careful, "taken by the fast reader, refused by the careful one");
        FLORIN_CHECK(std::visit(Same{}, *quick, *careful), "two readings of one request");
    }
    if (!careful) {
        auto const& error = careful.error();
        auto const text = render_error(error.code, error.message, 1);
        FLORIN_CHECK(text.starts_with("{\"error\":{\"code\":\""), "an error is an object");
        FLORIN_CHECK(
            std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }),
            "an error is one line"
        );
    }
}

}  // namespace
}  // namespace florin::ledger

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    florin::ledger::read({reinterpret_cast<char const*>(data), size});
    return 0;
}
