#include "daemon/model/retention.h"

#include "daemon/model/json_document.h"

namespace florin::model {

FLORIN_FIELDS(RetentionCursor, sequence, begun_ns)

FLORIN_DOCUMENT(RetentionCursor)

}  // namespace florin::model
