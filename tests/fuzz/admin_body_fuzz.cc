// Fuzzes the JSON bodies of the operators' API.
//
// What is asserted: what is taken is within its bounds and holds no secret; a body that passes the
// check of depth can be written out again, which recurses; an error never repeats what looks like a
// card number or a key.
#include "daemon/admin/body.h"
#include "daemon/api/redact.h"
#include "ledger/base/check.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace florin::admin {
namespace {

void take(std::string_view text) {
    auto const object = parse_object(text);
    if (object) {
        static_cast<void>(object->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    auto body = Body::parse(text);
    if (!body) {
        FLORIN_CHECK(body.error().code == Errc::malformed, "wrong kind of error");
        return;
    }
    auto const is_text = [](std::string_view taken, std::size_t length_max) {
        return !taken.empty() && taken.size() <= length_max && !api::holds_secret(taken);
    };
    auto const reason = body->require_text("reason", 20);
    FLORIN_CHECK(reason.empty() || is_text(reason, 20), "a text out of bounds");
    static_cast<void>(body->take_boolean("enabled"));
    auto const priority = body->take_integer("priority", -1, 5);
    FLORIN_CHECK(!priority || (*priority >= -1 && *priority <= 5), "a number out of bounds");
    if (auto const rights = body->take_texts("rights")) {
        FLORIN_CHECK(rights->size() <= Body::kItemsMax, "too many texts");
        for (auto const& [name, value] : *rights) {
            bool const are_texts = is_text(name, Body::kTextMax) && is_text(value, Body::kTextMax);
            FLORIN_CHECK(are_texts, "a text out of bounds");
        }
    }
    if (auto const modes = body->take_list("modes")) {
        FLORIN_CHECK(!modes->empty() && modes->size() <= Body::kItemsMax, "too many texts");
        for (std::string const& mode : *modes) {
            FLORIN_CHECK(is_text(mode, Body::kTextMax), "a text out of bounds");
        }
    }
    auto const finished = body->finish();
    FLORIN_CHECK(!finished || !reason.empty(), "a missing text is fine");
    FLORIN_CHECK(finished || !api::holds_secret(finished.error().context), "an error has a secret");
}

}  // namespace
}  // namespace florin::admin

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    florin::admin::take({reinterpret_cast<char const*>(data), size});
    return 0;
}
