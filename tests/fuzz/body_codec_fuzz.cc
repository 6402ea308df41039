// Fuzzes what reads the stored form of bodies.
//
// What is asserted: whatever the bytes are, reading ends without a fault, and what packs also
// unpacks to the same.
#include "ledger/base/check.h"
#include "ledger/body_codec.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string const bytes(reinterpret_cast<char const*>(data), size);
    static_cast<void>(florin::ledger::unpack_body(bytes));
    auto const back = florin::ledger::unpack_body(florin::ledger::pack_body(bytes));
    FLORIN_CHECK(back && *back == bytes, "a body comes back as it was");
    return 0;
}
