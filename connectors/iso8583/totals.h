// Reconciliation of totals at the cut-over of the business date, as messages.
//
//                     1987                             1993
//   request, advice   0500/0510, 0520/0530             1500/1510, 1520/1530
//   repeat            0501, 0521                       1501, 1521
//   business date     field 15 (MMDD)                  field 28 (YYMMDD)
//   kind              -                                field 24: 502, final, in a given currency
//   currency          field 50, of settlement          field 50, of reconciliation
//   totals            fields 74 to 77 (n10), 86 to 89 (n16), 97 (x+n16: D where debits exceed); how
//                     many digits the first eight have is up to the packaging
//   the answer        field 66: 1 in balance, 2 not    field 39: 500 in balance, 501 not; 502, 504
//                                                      totals provided
//
// Fields 7 (1993: 12), 11 and 37 are as in other messages and match the answer; there is no
// terminal. Thread rule: pure functions.
#pragma once

#include "connectors/connector.h"
#include "connectors/iso8583/connector.h"

#include <cstdint>

namespace florin::connectors::iso8583 {

// `now_s` (seconds since 1970, UTC) as in authorise_message. Errc::malformed for a date that is
// not YYYY-MM-DD, Errc::out_of_range for totals below zero and a net that its field cannot hold;
// what the other fields cannot hold, encode() refuses.
Result<Message> totals_message(
    TotalsRequest const& request, Iso8583Options const& options, std::int64_t now_s
);

// What an answer says. One about another date or currency is BalanceClaim::refused.
TotalsReply totals_reply_of(
    Message const& answer, TotalsRequest const& request, Packaging const& packaging
);

}  // namespace florin::connectors::iso8583
