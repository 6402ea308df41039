// ISO 8583 messages and their bytes: encode and decode, driven by a link's packaging.
//
// Grammar of a message (without the length that frames it on TCP, see codec_framing.h):
//   message  = mti bitmap [second bitmap] field…        fields in ascending order of their number
//   mti      = 4 digits (version, class, function, origin)
//   bitmap   = 64 bits, most significant first; bit 1 says that the second bitmap follows
//   field    = value of the fixed length | length value (LL or LLL digits)
// Promises: decode never reads past its input and refuses what is left over; encode refuses a value
// that its field cannot hold; both name the field in errors and never show a value.
// Thread rule: values and pure functions.
#pragma once

#include "connectors/iso8583/message.h"
#include "connectors/iso8583/packaging.h"
#include "ledger/base/bytes.h"
#include "ledger/base/result.h"

#include <string>

namespace florin::connectors::iso8583 {

// The bytes hold card data: whoever keeps them wipes them.
Result<std::string> encode(Message const& message, Packaging const& packaging);
Result<Message> decode(ByteView bytes, Packaging const& packaging);

}  // namespace florin::connectors::iso8583
