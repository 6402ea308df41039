// What banks, acquirers and providers say happened, in one shape, whatever their files look like.
//
// Two levels. An acquirer's report lists transactions and says under which payout reference each is
// paid. A bank's statement lists booked entries of one account between an opening and a closing
// balance. Readers stream: a file of any size takes bounded memory, and a sink sees lines before
// the reader knows that the file is whole. So a sink must be able to forget everything it was
// given: only a reader that returned without an error has read a sound file.
// Thread rule: values; a reader calls its sink on the caller's thread.
#pragma once

#include "ledger/base/money.h"
#include "ledger/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace florin::connectors::statements {

enum class Level {
    acquirer,  // transactions: an acquirer's or provider's report
    bank,      // booked entries of a bank account
};
std::string_view level_name(Level level);  // "acquirer"

// What a line says. Stored by name, never renamed.
enum class LineType {
    capture,     // acquirer: a payment
    refund,      // acquirer: given back to the payer
    chargeback,  // acquirer: taken back by the payer's bank
    fee,         // acquirer: a cost that belongs to no transaction
    entry,       // bank: one booked entry, or one transaction of a batch-booked entry
};
std::string_view line_type_name(LineType type);
std::optional<LineType> line_type_from(std::string_view name);

// Of one statement inside a file: a file may hold several (an account in each currency, several
// days).
struct StatementHead {
    Level level = Level::bank;
    std::string account;   // acquirer: its name in its reports; bank: IBAN or other account number
    std::string id;        // as its writer names it; unique for this account
    std::string currency;  // alphabetic; empty where lines may have several
    std::string date;      // YYYY-MM-DD: the business date, or the last day it covers
    // Bank statements; where both are there, opening + sum of entries = closing was checked.
    std::optional<Money> opening;
    std::optional<Money> closing;
};

struct StatementLine {
    std::uint64_t number = 0;  // from 1, in the order of the file, through all its statements
    LineType type = LineType::entry;
    // Positive: in favour of the one who gets the statement. A capture and a credit entry are
    // positive; a refund, a chargeback, a fee and a debit entry negative.
    Money amount{0, *Currency::from_numeric(978)};
    // Acquirer: what it withholds for this line; never negative. In the line's currency.
    std::int64_t fee_minor = 0;
    // Acquirer: the payout reference. Bank: the end-to-end identification, else the entry's own
    // reference. Empty where there is none.
    std::string reference;
    std::string booking_date;  // YYYY-MM-DD
    std::string value_date;    // YYYY-MM-DD, or empty

    // Acquirer's lines: the message that booked it. Empty for fees.
    std::string stan;                // ISO 8583 field 11, six digits
    std::string rrn;                 // field 37
    std::string authorization_code;  // field 38
    std::string transmission_time;   // field 7: MMDDhhmmss, UTC
    std::string masked_pan;          // at most the last four digits
    std::string terminal_id;         // field 41

    // Bank's lines.
    std::string bank_reference;     // AcctSvcrRef, :61: subfield 8
    std::string entry_reference;    // NtryRef
    std::string counterparty_name;  // of the other side
    std::string counterparty_account;
    std::string remittance;    // unstructured remittance information, lines joined by a blank
    bool is_reversal = false;  // RvslInd: gives an earlier entry back
};

class StatementSink {
public:
    virtual ~StatementSink() = default;
    // An Error ends the reading and is what the reader returns.
    virtual Result<void> begin(StatementHead const& head) = 0;
    virtual Result<void> line(StatementLine line) = 0;
    // After the last line of a statement, with what is only known then (closing balance, last day).
    virtual Result<void> end(StatementHead const& head) = 0;
};

}  // namespace florin::connectors::statements
