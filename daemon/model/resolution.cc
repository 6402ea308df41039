#include "daemon/model/resolution.h"

#include "daemon/model/json_document.h"

namespace florin::model {

FLORIN_FIELDS(
    Resolution,
    id,
    outcome,
    reason,
    state,
    proposed_by,
    proposed_key,
    proposed_makers,
    proposed,
    decided_by,
    decided_key,
    decided_reason,
    decided
)
FLORIN_FIELDS(AttemptResolutions, resolutions)

FLORIN_DOCUMENT(AttemptResolutions)

}  // namespace florin::model
