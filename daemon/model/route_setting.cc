#include "daemon/model/route_setting.h"

#include "daemon/model/json_document.h"

namespace florin::model {

FLORIN_FIELDS(
    RouteSetting, disabled, has_priority, priority, reason, changed_by, changed_key, changed
)

FLORIN_DOCUMENT(RouteSetting)

}  // namespace florin::model
