// Reads the requests that come in large numbers, with simdjson.
//
// It answers only where it is certain that parse_request (requests.h) would read the same: known
// fields, each once, values in range. Whatever is in the least unusual is left to parse_request,
// which also words the errors; so there is one place that says what a request may look like, and
// this one is merely quick. tests/fuzz/ledger_json_fuzz.cc compares the two.
// Thread rule: one thread at a time.
#pragma once

#include "ledger/command.h"

#include <memory>
#include <optional>
#include <string_view>

namespace florin::ledger {

class FastRequestReader {
public:
    FastRequestReader();
    FastRequestReader(FastRequestReader const&) = delete;
    FastRequestReader& operator=(FastRequestReader const&) = delete;
    ~FastRequestReader();

    // nullopt: ask parse_request.
    std::optional<Request> read(std::string_view line);

private:
    struct Parser;
    std::unique_ptr<Parser> parser_;
};

}  // namespace florin::ledger
