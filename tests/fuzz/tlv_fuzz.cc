// Fuzzes the reader of BER-TLV (field 55).
//
// What is asserted: data that passes the check is made of objects that lie inside it, one behind
// the other, with nothing but zeros between them; every tag in it is found; and the check says the
// same as reading object by object.
#include "connectors/iso8583/tlv.h"
#include "ledger/base/check.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace florin;
    using namespace florin::connectors::iso8583;
    ByteView const input{reinterpret_cast<char const*>(data), size};
    auto const checked = check_tlv(input);
    ByteView rest = input;
    while (true) {
        auto const before = rest;
        auto const object = next_tlv(rest);
        if (!object) {
            FLORIN_CHECK(!checked, "the check passes what cannot be read");
            break;
        }
        if (!*object) {
            FLORIN_CHECK(rest.empty(), "something is left behind the last object");
            break;
        }
        auto const& value = (*object)->value;
        FLORIN_CHECK(rest.size() < before.size(), "an object takes no bytes");
        FLORIN_CHECK(
            value.data() >= before.data() && value.data() + value.size() == rest.data(),
            "a value lies outside its data"
        );
        FLORIN_CHECK((*object)->tag != 0 && (*object)->tag <= 0xFFFFFF, "no such tag");
        FLORIN_CHECK(find_tlv(input, (*object)->tag), "a tag that is there is not found");
    }
    return 0;
}
