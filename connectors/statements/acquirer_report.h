// Reads the acquirer's transaction report, a CSV of one business date.
//
//   H,florin-acquirer-report,1,<acquirer>,<date>     first
//   C,<names of the cells of D lines, in their order>
//   D,<fourteen cells>                               any number
//   S,<payout reference>,<currency>,<sums>           one for each payout reference
//   T,<number of D lines>,<number of S lines>        last
//
// The whole format is docs/formats/acquirer-report.md. What does not agree with itself is refused:
// a file without its T line, another count or sum than its lines have, an amount whose two
// spellings differ, a payout reference of another acquirer, date or currency. Errors name the line
// and the cell, and never show a card number. Memory does not grow with the file.
// Thread rule: the sink is called on the caller's thread.
#pragma once

#include "connectors/statements/statement.h"
#include "ledger/base/result.h"

#include <istream>
#include <string_view>

namespace florin::connectors::statements {

// How a file of this format begins.
inline constexpr std::string_view kAcquirerReportStart = "H,florin-acquirer-report,";

// One statement: account = the acquirer, id = "<acquirer>-<date>", no currency of its own.
// Errc::malformed, Errc::unsupported (another version or order of cells), Errc::io.
Result<void> read_acquirer_report(std::istream& in, StatementSink& sink);

}  // namespace florin::connectors::statements
