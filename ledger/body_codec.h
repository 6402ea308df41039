// How bodies of documents and events are stored: packed with a dictionary of what they usually say.
//
//   stored := 0x01 zstd frame without magic, dictionary 1     packed
//           | 0x00 body                                       a body that begins with a byte below
//           0x10 | body                                            anything else
//
// A body is a small JSON text, most of it the same in each; alone it hardly compresses, with the
// dictionary to a tenth. Digests are over the stored form. A dictionary is part of the format: it
// is never changed, a better one gets the next number. ledger/dictionaries/README.md says how one
// is made.
// Thread rule: any thread; each keeps contexts of its own.
#pragma once

#include "ledger/base/bytes.h"
#include "ledger/base/result.h"

#include <string>

namespace florin::ledger {

struct Command;

inline constexpr std::size_t kPlainBodyBytesMax = 16U << 20U;

// The shorter of both forms.
std::string pack_body(std::string body);
// Errc::corrupt where it is no stored form or longer than kPlainBodyBytesMax.
Result<std::string> unpack_body(ByteView stored);

// Every body of a command. To be done once, before it is handed to the ledger thread, which has
// other things to do.
void pack_bodies(Command& command);

}  // namespace florin::ledger
