// Fuzzes the reader of signed heads.
//
// What is asserted: a head that is read is written back to a text that is read as the same head,
// and its signed text has five lines; a refusal names the file.
#include "ledger/base/check.h"
#include "tools/florin/signed_head.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace florin::tools {
namespace {

void read(std::string_view text) {
    auto const head = parse_signed_head(text, "file");
    if (!head) {
        FLORIN_CHECK(head.error().context.starts_with("file: "), "a refusal names the file");
        return;
    }
    auto const written = to_json(*head);
    auto const again = parse_signed_head(written, "file");
    FLORIN_CHECK(again, "what was written is not read");
    FLORIN_CHECK(to_json(*again) == written, "two texts of one head");
    FLORIN_CHECK(again->is_signed() == head->is_signed(), "a signature changed its mind");
    FLORIN_CHECK(std::ranges::count(signed_text(head->head), '\n') == 5, "five lines are signed");
}

}  // namespace
}  // namespace florin::tools

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    florin::tools::read({reinterpret_cast<char const*>(data), size});
    return 0;
}
