// The documents of reconciliation: what we expect to be reported, what was reported, what matches.
//
// Amounts are ISO 4217 minor units; positive is in our favour. Times are seconds since 1970 UTC
// unless a name says otherwise. Thread rule: values.
#pragma once

#include "daemon/model/documents.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace florin::model {

// Owners of these documents.
std::string connector_owner(std::string_view connector, Mode mode);  // "connector/bank/test"
// "statement/acquirer/banksim/test"
std::string statement_owner(std::string_view level, std::string_view account, Mode mode);

// An attempt that moves money at a connector whose reports we get. Made with the attempt's intent,
// gone once a line was matched or the attempt certainly moved nothing. Owner: the connector; id:
// the attempt.
struct ExpectedLine {
    static constexpr Kind kKind = Kind::expected_line;
    std::string owner, attempt, operation, currency;  // operation: capture, refund
    std::int64_t amount = 0;                          // never negative
    std::int64_t created = 0;
};

// A statement that was imported. Owner: statement_owner; id: as its writer names it.
//   importing  lines are coming in; nobody looks at them yet
//   complete
struct StatementDocument {
    static constexpr Kind kKind = Kind::statement;
    std::string id, level, account, currency, date, state, mode;
    std::string digest;            // hexadecimal SHA-256 of its head and lines
    std::string file;              // the name it came under, for people
    std::string opening, closing;  // decimal text in the currency, empty where it has none
    std::int64_t lines = 0;
    std::int64_t imported = 0;
    // Whose word it is: the persons who began and who completed the import, and the ids of the
    // admin keys that they used. Empty for what was imported before this was recorded.
    std::string imported_by, imported_key, completed_by, completed_key;
};

// A line of it. Id: "<statement>/<number, nine digits>".
struct StatementLineDocument {
    static constexpr Kind kKind = Kind::statement_line;
    std::string statement, level, account;
    std::int64_t number = 0;
    std::string type, currency;
    std::int64_t amount = 0, fee = 0;
    std::string reference, booking_date, value_date;
    std::string stan, rrn, authorization_code, transmission_time, masked_pan, terminal_id;
    std::string bank_reference, entry_reference, counterparty_name, counterparty_account,
        remittance;
    bool is_reversal = false;
    // How it was explained; empty: not yet.
    std::string matched_by;  // reference, amount_date, net_sum
    std::string matched;     // attempt, payout or payout reference; several separated by blanks
    std::int64_t matched_at = 0;
};
std::string statement_line_id(std::string_view statement, std::int64_t number);

struct UnmatchedLine {
    static constexpr Kind kKind = Kind::unmatched_line;
    std::string line;  // its id
};

// What an acquirer pays together. Owner: the connector; id: the reference.
struct PayoutReference {
    static constexpr Kind kKind = Kind::payout_reference;
    std::string reference, connector, currency, business_date;
    std::int64_t net = 0;  // of the lines matched so far: what the bank should show
    std::int64_t lines = 0;
    std::string bank_line;  // that showed it; empty: the bank has not
    std::int64_t closed = 0;
};

// That an attempt was reported, and where. Owner: the connector; id: "<operation>/<rrn>/<stan>".
struct ReportedTransaction {
    static constexpr Kind kKind = Kind::reported_transaction;
    std::string owner, attempt, line, reference;
    std::int64_t amount = 0;
};
std::string reported_id(std::string_view type, std::string_view rrn, std::string_view stan);

// A difference that nobody has explained yet. Owner: the platform; id: derived from what differs.
struct Break {
    static constexpr Kind kKind = Kind::recon_break;
    std::string id, type, state;  // open, resolved
    std::string assignee;         // whose it is
    std::string account;          // the connector or bank account
    std::string currency;
    std::int64_t amount = 0;
    std::string line, attempt, reference, explanation;
    std::int64_t opened = 0, resolved = 0;
};
std::string break_id(std::string_view type, std::string_view subject);

}  // namespace florin::model
