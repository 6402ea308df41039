#include "daemon/model/totals.h"

#include "daemon/model/json_document.h"

namespace florin::model {

FLORIN_FIELDS(
    TotalsDocument,
    connector,
    date,
    currency,
    message,
    ours,
    open,
    stan,
    transmission_time,
    created,
    sends,
    sent_ms,
    state,
    result,
    claim,
    code,
    detail,
    theirs,
    differing,
    answered,
    link
)
FLORIN_FIELDS(TotalsCursor, day)

FLORIN_DOCUMENT(TotalsDocument)
FLORIN_DOCUMENT(TotalsCursor)

std::string totals_id(std::string_view date, std::string_view currency) {
    return std::string{date} + "/" + std::string{currency};
}

std::string totals_holder(TotalsDocument const& totals) {
    return "totals/" + totals_id(totals.date, totals.currency);
}

}  // namespace florin::model
