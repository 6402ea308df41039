// What the simulated bank sends on paper: the acquirer's transaction report (CSV) and the statement
// of the bank account it pays to (camt.053.001.04).
//
// Both are a function of the book and the date alone, so that a report made twice is the same file.
// The CSV's format is docs/formats/acquirer-report.md.
// Thread rule: as the book.
#pragma once

#include "ledger/base/result.h"
#include "tools/banksim/book.h"

#include <string>

namespace florin::banksim {

// YYYY-MM-DD of a day that exists.
bool is_date(std::string const& text);

// One line for each capture, refund, chargeback and fee of the date, sums for each payout
// reference.
Result<std::string> transaction_report(Book& book, std::string const& date);
// One statement for each currency: opening, one net line for the payout reference of the date (none
// where the net is zero), one line for each transfer and each return, closing.
// opening + booked = closing.
Result<std::string> camt053(Book& book, std::string const& date);

// Errc::malformed for another kind than "transactions" and "camt053", or a date that does not
// exist.
Result<std::string> report(Book& book, std::string const& kind, std::string const& date);
// Writes beside the path and renames, so that nobody reads half a report.
Result<void> write_report(std::string const& path, std::string const& bytes);

}  // namespace florin::banksim
