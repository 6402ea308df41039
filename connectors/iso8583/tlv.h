// BER-TLV in field 55, the data of chip cards: read and checked, never made and never changed.
//
//   data    = (object | 00)*              zeros between objects mean nothing (EMV book 3, annex B)
//   object  = tag length value            the value of a constructed tag (bit 6) is data itself
//   tag     = 1 to 3 bytes; more follow where the lowest five bits are set, then while the highest
//   is length  = 00 to 7f | 81 1 byte | 82 2 bytes       indefinite and longer lengths are refused
// What passes through goes to other people's parsers: nothing leaves that this one cannot follow.
// Thread rule: pure functions.
#pragma once

#include "ledger/base/bytes.h"
#include "ledger/base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace florin::connectors::iso8583 {

inline constexpr std::size_t kTlvBytesMax =
    999;                                // what a field with a length of three digits holds
inline constexpr int kTlvDepthMax = 8;  // objects inside each other

struct TlvObject {
    std::uint32_t tag;  // as written: 0x9f02
    ByteView value;
};

// Takes the next object off the front of `rest`, which it leaves behind it; nullopt where only
// zeros are left. Errc::malformed, with the place but no bytes, for what breaks the grammar; the
// value of a constructed tag is not looked at.
Result<std::optional<TlvObject>> next_tlv(ByteView& rest);

// All of it, constructed values too. Errc::malformed; Errc::out_of_range above the two bounds.
Result<void> check_tlv(ByteView data);

// The value of the first object with that tag on the outer level; nullopt where there is none or
// the data before it is malformed.
std::optional<ByteView> find_tlv(ByteView data, std::uint32_t tag);

}  // namespace florin::connectors::iso8583
