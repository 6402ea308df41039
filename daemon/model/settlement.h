// The documents of settlement: what becomes available when, what was paid out, and in which batch.
//
// Amounts are ISO 4217 minor units of the document's currency; times are seconds since 1970 UTC
// unless a name says otherwise. Thread rule: values.
#pragma once

#include "daemon/model/documents.h"

#include <cstdint>
#include <string>

namespace florin::model {

// A captured payment whose money is still pending. Gone once it was made available.
struct Availability {
    static constexpr Kind kKind = Kind::availability;
    std::string attempt, currency;
    std::int64_t gross = 0;
    std::int64_t fee = 0;  // already taken from pending by the capture
    std::int64_t due = 0;  // may be made available from here on
};
// Sorts by currency, then by when it is due: "EUR/001700000000/txn_…", with the id of the payment's
// balance transaction. (Those made before there were any have the attempt's id instead.)
std::string availability_id(
    std::string_view currency, std::int64_t due, std::string_view transaction
);
// The balance transaction in such an id; empty where it has none.
std::string_view transaction_of(std::string_view availability);

// How far a merchant's available account of one currency has been settled. Id: the currency.
struct SettlementPosition {
    static constexpr Kind kKind = Kind::settlement_position;
    std::string batch;           // the last one that covered this account
    std::uint64_t cut_ns = 0;    // of that batch
    std::int64_t available = 0;  // posted less pending debits at that cut; may be below zero
    std::int64_t payouts = 0;    // made so far
};

// What moved a merchant's available account between two cuts. The identity that every payout is
// checked against:
//   opening + gross - fees - refunds + returned - payouts + other = available
struct PayoutLines {
    std::int64_t opening = 0;
    std::int64_t gross = 0;     // of payments that became available
    std::int64_t fees = 0;      // of the same
    std::int64_t refunds = 0;   // reserved or posted, less those that failed
    std::int64_t payouts = 0;   // earlier ones
    std::int64_t returned = 0;  // payouts that came back
    std::int64_t other = 0;     // signed
    std::int64_t available = 0;
};

// States of a payout; a batch's state tells more about those that are prepared.
//   prepared   the money is in transit, the file may not have left yet
//   paid       the bank's statement shows it
//   returned   the bank gave it back
struct Payout {
    static constexpr Kind kKind = Kind::payout;
    std::string id, batch, merchant, currency, state;
    std::int64_t amount = 0;
    PayoutLines lines;
    std::string iban, account_holder;
    std::string uetr;          // a UUID that goes with the transfer through every bank
    std::int64_t attempt = 1;  // counts up where money went away between cut and payout
    std::int64_t created = 0, closed = 0;
    std::string statement_line;  // that showed it
    // Counts up for each merchant and currency, from 1; by it the rows are found that it is made of
    // (model/balance.h). 0: made before there were any.
    std::int64_t number = 0;
    // Of the way out, and of the way back where it was returned.
    std::string balance_transaction, failure_balance_transaction;
};

// Its place in a batch; owner: the platform; id "<batch>/<merchant>/<currency>".
struct BatchPayout {
    static constexpr Kind kKind = Kind::batch_payout;
    std::string owner, payout;
};

// One run of settlement.
//   opened      its cut is not fixed yet, nothing of it exists
//   preparing   the cut is fixed, payouts are being made
//   prepared    every payout is made, the file is not handed over
//   submitting  the file is written and about to be handed over
//   submitted   handed over
//   empty       nothing to pay out
//   unknown     nothing proves whether the file was handed over
struct SettlementBatch {
    static constexpr Kind kKind = Kind::settlement_batch;
    std::string id, mode, state;
    std::string date;                 // YYYY-MM-DD, UTC: of the cut
    std::uint64_t cut_sequence = 0;   // membership: availability postings up to this record
    std::uint64_t cut_ns = 0;         // and up to this ledger time
    std::int64_t availabilities = 0;  // payments made available by this run
    std::int64_t payouts = 0;
    std::string file;         // name in the outbox
    std::string file_sha256;  // hexadecimal
    std::string boot_id;      // of the kernel that ran when the file was about to go
    std::int64_t created = 0, closed = 0;
};

// Deterministic: the same batch, merchant, currency and attempt give the same id and UETR.
std::string payout_id(
    std::string_view batch,
    std::string_view merchant,
    std::string_view currency,
    std::int64_t attempt
);
std::string payout_uetr(std::string_view payout);
// How a payout is called in files to banks, whose identifications have no underscore.
std::string end_to_end_id(std::string_view payout);

}  // namespace florin::model
