#include "daemon/model/resolution.h"

#include "daemon/model/json_document.h"

namespace florin::model {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(
    Resolution,
    id,
    outcome,
    reason,
    state,
    proposed_by,
    proposed_key,
    proposed,
    decided_by,
    decided_key,
    decided
)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(AttemptResolutions, resolutions)

FLORIN_DOCUMENT(AttemptResolutions)

}  // namespace florin::model
