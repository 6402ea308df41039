// How far bodies have been forgotten. Thread rule: values.
#pragma once

#include "daemon/model/documents.h"

#include <cstdint>

namespace florin::model {

// Owner kRetentionOwner, id the pass's name.
struct RetentionCursor {
    static constexpr Kind kKind = Kind::cursor;
    std::uint64_t sequence = 0;  // the last record that was dealt with
    std::uint64_t begun_ns = 0;  // of a pass that begins again: when it last did, since 1970 UTC
};
inline constexpr char const* kRetentionOwner = "platform/retention";

}  // namespace florin::model
