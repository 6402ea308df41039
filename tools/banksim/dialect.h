// ISO 8583:1993 for a book that thinks in ISO 8583:1987: requests are translated on their way in,
// answers on their way out.
//
// Written apart from the connector's own table of differences, so that agreement means something.
// Messages of 1987 pass unchanged. Thread rule: pure functions.
#pragma once

#include "connectors/iso8583/codec.h"

#include <string>
#include <string_view>

namespace florin::banksim {

// 1100, 1220, 1200, 1420, 1500, 1520, 1804 as 0100 and so on. What has no place in 1987 is left
// out; a field 56 that cannot be read leaves the message without field 90.
connectors::iso8583::Message to_1987(connectors::iso8583::Message const& wire);

// The answer as 1993 has it where the request was of 1993. `now` is MMDDhhmmss: in 1993 an answer
// has a field 7 of its own.
connectors::iso8583::Message answer_in_version_of(
    connectors::iso8583::Message const& wire,
    connectors::iso8583::Message answer,
    std::string_view now
);

}  // namespace florin::banksim
