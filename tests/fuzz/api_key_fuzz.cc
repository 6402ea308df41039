// Fuzzes what reads a client's credentials: the Authorization header, and the id inside a key.
//
// What is asserted: a key is never longer than the header it came in; an id is a part of its key,
// of the right length and made of letters and digits; a key that has an id is found again in both
// ways of sending it.
#include "crypto/api_key.h"
#include "crypto/base64.h"
#include "daemon/api/authorization.h"
#include "ledger/base/check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace florin {
namespace {

void check_key(ApiKey const& key) {
    std::string_view const id = crypto::api_key_id(key);
    if (id.empty()) {
        return;
    }
    FLORIN_CHECK(id.size() == 12 && key.size() == 52, "an id in a key of another length");
    FLORIN_CHECK(key.reveal().find(id) != std::string_view::npos, "an id from somewhere else");
    FLORIN_CHECK(
        std::ranges::all_of(
            id,
            [](char c) {
                return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            }
        ),
        "an id with other characters"
    );
    std::string const text{key.reveal()};
    for (std::string const& header : {"Bearer " + text, "bAsIc " + crypto::base64(text + ":")}) {
        auto const again = api::key_from_header(header);
        FLORIN_CHECK(again && again->reveal() == text, "a key that does not come through");
    }
}

void read(std::string_view text) {
    check_key(ApiKey{text});
    auto const key = api::key_from_header(text);
    if (key) {
        FLORIN_CHECK(key->size() < text.size(), "a key longer than its header");
        check_key(*key);
    }
}

}  // namespace
}  // namespace florin

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    florin::read({reinterpret_cast<char const*>(data), size});
    return 0;
}
